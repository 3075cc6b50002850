import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'

export interface ResidualOptions {
  /** Channels of the result. */
  readonly outputs: number
  /** Of the first 3x3 convolution, and of the shortcut (default 1). */
  readonly stride?: number
}

/**
 * Non-bottleneck (He, Zhang, Ren, Sun 2015, Deep Residual Learning, section 3.3 and figure 5 left): ResNet's
 * basic block. It learns what to add to its input: two 3x3 convolutions, each with a norm.
 *
 * ```
 * x ── 3x3, stride s ─ norm ─ ReLU ── 3x3 ─ norm ── + ─ ReLU
 * └── as it is, or 1x1 of stride s ─ norm ──────────┘
 * ```
 *
 * The shortcut is the input itself where its shape fits, and a projection else (the paper's option B).
 *
 * Parameters, at C channels: 18 C² + 4 C. Multiply-adds: 18 C² H W.
 * With a projection, from C to D channels at stride s: 9 C D + 9 D² + C D + 6 D parameters and
 * (9 C D + 9 D² + C D) H W / s² multiply-adds. The last norm of the branch starts at a scale of 0.1.
 *
 * @param x [N, C, H, W], H and W multiples of the stride
 * @returns [N, outputs, H / stride, W / stride]
 */
export function nonBottleneck(scope: Scope, x: Value, { outputs, stride = 1 }: ResidualOptions): Value {
  const conv = (name: string, value: Value, rate = 1) =>
    conv2d(scope.child(name), value, outputs, { kernel: 3, stride: rate, bias: false })
  const y = relu(batchNorm2d(scope.child('bn1'), conv('conv1', x, stride)))
  const branch = batchNorm2d(scope.child('bn2'), conv('conv2', y), { gain: residualGain })
  return relu(add(branch, shortcut(scope, x, { outputs, stride })))
}

/**
 * A residual block's input in the shape of its result: itself where that fits, else a 1x1 convolution and a
 * norm, under the names `downsample.0` and `downsample.1`.
 */
export function shortcut(scope: Scope, x: Value, { outputs, stride = 1 }: ResidualOptions): Value {
  if (stride === 1 && x.shape[1] === outputs) return x
  const inner = scope.child('downsample')
  return batchNorm2d(inner.child(1), conv2d(inner.child(0), x, outputs, { kernel: 1, stride, bias: false }))
}

export const nonBottleneckBlock: Block = {
  name: 'non-bottleneck',
  title: 'Non-bottleneck',
  file: 'residual.ts',
  usedBy: ['resnet18'],
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => nonBottleneck(scope, x, { outputs: 64 }),
      cost: { params: 18 * 64 ** 2 + 4 * 64, macs: 18 * 64 ** 2 * 16 * 16 },
    },
    {
      label: '64 to 128 channels at stride 2',
      input: [1, 64, 16, 16],
      build: (scope, x) => nonBottleneck(scope, x, { outputs: 128, stride: 2 }),
      cost: {
        params: 9 * 64 * 128 + 9 * 128 ** 2 + 64 * 128 + 6 * 128,
        macs: (9 * 64 * 128 + 9 * 128 ** 2 + 64 * 128) * 8 * 8,
      },
    },
  ],
}
