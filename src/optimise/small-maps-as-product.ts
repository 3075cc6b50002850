import type { Graph, Node, Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { reshape, transpose } from '../graph/ops/shape.ts'
import { rewrite } from '../graph/rewrite.ts'
import { floats, sizeOf } from '../graph/tensor.ts'
import { doubled } from './doubled-conv.ts'
import { isPlainConv, numbers } from './pattern.ts'
import { reads } from './taps.ts'

/**
 * A wide convolution of a map of a few pixels costs the reading of its weights, which a matrix product does
 * fastest: all pixels times all taps first, then the sums over taps, which no weight enters. Where the map was
 * doubled by nearest neighbour, the small pixels are multiplied: 9 products a small pixel in place of 36.
 *
 * ```
 * x [pixels, C] · kernel [C, taps D] = [pixels taps, D];   sums [results, pixels taps] · that + bias
 * ```
 */
export function smallMapsAsProduct(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    if (!isPlainConv(node) || sizeOf(node.inputs[1]!.shape) < leastWeights) return undefined
    const small = doubled(inputs[0]!)
    const x = small ?? inputs[0]!
    if (x.shape[0] !== 1 || x.shape[2]! * x.shape[3]! > mostPixels) return undefined
    return target.within(node.scope, () => [product(node, x, inputs, small === undefined ? 1 : 2)])
  })
}

/** Above, a convolution is bound by its products, and does as few. */
const mostPixels = 16
/** Below, weights stay in the cache. */
const leastWeights = 1 << 18

function product(
  { attrs, outputs }: Node,
  x: Value,
  [, kernel, bias]: readonly Value[],
  scale: 1 | 2,
): Value {
  const [, channels, height, width] = x.shape as [number, number, number, number]
  const [made, , kh, kw] = kernel!.shape as [number, number, number, number]
  const pixels = transpose(reshape(x, [channels, height * width]), [1, 0])
  const taps = reshape(transpose(kernel!, [1, 2, 3, 0]), [channels, kh * kw * made])
  const products = reshape(matmul(pixels, taps), [height * width * kh * kw, made])

  const [, , rows, columns] = outputs[0]!.shape as [number, number, number, number]
  const [top, left] = numbers(attrs.pads) as [number, number]
  const down = reads({ results: rows, taps: kh, pixels: height, before: top, scale })
  const across = reads({ results: columns, taps: kw, pixels: width, before: left, scale })
  const sums = new Float32Array(rows * columns * height * width * kh * kw)
  for (const [row, ty, y] of down) {
    for (const [column, tx, x] of across) {
      const result = row * columns + column
      const term = (y * width + x) * kh * kw + ty * kw + tx
      sums[result * height * width * kh * kw + term] = 1
    }
  }
  const summed = matmul(constant(x.graph, floats(sums, [rows * columns, height * width * kh * kw])), products)
  const biased = bias === undefined ? summed : add(summed, bias)
  return reshape(transpose(biased, [1, 0]), outputs[0]!.shape)
}
