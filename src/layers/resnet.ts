// Blocks of ResNet (He, Zhang, Ren, Sun 2015).
import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d, conv2d, residualGain } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'

/** Options of `nonBottleneck` and `bottleneck`. */
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
function shortcut(scope: Scope, x: Value, { outputs, stride = 1 }: ResidualOptions): Value {
  if (stride === 1 && x.shape[1] === outputs) return x
  const inner = scope.child('downsample')
  return batchNorm2d(inner.child(1), conv2d(inner.child(0), x, outputs, { kernel: 1, stride, bias: false }))
}

export const nonBottleneckBlock: Block = {
  name: 'non-bottleneck',
  title: 'Non-bottleneck',
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

/** How much wider a bottleneck's result is than its middle. */
const expansion = 4

/**
 * Bottleneck (He, Zhang, Ren, Sun 2015, Deep Residual Learning, section 4.1 and figure 5 right): a residual
 * block whose 3x3 convolution works on a quarter of the channels. A 1x1 convolution narrows, another widens.
 *
 * ```
 * x ── 1x1 to D/4 ─ norm ─ ReLU ── 3x3, stride s ─ norm ─ ReLU ── 1x1 to D ─ norm ── + ─ ReLU
 * └── as it is, or 1x1 of stride s ─ norm ───────────────────────────────────────────┘
 * ```
 *
 * The stride is the 3x3's, as in torchvision; the paper has it in the first 1x1, which then skips three
 * quarters of the pixels.
 *
 * Parameters, at C channels: 17/16 C² + 3 C. Multiply-adds: 17/16 C² H W.
 * With a projection, from C to D channels at stride s: C D / 4 + 13/16 D² + C D + 5 D parameters and
 * (C D / 4 + (13/16 D² + C D) / s²) H W multiply-adds. The last norm of the branch starts at a scale of 0.1.
 *
 * @param x [N, C, H, W], H and W multiples of the stride
 * @param options `outputs`, a multiple of 4, and the `stride` of the 3x3 and of the shortcut (default 1)
 * @returns [N, outputs, H / stride, W / stride]
 */
export function bottleneck(scope: Scope, x: Value, { outputs, stride = 1 }: ResidualOptions): Value {
  const width = outputs / expansion
  const conv = (name: string, value: Value, channels: number, kernel: number, rate = 1) =>
    conv2d(scope.child(name), value, channels, { kernel, stride: rate, bias: false })
  let y = relu(batchNorm2d(scope.child('bn1'), conv('conv1', x, width, 1)))
  y = relu(batchNorm2d(scope.child('bn2'), conv('conv2', y, width, 3, stride)))
  const branch = batchNorm2d(scope.child('bn3'), conv('conv3', y, outputs, 1), { gain: residualGain })
  return relu(add(branch, shortcut(scope, x, { outputs, stride })))
}

export const bottleneckBlock: Block = {
  name: 'bottleneck',
  title: 'Bottleneck',
  examples: [
    {
      label: '256 channels',
      input: [1, 256, 16, 16],
      build: (scope, x) => bottleneck(scope, x, { outputs: 256 }),
      cost: { params: (17 / 16) * 256 ** 2 + 3 * 256, macs: (17 / 16) * 256 ** 2 * 16 * 16 },
    },
    {
      label: '256 to 512 channels at stride 2',
      input: [1, 256, 16, 16],
      build: (scope, x) => bottleneck(scope, x, { outputs: 512, stride: 2 }),
      cost: {
        params: (256 * 512) / 4 + (13 / 16) * 512 ** 2 + 256 * 512 + 5 * 512,
        macs: ((256 * 512) / 4) * 16 * 16 + ((13 / 16) * 512 ** 2 + 256 * 512) * 8 * 8,
      },
    },
  ],
}
