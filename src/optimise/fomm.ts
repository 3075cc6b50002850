// Rewrites for what only the First Order Motion Model has: its anti-alias filter or the means in its place, its jacobian maps,
// the few channels of the picture that it joins to many, and its samples.

import type { Graph, Node, Value } from '../graph/graph.ts'
import { add, expand, mul } from '../graph/ops/arithmetic.ts'
import { constant, parameterInfo } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { resize } from '../graph/ops/pool.ts'
import { gridSample, gridSampleOp, pixelPlaces, sampleShifted } from '../graph/ops/sampling.ts'
import { concat, pad, reshape, reverse, sliceAxis, split, stack, transpose } from '../graph/ops/shape.ts'
import { isPlainConv, madeBy, numbers, rewrite } from '../graph/rewrite.ts'
import { floats, type Tensor } from '../graph/tensor.ts'

/**
 * A depthwise filter whose kernel is the same in every channel and a column times a row, as a Gaussian is, acts
 * on rows and columns in turn; with its stride and its zeros at the border each of the two is a product with a
 * banded matrix. FOMM's anti-alias filter has 169 taps per pixel; the products take a twentieth of the time.
 *
 * Kernels that are not of this kind stay as they are.
 *
 * @param weights by name: the kernel's numbers decide
 */
export function filterAsProduct(graph: Graph, weights: ReadonlyMap<string, Tensor>): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const found = node.op.name === 'conv' ? separable(node, weights) : undefined
    if (found === undefined) return undefined
    const [, , height, width] = inputs[0]!.shape as [number, number, number, number]
    const [, , h, w] = node.outputs[0]!.shape as [number, number, number, number]
    const [top, left] = numbers(node.attrs.pads) as [number, number]
    const [down, right] = numbers(node.attrs.strides) as [number, number]
    return target.within(node.scope, () => {
      const columns = banded(found.column, [h, height], down, top)
      const rows = banded(found.row, [w, width], right, left)
      const across = matmul(inputs[0]!, matrix(target, transposed(rows, w, width), [width, w]))
      return [matmul(matrix(target, columns, [h, height]), across)]
    })
  })
}

const matrix = (graph: Value['graph'], data: Float32Array, [rows, columns]: readonly [number, number]) =>
  constant(graph, floats(data, [1, 1, rows, columns]))

interface Separable {
  readonly column: readonly number[]
  readonly row: readonly number[]
}

/** How far a product of column and row may be from the kernel, for its largest tap. */
const tolerance = 1e-6

function separable(node: Node, weights: ReadonlyMap<string, Tensor>): Separable | undefined {
  const { group, dilations } = node.attrs
  const kernel = node.inputs[1]!
  const info = parameterInfo(kernel.node)
  const stored = info && weights.get(info.name)?.data
  const [channels, perGroup, kh, kw] = kernel.shape as [number, number, number, number]
  const depthwise = group === channels && perGroup === 1 && channels === node.inputs[0]!.shape[1]
  if (stored === undefined || !depthwise || node.inputs.length > 2) return undefined
  if (numbers(dilations).some((rate) => rate !== 1) || kh * kw < 9) return undefined

  const data = Array.from(stored as ArrayLike<number | bigint>, Number)
  const tap = (y: number, x: number) => data[y * kw + x]!
  const column = Array.from({ length: kh }, (_, y) => sum(kw, (x) => tap(y, x)))
  const row = Array.from({ length: kw }, (_, x) => sum(kh, (y) => tap(y, x)))
  const total = column.reduce((a, b) => a + b, 0)
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const far = data.some((value, i) => {
    const at = i % (kh * kw)
    const product = (column[Math.floor(at / kw)]! * row[at % kw]!) / total
    return !(Math.abs(value - product) <= tolerance * largest)
  })
  return far ? undefined : { column: column.map((value) => value / total), row }
}

const sum = (length: number, of: (i: number) => number) =>
  Array.from({ length }, (_, i) => of(i)).reduce((a, b) => a + b, 0)

/** [results, pixels]: row i has the line's taps where it reads. */
function banded(
  line: readonly number[],
  [results, pixels]: readonly [number, number],
  stride: number,
  before: number,
): Float32Array {
  const data = new Float32Array(results * pixels)
  for (let i = 0; i < results; i++) {
    line.forEach((tap, t) => {
      const at = i * stride + t - before
      if (at >= 0 && at < pixels) data[i * pixels + at] = tap
    })
  }
  return data
}

function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!
  return out
}

