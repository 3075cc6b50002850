import type { Graph, Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { reshape, transpose } from '../graph/ops/shape.ts'
import { rewrite } from '../graph/rewrite.ts'
import { floats } from '../graph/tensor.ts'
import { type DoubledConv, doubledConv } from './doubled-conv.ts'
import { reads } from './taps.ts'

/**
 * A 3x3 convolution of a map that was doubled by nearest neighbour, as three products: the small map times all
 * nine taps, then the sums over rows of taps and over columns of taps, which are products with matrices of zeros
 * and ones that also put the results in their places. 9 products a small pixel in place of the 36 of the
 * convolution, or the 16 of sub-pixels; the sums grow with the map's side, so small maps of many channels gain.
 *
 * ```
 * kernel [9 O, C] · x [C, H W] = M        as [O, 3 (across), 3 (down) H, W]
 * down [2 H, 3 H] · M = R [O, 3, 2 H, W]  as [O, 2 H, 3 W]
 * R · across [3 W, 2 W]                   [O, 2 H, 2 W]
 * ```
 */
export function doubledAsProduct(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const found = doubledConv(node)
    if (found === undefined) return undefined
    if (!isWorthwhile(found.x)) return undefined
    const copied = target.within(node.scope, () => target.apply(node.op, inputs, node.attrs))
    const own = doubledConv(copied[0]!.node)
    return own && target.within(node.scope, () => [product(own)])
  })
}

/** Whether the sums cost at most half of the products that sub-pixels have more. */
function isWorthwhile({ shape }: Value): boolean {
  const [, channels, height, width] = shape as [number, number, number, number]
  return 18 * height + 12 * width <= (7 * channels) / 2
}

function product({ x, kernel, bias }: DoubledConv): Value {
  const [n, channels, height, width] = x.shape as [number, number, number, number]
  const made = kernel.shape[0]!
  const taps = reshape(transpose(kernel, [0, 3, 2, 1]), [9 * made, channels])
  const products = matmul(taps, reshape(x, [n, channels, height * width]))
  const down = constant(x.graph, floats(sums(height), [2 * height, 3 * height]))
  const rows = matmul(down, reshape(products, [n * made, 3, 3 * height, width]))
  const across = transpose(constant(x.graph, floats(sums(width), [2 * width, 3 * width])), [1, 0])
  const cut = reshape(transpose(rows, [0, 2, 1, 3]), [n * made * 2 * height, 3 * width])
  const sum = reshape(matmul(cut, across), [n, made, 2 * height, 2 * width])
  return bias === undefined ? sum : add(sum, reshape(bias, [1, made, 1, 1]))
}

/** [2 N, 3 N]: which products, tap by tap, are summed to each result along an axis of N pixels. */
function sums(pixels: number): Float32Array {
  const data = new Float32Array(6 * pixels * pixels)
  const line = { results: 2 * pixels, taps: 3, pixels, before: 1, scale: 2 } as const
  for (const [result, tap, pixel] of reads(line)) data[result * 3 * pixels + tap * pixels + pixel] = 1
  return data
}
