// Small maps, on which a call costs more than its products, and maps that nearest neighbour doubled. Wide convolutions, chains
// of narrow ones, and convolutions of doubled maps become matrix products. Or the small map of a doubled one is convolved to
// sub-pixels.

import type { Graph, Node, Value } from '../graph/graph.ts'
import { add, sub } from '../graph/ops/arithmetic.ts'
import { conv } from '../graph/ops/conv.ts'
import { constant, isLeaf } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { concat, reshape, transpose } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { isPlainConv, madeBy, numbers, rewrite } from '../graph/rewrite.ts'
import { floats, sizeOf } from '../graph/tensor.ts'
import { sharedTaps } from '../layers/upsampling.ts'

/** What a line of a convolution reads, along one axis. */
interface Line {
  readonly results: number
  readonly taps: number
  readonly pixels: number
  /** Zeros before the first pixel. */
  readonly before: number
  /** How many times each pixel was repeated. */
  readonly scale: 1 | 2
}

/** [result, tap, pixel that it reads], where there is one. */
function reads({
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
function doubled(large: Value): Value | undefined {
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

/**
 * A wide convolution of a map of a few pixels costs the reading of its weights, which a matrix product does
 * fastest: all pixels times all taps first, then the sums over taps, which no weight enters. Where the map was
 * doubled by nearest neighbour, the small pixels are multiplied: 9 products per small pixel instead of 36.
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
    return target.within(node.scope, () => [smallProduct(node, x, inputs, small === undefined ? 1 : 2)])
  })
}

/** Above, a convolution is bound by its products, and does as few. */
const mostPixels = 16
/** Below, weights stay in the cache. */
const leastWeights = 1 << 18

function smallProduct(
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

/**
 * Convolutions, resizing and sums of maps of a few numbers are one affine map of what they read, x A + b,
 * however many they are. Each costs its call and not its products, so they become one product: LEDNet's
 * attention pyramid, on maps of 4x4 and less, goes from thirty calls to a dozen.
 *
 * A holds the results of the ops for unit vectors, and b their result for zeros. Both depend on weights alone.
 */
export function smallAffineAsProduct(graph: Graph): Graph {
  const known = new Map<Value, Affine>()
  const fixed = new Set<Value>()
  return rewrite(graph, (node, inputs, target) => {
    const outputs = target.within(node.scope, () => target.apply(node.op, inputs, node.attrs))
    const isFixed = isLeaf(node) ? node.op.name !== 'input' : inputs.every((input) => fixed.has(input))
    if (isFixed) for (const output of outputs) fixed.add(output)
    const flatRelu = node.op.name === 'relu' ? rectified(inputs[0]!) : undefined
    if (flatRelu !== undefined) return [flatRelu]
    const affine = isFixed ? undefined : affineOf(outputs[0]!.node, known, fixed)
    if (affine === undefined) return outputs
    const made = affine.worthwhile
      ? target.within(node.scope, () => affineProduct(outputs[0]!, affine))
      : outputs[0]!
    known.set(made, affine)
    return [made]
  })
}

/** A value as an affine function of others. */
interface Affine {
  readonly roots: readonly Value[]
  /** The function, of a batch of values for each root. */
  readonly apply: (of: ReadonlyMap<Value, Value>) => Value
  /** Whether it holds more than sums. */
  readonly worthwhile: boolean
}

/** Numbers of a map that is small. */
const mostNumbers = 128

const isSmall = ({ shape, dtype }: Value) =>
  dtype === 'float32' && shape.length === 4 && shape[0] === 1 && sizeOf(shape) <= mostNumbers

function affineOf(
  node: Node,
  known: ReadonlyMap<Value, Affine>,
  fixed: ReadonlySet<Value>,
): Affine | undefined {
  const { op, inputs, attrs, outputs } = node
  const reads = inputs.filter((input) => !fixed.has(input))
  const onlyFirst = reads.length === 1 && reads[0] === inputs[0]
  const isAffine = op.name === 'add' || (['conv', 'resize'].includes(op.name) && onlyFirst)
  if (!isAffine || ![...reads, outputs[0]!].every(isSmall)) return undefined
  const parts = reads.map((input) => known.get(input))
  return {
    roots: [...new Set(reads.flatMap((input, i) => parts[i]?.roots ?? [input]))],
    apply: (of) => {
      const given = inputs.map((input) =>
        fixed.has(input) ? input : (known.get(input)?.apply(of) ?? of.get(input)!),
      )
      return node.outputs[0]!.graph.apply(op, given, attrs)[0]!
    },
    worthwhile: op.name !== 'add' || parts.some((part) => part?.worthwhile),
  }
}

function affineProduct({ graph, shape }: Value, { roots, apply }: Affine): Value {
  const sizes = roots.map((root) => sizeOf(root.shape))
  const total = sizes.reduce((a, b) => a + b)
  const results = sizeOf(shape)
  let before = 0
  const units = roots.map((root, i) => {
    const data = new Float32Array(total * sizes[i]!)
    for (let j = 0; j < sizes[i]!; j++) data[(before + j) * sizes[i]! + j] = 1
    before += sizes[i]!
    return [root, constant(graph, floats(data, [total, ...root.shape.slice(1)]))] as const
  })
  const zeros = roots.map(
    (root) => [root, constant(graph, floats(new Float32Array(sizeOf(root.shape)), root.shape))] as const,
  )
  const b = reshape(apply(new Map(zeros)), [1, results])
  const a = sub(reshape(apply(new Map(units)), [total, results]), b)
  const flat = roots.map((root) => flattened(root) ?? reshape(root, [1, sizeOf(root.shape)]))
  return reshape(add(matmul(flat.length === 1 ? flat[0]! : concat(flat, 1), a), b), shape)
}

/** What a map is a reshaped row of. */
function flattened(map: Value): Value | undefined {
  const row = madeBy(map, 'reshape')?.inputs[0]
  return row !== undefined && row.shape.length === 2 && row.shape[0] === 1 ? row : undefined
}

/** ReLU before the row becomes a map again: right behind its product, ONNX Runtime makes one call of both. */
function rectified(map: Value): Value | undefined {
  const row = flattened(map)
  return row && reshape(relu(row), map.shape)
}
