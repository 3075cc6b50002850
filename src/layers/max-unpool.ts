// Max unpooling, which SegNet and ENet undo their max pools with.

import type { Value } from '../graph/graph.ts'
import { add, expand, mul, sub } from '../graph/ops/arithmetic.ts'
import { greater, where } from '../graph/ops/compare.ts'
import { gather, scatterAdd } from '../graph/ops/gather.ts'
import { constant } from '../graph/ops/leaf.ts'
import { pad, reshape, slice } from '../graph/ops/shape.ts'
import { abs } from '../graph/ops/unary.ts'
import { floats, type Shape, sizeOf } from '../graph/tensor.ts'

/** The pool whose indices are undone: the side of its windows and how far they stand apart. */
export interface PoolWindows {
  /** Default: 2. */
  readonly kernel?: number
  /** Default: 2. */
  readonly stride?: number
}

/**
 * Max unpooling (Zeiler et al. 2011; Badrinarayanan et al. 2015, SegNet; Paszke et al. 2016, ENet, section 4):
 * each value goes back to the pixel that its window's maximum was taken from, and all other pixels are 0.
 *
 * ```
 * pooled from       index      values      unpooled
 * 1 5 │ 2 0                                0 a │ 0 0
 * 3 4 │ 7 1         1  6       a  b        0 0 │ b 0
 * ────┼────    →               c  d   →    ────┼────
 * 9 0 │ 0 2         8  15                  c 0 │ 0 0
 * 1 1 │ 3 8                                0 0 │ 0 d
 * ```
 *
 * Windows that overlap (kernel above stride) may have one maximum in common. Then the value of the last of
 * them, row by row, stays: that is what PyTorch's MaxUnpool2d leaves. Values that do not stay have no gradient;
 * PyTorch gives each of them the gradient of the pixel.
 *
 * Parameters and multiply-adds: none.
 *
 * @param x [N, C, h, w]
 * @param index of a max pool, of the same shape: flat places in an array of `shape`
 * @param shape [N, C, H, W], of what was pooled
 * @returns [N, C, H, W]
 */
export function maxUnpool(x: Value, index: Value, shape: Shape, windows: PoolWindows = {}): Value {
  const { kernel = 2, stride = 2 } = windows
  const kept = lastOfEqual(x, index, shape, Math.ceil(kernel / stride) - 1)
  const flat = scatterAdd(reshape(index, [-1]), reshape(kept, [-1]), 0, sizeOf(shape))
  return reshape(flat, shape)
}

/** Values, with 0 instead of those whose index comes again in a later window, at most `reach` away. */
function lastOfEqual(x: Value, index: Value, shape: Shape, reach: number): Value {
  const [height, width] = x.shape.slice(2) as [number, number]
  const place = placeInPlane(index, shape)
  const differences: Value[] = []
  for (let dy = 0; dy <= Math.min(reach, height - 1); dy++) {
    const farthest = Math.min(reach, width - 1)
    for (let dx = dy === 0 ? 1 : -farthest; dx <= farthest; dx++) {
      differences.push(sub(place, shifted(place, dy, dx)))
    }
  }
  if (differences.length === 0) return x
  const product = differences.reduce((all, difference) => mul(all, difference))
  return where(greater(abs(product), 0), x, 0)
}

/** Row by row, the place of each index in its own plane: a whole number that a float holds exactly. */
function placeInPlane(index: Value, shape: Shape): Value {
  const [height, width] = shape.slice(2) as [number, number]
  const line = (size: number, step: number) => Array.from({ length: size }, (_, i) => i * step)
  const rows = constant(index.graph, floats(line(height, width), [1, 1, height, 1]))
  const plane = add(rows, constant(index.graph, floats(line(width, 1), [1, 1, 1, width])))
  const all = reshape(expand(plane, shape), [-1])
  return reshape(gather(all, reshape(index, [-1]), 0), index.shape)
}

/** What stands `dy` rows below and `dx` columns to the right (to the left if negative), or -1 for nothing. */
function shifted(x: Value, dy: number, dx: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const left = Math.max(-dx, 0)
  const right = Math.max(dx, 0)
  const inside = slice(x, [0, 0, dy, right], [n, c, h, w - left])
  return pad(inside, [0, 0, 0, left], [0, 0, dy, right], -1)
}
