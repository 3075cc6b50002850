// The block of FasterNet (Chen et al. 2023).

import type { Value } from '../graph/graph.ts'
import { refuse } from '../graph/op.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { concat, split } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import type { Block } from './block.ts'
import { conv2d, pointwise } from './conv2d.ts'
import { batchNorm2d } from './norm.ts'
import type { Scope } from './scope.ts'

/** One in four channels goes through the 3x3. */
const part = 4
/** How much wider the block is between its 1x1 convolutions. */
const expansion = 2

/** Options of `partialConv`. */
export interface PartialConvOptions {
  /** Of the 3x3 (default 1). */
  readonly dilation?: number
}

/**
 * FasterNet's block (Chen et al. 2023, Run, Don't Walk, sections 3.2 and 3.3): a partial convolution, which
 * looks around in a quarter of the channels and leaves the others as they are, and two 1x1 convolutions that
 * mix all. The quarter is dense, so its products come at a convolution's full rate, which depthwise ones do not.
 *
 * ```
 *     ┌─ C / 4 ── 3x3 ─┐
 * x ──┼─ 3 C / 4 ──────┴─ concat ── 1x1 to 2 C ─ norm ─ ReLU ── 1x1 to C ── + ──
 *     └─────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 73/16 C² + 4 C. Multiply-adds: 73/16 C² H W.
 *
 * Parameters are named as in the authors' code: `spatial_mixing.partial_conv3`, `mlp.0`, `mlp.1`, `mlp.3`.
 *
 * @param x [N, C, H, W], C a multiple of 4
 * @returns the same shape
 * @throws GraphError if C is not.
 */
export function partialConv(scope: Scope, x: Value, { dilation = 1 }: PartialConvOptions = {}): Value {
  const channels = x.shape[1]!
  if (channels % part !== 0) {
    refuse('a partial convolution’s channels do not divide into quarters', { got: String(channels) })
  }
  const width = channels / part
  const [seen, untouched] = split(x, 1, [width, channels - width]) as [Value, Value]
  const conv = scope.child('spatial_mixing.partial_conv3')
  const around = conv2d(conv, seen, width, { kernel: 3, dilation, bias: false })

  const mlp = scope.child('mlp')
  const wide = pointwise(mlp.child(0), concat([around, untouched], 1), expansion * channels)
  return add(pointwise(mlp.child(3), relu(batchNorm2d(mlp.child(1), wide)), channels), x)
}

export const partialConvBlock: Block = {
  name: 'partial-conv',
  title: 'Partial convolution',
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => partialConv(scope, x),
      cost: { params: (73 / 16) * 64 ** 2 + 4 * 64, macs: (73 / 16) * 64 ** 2 * 16 * 16 },
    },
  ],
}
