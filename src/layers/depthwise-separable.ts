import type { Value } from '../graph/graph.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { depthwise, pointwise } from './depthwise.ts'
import type { Scope } from './scope.ts'

export interface DepthwiseSeparableOptions {
  /** Whose nonlinearities (default: mobilenet). */
  readonly form?: 'mobilenet' | 'xception'
  /** Side of the kernel: odd (default 3). */
  readonly kernel?: number
  readonly stride?: number
  readonly dilation?: number
}

/**
 * Depthwise-separable convolution, in two forms: MobileNet's (Howard et al. 2017, section 3.1) and Xception's
 * (Chollet 2017, section 2, where leaving out the nonlinearity in the middle is found to be better). A k x k
 * convolution looks around and mixes channels at once; here the one is done first, the other after it.
 *
 * ```
 * mobilenet   x ── depthwise k x k ─ norm ─ ReLU ── 1 x 1 ─ norm ─ ReLU
 * xception    x ── depthwise k x k ──────────────── 1 x 1 ─ norm ─ ReLU
 * ```
 *
 * From C to D channels, giving h x w. Parameters: k² C + C D + 2 D, and 2 C more for the middle norm of
 * `mobilenet`. Multiply-adds: (k² C + C D) h w, which is 1 / D + 1 / k² of the plain convolution's.
 *
 * Xception's networks put the last ReLU before the next block; it stands at the end here, as in MobileNet.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, h, w], with h = ceil(H / stride) and w = ceil(W / stride)
 */
export function depthwiseSeparable(
  scope: Scope,
  x: Value,
  outputs: number,
  { form = 'mobilenet', kernel = 3, stride = 1, dilation = 1 }: DepthwiseSeparableOptions = {},
): Value {
  let y = depthwise(scope.child('depthwise'), x, { kernel, stride, dilation })
  if (form === 'mobilenet') y = relu(batchNorm2d(scope.child('depthwise_norm'), y))
  return relu(batchNorm2d(scope.child('norm'), pointwise(scope.child('pointwise'), y, outputs)))
}

export const depthwiseSeparableBlock: Block = {
  name: 'depthwise-separable',
  title: 'Depthwise-separable convolution',
  file: 'depthwise-separable.ts',
  usedBy: [],
  examples: [
    {
      label: 'MobileNet’s, 64 to 128 channels, stride 2',
      input: [1, 64, 16, 16],
      build: (scope, x) => depthwiseSeparable(scope, x, 128, { stride: 2 }),
      cost: { params: 9 * 64 + 64 * 128 + 2 * 128 + 2 * 64, macs: (9 * 64 + 64 * 128) * 8 * 8 },
    },
    {
      label: 'Xception’s, 64 to 128 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => depthwiseSeparable(scope, x, 128, { form: 'xception' }),
      cost: { params: 9 * 64 + 64 * 128 + 2 * 128, macs: (9 * 64 + 64 * 128) * 16 * 16 },
    },
  ],
}