/**
 * The mean of squares of 2x2 pixels is what bilinear resizing to half the size computes, in 0.4 of the time. Means of larger
 * squares stay as they are: two resizings take longer.
 */
export function halvedByResizing(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const squares = node.op.name === 'reduceMean' ? madeBy(node.inputs[0]!, 'reshape') : undefined
    const shape = squares?.inputs[0]?.shape ?? []
    if (shape.length !== 4 || shape.some((side, i) => i > 1 && side % 2 !== 0)) return undefined
    const [n, c, h, w] = shape as [number, number, number, number]
    const halves = [n, c, h / 2, 2, w / 2, 2]
    if (String(node.inputs[0]!.shape) !== String(halves) || String(node.attrs.axes) !== '3,5')
      return undefined
    return target.within(node.scope, () => {
      const x = inputs[0]!.node.inputs[0]!
      return [reshape(resize(x, [h / 2, w / 2], 'bilinear'), node.outputs[0]!.shape)]
    })
  })
}

/**
 * The published head makes four maps per keypoint by a 7x7 convolution, only to take their mean under the
 * keypoint's heatmap: Σ h · (W ∗ F). Both are linear, so the features are weighed first, W · (h ⋆ F), which is
 * as many products as the heatmaps' own convolution has instead of four times as many.
 *
 * h ⋆ F at all 7x7 shifts is one matrix product: heatmaps, shifted along rows, against features, cut at each
 * shift along columns.
 */
export function poolBeforeJacobian(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const found = node.op.name === 'reduceSum' ? weighedConv(node, inputs) : undefined
    return found && target.within(node.scope, () => [pooled(found)])
  })
}

interface WeighedConv {
  /** [1, K, h, w], in any shape */
  readonly heatmap: Value
  /** [h, w] */
  readonly size: readonly [number, number]
  /** [1, F, H, W] */
  readonly features: Value
  /** [4 K, F, kh, kw] */
  readonly kernel: Value
  readonly bias: Value
}

/** reduceSum(heatmap as [1, K, 1, h w] · conv as [1, K, 4, h w], the last axis). */
function weighedConv(node: Node, inputs: readonly Value[]): WeighedConv | undefined {
  const product = madeBy(inputs[0], 'mul')
  const [weights, maps] = (product?.inputs ?? []).map((value) => madeBy(value, 'reshape'))
  const conv = maps?.inputs[0]?.node
  const heatmap = weights?.inputs[0]
  if (conv === undefined || heatmap === undefined || !isPlainConv(conv) || conv.inputs.length < 3)
    return undefined
  const [features, kernel, bias] = conv.inputs as [Value, Value, Value]
  const [n, k, , pixels] = product!.outputs[0]!.shape
  const [, , h, w] = conv.outputs[0]!.shape as [number, number, number, number]
  const fits =
    n === 1 &&
    String(numbers(node.attrs.axes)) === '3' &&
    product!.outputs[0]!.shape[2] === 4 &&
    kernel.shape[0] === 4 * k! &&
    String(weights!.outputs[0]!.shape) === String([n, k, 1, h * w]) &&
    pixels === h * w &&
    String(conv.attrs.pads) === '0,0,0,0'
  return fits ? { heatmap, size: [h, w], features, kernel, bias } : undefined
}

/** @returns [1, K, 4] */
function pooled({ heatmap, size: [h, w], features, kernel, bias }: WeighedConv): Value {
  const k = kernel.shape[0]! / 4
  const [, f, , width] = features.shape as [number, number, number, number]
  const [kh, kw] = kernel.shape.slice(2) as [number, number]
  const line = h * width

  const maps = reshape(heatmap, [1, k, h, w])
  const shifted = Array.from({ length: kw }, (_, dx) => pad(maps, [0, 0, 0, dx], [0, 0, 0, kw - 1 - dx]))
  const heatmaps = reshape(stack(shifted, 2), [k * kw, line])
  const rows = reshape(features, [f, -1])
  const cuts = Array.from({ length: kh }, (_, dy) => sliceAxis(rows, 1, dy * width, dy * width + line))
  const sums = matmul(concat(cuts, 0), transpose(heatmaps, [1, 0]))
  const byShift = stack(split(sums, 0, new Array<number>(kh).fill(f)), 0)
  // [kh, F, K, kw] to the order of the kernel's own axes.
  const patches = reshape(transpose(reshape(byShift, [kh, f, k, kw]), [2, 1, 0, 3]), [k, f * kh * kw, 1])
  const found = matmul(reshape(kernel, [k, 4, f * kh * kw]), patches)
  return reshape(add(found, reshape(bias, [k, 4, 1])), [1, k, 4])
}

