import type { Value } from '../graph/graph.ts'
import { reduceMean } from '../graph/ops/arithmetic.ts'
import { conv } from '../graph/ops/conv.ts'
import { reshape } from '../graph/ops/shape.ts'
import { floats, type Tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import type { Block } from './block.ts'
import type { Scope } from './scope.ts'

/**
 * Anti-alias interpolation (Siarohin et al. 2019, as their code has it): a Gaussian filter, of which every
 * 1 / scale-th pixel is kept. Filter and choice are one strided depthwise convolution, which gives the same
 * numbers for 1 / scale² of the work. The kernel is the buffer `weight` [C, 1, n, n], n = 13 at a scale of
 * 0.25.
 *
 * ```
 * x ── Gaussian n x n, depthwise, stride 1 / scale ──
 * ```
 *
 * Parameters: 0 (the kernel is not trained). Multiply-adds: n² C H W scale².
 *
 * @param x [N, C, H, W]
 * @param scale of the result, in (0, 1]; at 1 nothing is done and nothing is asked of the scope
 * @returns [N, C, ceil(H s), ceil(W s)] for s = 1 / floor(1 / scale)
 * @throws InputError for a scale outside of (0, 1].
 */
export function antiAlias(scope: Scope, x: Value, scale: number): Value {
  if (!(scale > 0 && scale <= 1)) {
    throw new InputError({ what: 'a scale factor is out of range', got: String(scale), expected: '(0, 1]' })
  }
  if (scale === 1) return x
  const channels = x.shape[1]!
  const kernel = antiAliasKernel(scale)
  const n = kernel.shape[0]!
  const values = floats(Array.from({ length: channels }, () => [...kernel.data]).flat(), [channels, 1, n, n])
  const weight = scope.buffer('weight', values.shape, { kind: 'values', values })
  const stride = Math.floor(1 / scale)
  const side = (n - 1) / 2
  return conv(x, weight, undefined, {
    strides: [stride, stride],
    pads: [side, side, side, side],
    group: channels,
  })
}

/**
 * The mean of each square of 1 / scale x 1 / scale pixels: what an area-true reduction is. A third of the time
 * of the Gaussian, for networks that are trained with it.
 *
 * @param x [N, C, H, W], H and W multiples of 1 / scale
 * @param scale of the result: 1 over a whole number
 * @returns [N, C, H s, W s]
 */
export function boxFilter(x: Value, scale: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const side = Math.round(1 / scale)
  if (side === 1) return x
  if (h % side !== 0 || w % side !== 0) {
    throw new InputError({
      what: 'a picture does not divide into the squares that are averaged',
      got: `${w}x${h} (width x height)`,
      expected: `multiples of ${side}`,
    })
  }
  return reduceMean(reshape(x, [n, c, h / side, side, w / side, side]), [3, 5])
}

export const antiAliasBlock: Block = {
  name: 'anti-alias',
  title: 'Anti-alias interpolation',
  file: 'anti-alias.ts',
  usedBy: [],
  examples: [
    {
      label: '3 channels, a quarter of the size',
      input: [1, 3, 64, 64],
      build: (scope, x) => antiAlias(scope, x, 0.25),
      cost: { params: 0, macs: 13 ** 2 * 3 * 64 * 64 * 0.25 ** 2 },
    },
  ],
}

/**
 * The Gaussian of sigma = (1 / scale - 1) / 2 pixels on n x n points, n = 2 round(4 sigma) + 1 with halves
 * rounded to even (as Python does), of sum 1.
 */
export function antiAliasKernel(scale: number): Tensor<'float32'> {
  const sigma = (1 / scale - 1) / 2
  const n = 2 * roundHalfToEven(4 * sigma) + 1
  const line = Array.from({ length: n }, (_, i) => Math.exp(-((i - (n - 1) / 2) ** 2) / (2 * sigma ** 2)))
  const sum = line.reduce((a, b) => a + b)
  return floats(
    line.flatMap((a) => line.map((b) => (a * b) / sum ** 2)),
    [n, n],
  )
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x)
  if (x - floor !== 0.5) return Math.round(x)
  return floor % 2 === 0 ? floor : floor + 1
}
