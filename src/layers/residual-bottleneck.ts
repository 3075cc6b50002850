import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import { type ResidualOptions, shortcut } from './residual.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'

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
 * @param options.outputs a multiple of 4
 * @param options.stride of the 3x3 and of the shortcut (default 1)
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
  file: 'residual-bottleneck.ts',
  usedBy: ['resnet50'],
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