/**
 * A convolution of joined maps is the sum of their convolutions. ONNX Runtime's fast kernels on the CPU work on
 * blocks of sixteen channels; a few channels joined to many (FOMM's features are 32 and the picture's 3) keep
 * them from all. So the many go on their own, and results are filled up to whole blocks.
 */
export function splitJoined(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const [joined, kernel, bias] = inputs as [Value, Value, Value | undefined]
    const parts = isPlainConv(node) ? madeBy(joined, 'concat') : undefined
    if (parts?.attrs.axis !== 1 || parts.inputs.length !== 2) return undefined
    const [many, few] = parts.inputs as [Value, Value]
    const channels = many.shape[1]!
    const worthwhile =
      channels % block === 0 && few.shape[1]! < block && kernel.shape[2]! * kernel.shape[3]! > 9
    if (!worthwhile || bias === undefined) return undefined
    const outputs = kernel.shape[0]!
    const missing = (block - (outputs % block)) % block
    return target.within(node.scope, () => {
      const whole = pad(kernel, [0, 0, 0, 0], [missing, 0, 0, 0])
      const own = (x: Value, from: number, to: number, b: readonly Value[]) =>
        target.apply(node.op, [x, sliceAxis(whole, 1, from, to), ...b], node.attrs)[0]!
      const first = own(many, 0, channels, [pad(bias, [0], [missing])])
      const second = own(few, channels, kernel.shape[1]!, [])
      return [sliceAxis(add(first, second), 1, 0, outputs)]
    })
  })
}

const block = 16

type SampleAttrs = { readonly alignCorners: boolean }

/**
 * The graph with samples by shifts where results are not smaller than images. That takes a third to a seventh of GridSample's
 * time on a CPU, because GridSample computes each point once for each channel.
 */
export const samplesByShifts = (graph: Graph): Graph =>
  rewrite(imagesApart(graph), (node, [x, grid], target) => {
    if (node.op !== gridSampleOp) return undefined
    const { alignCorners } = node.attrs as SampleAttrs
    const [height, width] = x!.shape.slice(2) as [number, number]
    const [tall, wide] = grid!.shape.slice(1, 3) as [number, number]
    // Of an image that is turned about its diagonal, rows are x and columns y, as in the grid.
    const isTurned = tall >= width && wide >= height
    if (!isTurned && (tall < height || wide < width)) return undefined
    return target.within(node.scope, () => {
      const scales = [width, height].map((size) => (alignCorners ? size - 1 : size) / 2)
      const start = (axis: 0 | 1) => scales[axis]! - (alignCorners ? 0 : 0.5)
      const pixels = mul(transpose(grid!, [0, 3, 1, 2]), constant(target, floats(scales, [1, 2, 1, 1])))
      const size = [tall, wide] as const
      if (isTurned) {
        const own = pixelPlaces(target, size, (axis, at) => start(axis) - at)
        return [sampleShifted(transpose(x!, [0, 1, 3, 2]), add(pixels, own))]
      }
      const own = pixelPlaces(target, size, (axis, at) => start(axis === 0 ? 1 : 0) - at)
      return [sampleShifted(x!, add(reverse(pixels, [1]), own))]
    })
  })

/** K samples of one image, which are written as one tall sample, as one sample of each of K images. */
const imagesApart = (graph: Graph): Graph =>
  rewrite(graph, (node, [apart], target) => {
    const flat = node.op.name === 'transpose' ? madeBy(apart, 'reshape')?.inputs[0] : undefined
    const sample = madeBy(flat, gridSampleOp.name)
    const order = numbers(node.attrs.order)
    if (sample === undefined || order.join() !== '0,2,1,3,4' || apart!.shape[1] !== flat!.shape[1])
      return undefined
    const [x, grid] = sample.inputs as [Value, Value]
    const [n, c, k, h, w] = apart!.shape as [number, number, number, number, number]
    return target.within(node.scope, () => {
      const images = expand(reshape(x, [n, 1, ...x.shape.slice(1)]), [n, k, ...x.shape.slice(1)])
      const points = reshape(grid, [n * k, h, w, 2])
      const sampled = gridSample(
        reshape(images, [n * k, ...x.shape.slice(1)]),
        points,
        sample.attrs as SampleAttrs,
      )
      return [reshape(sampled, [n, k, c, h, w])]
    })
  })
