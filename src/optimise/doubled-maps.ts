// Two forms for the convolution of a map that nearest neighbour doubled, in which the small map is multiplied: products,
// and sub-pixels.

import type { Graph, Node, Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { conv } from '../graph/ops/conv.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { concat, reshape, transpose } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { isPlainConv, madeBy, rewrite } from '../graph/rewrite.ts'
import { floats } from '../graph/tensor.ts'
import { sharedTaps } from '../layers/upsampling.ts'

/** What a line of a convolution reads, along one axis. */
export interface Line {
  readonly results: number
  readonly taps: number
  readonly pixels: number
  /** Zeros before the first pixel. */
  readonly before: number
  /** How many times each pixel was repeated. */
  readonly scale: 1 | 2
}

/** [result, tap, pixel that it reads], where there is one. */
export function reads({
  results,
  taps,
  pixels,
  before,
  scale,
}: Line): (readonly [result: number, tap: number, pixel: number])[] {
  return Array.from({ length: results * taps }, (_, i) => {
    const [result, tap] = [Math.floor(i / taps), i % taps]
    return [result, tap, Math.floor((result + tap - before) / scale)] as const
  }).filter(([, , pixel]) => pixel >= 0 && pixel < pixels)
}

/** A 3x3 convolution that keeps the size of a map that nearest neighbour doubled. */
interface DoubledConv {
  /** The small map, [N, C, H, W]. */
  readonly x: Value
  /** [O, C, 3, 3] */
  readonly kernel: Value
  readonly bias: Value | undefined
}

function doubledConv(node: Node | undefined): DoubledConv | undefined {
  if (node === undefined || !isPlainConv(node)) return undefined
  const [large, kernel, bias] = node.inputs as [Value, Value, Value | undefined]
  const x = doubled(large)
  const square = kernel.shape[2] === 3 && kernel.shape[3] === 3
  return x !== undefined && square && String(node.attrs.pads) === '1,1,1,1' ? { x, kernel, bias } : undefined
}

/** What `large` repeats twice along each axis. */
export function doubled(large: Value): Value | undefined {
  const resize = madeBy(large, 'resize')
  const x = resize?.inputs[0]
  if (x === undefined || resize?.attrs.mode !== 'nearest') return undefined
  return large.shape[2] === 2 * x.shape[2]! && large.shape[3] === 2 * x.shape[3]! ? x : undefined
}

/**
 * A 3x3 convolution of a map that was doubled by nearest neighbour, as three products: the small map times all
 * nine taps, then the sums over rows of taps and over columns of taps, which are products with matrices of zeros
 * and ones that also put the results in their places. 9 products per small pixel instead of the 36 of the
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

/**
 * A 3x3 convolution of a map that was doubled by nearest neighbour reads each small pixel up to four times.
 * Its results at even and odd rows and columns are four 2x2 convolutions of the small map, whose kernels are
 * sums of the 3x3's taps: 16 products per small pixel instead of 36.
 *
 * ```
 * rows of the doubled map   a a b b c c       taps w0 w1 w2
 * at the first b            a [a b b] c c     w0 a + (w1 + w2) b
 * at the second b           a a [b b c] c     (w0 + w1) b + w2 c
 * ```
 *
 * The four kernels are 16 / 9 as large, so maps of a few pixels, which only wait for weights, stay as they are.
 */
export function subpixelUpsampling(graph: Graph): Graph {
  const relus = rewrite(graph, (node, inputs) => {
    const found = node.op.name === 'relu' ? upsampledConv(inputs[0]?.node) : undefined
    return found && [within(node, found, relu)]
  })
  return rewrite(relus, (node, inputs, target) => {
    if (!isPlainConv(node)) return undefined
    const copied = target.within(node.scope, () => target.apply(node.op, inputs, node.attrs))
    const found = upsampledConv(copied[0]!.node)
    return found ? [within(node, found, (value) => value)] : copied
  })
}

/** Below this many pixels a map costs the reading of its weights. */
const leastPixels = 16

function upsampledConv(node: Node | undefined): DoubledConv | undefined {
  const found = doubledConv(node)
  return found && found.x.shape[2]! * found.x.shape[3]! >= leastPixels ? found : undefined
}

function within(node: Node, found: DoubledConv, act: (value: Value) => Value): Value {
  const { graph } = found.x
  return graph.within(node.scope, () => interleaved(found, act))
}

function interleaved({ x, kernel, bias }: DoubledConv, act: (value: Value) => Value): Value {
  const [n, , height, width] = x.shape as [number, number, number, number]
  const channels = kernel.shape[0]!
  const part = (row: 0 | 1, column: 0 | 1) => {
    const pads = [1 - row, 1 - column, row, column] as const
    return reshape(act(conv(x, sharedTaps(kernel, row, column), bias, { pads })), [
      n,
      channels,
      height,
      1,
      width,
      1,
    ])
  }
  const rows = ([0, 1] as const).map((row) => concat([part(row, 0), part(row, 1)], 5))
  return reshape(concat(rows, 3), [n, channels, 2 * height, 2 * width])
}
