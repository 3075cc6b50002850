// Importers of convolutions, pools, matrix products and batch normalisation, and of resizing and sampling of images.
import type { Value } from '../../graph/graph.ts'
import { add, div, expand, mul, reduceMean, sub } from '../../graph/ops/arithmetic.ts'
import { conv, convTranspose } from '../../graph/ops/conv.ts'
import { constant } from '../../graph/ops/leaf.ts'
import { matmul, transposeLast } from '../../graph/ops/linear.ts'
import { normalise } from '../../graph/ops/normalise.ts'
import { averagePool, maxPool, type PoolOptions, type ResizeMode, resize } from '../../graph/ops/pool.ts'
import { gridSample } from '../../graph/ops/sampling.ts'
import { reshape } from '../../graph/ops/shape.ts'
import { sqrt } from '../../graph/ops/unary.ts'
import { scalar } from '../../graph/tensor.ts'
import type { Importers, OnnxNode } from './node.ts'

/** How a window moves over an image, read from the attributes that Conv and the pools share. */
interface Geometry {
  readonly strides: readonly [number, number]
  /** Rows and columns added at the top, left, bottom and right. */
  readonly pads: readonly [number, number, number, number]
  readonly dilations: readonly [number, number]
}

/** No real network comes near it, and memory is safe below it. */
const largest = 1 << 14

/** @throws FormatError unless the attribute holds `count` whole numbers from `least` on. */
export function sizes(node: OnnxNode, name: string, count: number, least: number): number[] | undefined {
  const list = node.ints(name)
  if (list === undefined || (list.length === count && list.every((n) => n >= least && n <= largest)))
    return list
  return node.refuse(`the attribute "${name}" does not fit an image`, {
    got: `[${list.slice(0, 8).join(', ')}]`,
    expected: `${count} whole numbers from ${least} to ${largest}`,
  })
}

/** The pair of an attribute, or the same number twice. */
export function pair(node: OnnxNode, name: string, fallback: number): [number, number] {
  const list = sizes(node, name, 2, 1)
  return list === undefined ? [fallback, fallback] : [list[0]!, list[1]!]
}

/** @param kernel height and width of the window @param image shape [N, C, H, W] */
export function geometryOf(node: OnnxNode, kernel: readonly number[], image: readonly number[]): Geometry {
  const strides = pair(node, 'strides', 1)
  const dilations = pair(node, 'dilations', 1)
  const [top = 0, left = 0, bottom = 0, right = 0] = sizes(node, 'pads', 4, 0) ?? []
  const auto = node.text('auto_pad', 'NOTSET')
  if (auto === 'NOTSET') return { strides, dilations, pads: [top, left, bottom, right] }
  if (auto === 'VALID') return { strides, dilations, pads: [0, 0, 0, 0] }
  if (auto !== 'SAME_UPPER' && auto !== 'SAME_LOWER') node.refuse('an unknown auto_pad', { got: auto })
  const same = (axis: 0 | 1): [before: number, after: number] => {
    const size = image[2 + axis] ?? 1
    const reach = (kernel[axis]! - 1) * dilations[axis] + 1
    const total = Math.max(0, (Math.ceil(size / strides[axis]) - 1) * strides[axis] + reach - size)
    const less = Math.floor(total / 2)
    return auto === 'SAME_UPPER' ? [less, total - less] : [total - less, less]
  }
  const [rows, columns] = [same(0), same(1)]
  return { strides, dilations, pads: [rows[0], columns[0], rows[1], columns[1]] }
}

function importConv(node: OnnxNode): Value {
  const [x, w] = [node.input(0), node.input(1)]
  const geometry = geometryOf(node, w.shape.slice(2), x.shape)
  return conv(x, w, node.optional(2), { ...geometry, group: node.int('group', 1) })
}

function importConvTranspose(node: OnnxNode): Value {
  if (node.hasAttribute('output_shape') || node.text('auto_pad', 'NOTSET') !== 'NOTSET') {
    node.refuse('only a ConvTranspose with written pads is known', { remedy: 'export it with pads' })
  }
  const [x, w] = [node.input(0), node.input(1)]
  const [bottom = 0, right = 0] = sizes(node, 'output_padding', 2, 0) ?? []
  const geometry = geometryOf(node, w.shape.slice(2), x.shape)
  const group = node.int('group', 1)
  return convTranspose(x, w, node.optional(2), { ...geometry, group, outputPadding: [bottom, right] })
}

/** alpha A B + beta C, with A and B transposed where told. */
function importGemm(node: OnnxNode): Value {
  const matrix = (index: number, flag: string) => {
    const value = node.input(index)
    if (value.shape.length !== 2) node.refuse(`input ${index} of Gemm is no matrix`)
    return node.int(flag, 0) === 0 ? value : transposeLast(value)
  }
  const scaled = (x: Value, by: number) => (by === 1 ? x : mul(x, by))
  const product = scaled(matmul(matrix(0, 'transA'), matrix(1, 'transB')), node.float('alpha', 1))
  const bias = node.optional(2)
  return bias === undefined ? product : add(product, scaled(bias, node.float('beta', 1)))
}

function importMatMul(node: OnnxNode): Value {
  const [a, b] = [node.input(0), node.input(1)]
  if (a.shape.length > 1 && b.shape.length > 1) return matmul(a, b)
  // A vector is a row on the left and a column on the right; its axis goes from the result.
  const row = a.shape.length === 1 ? reshape(a, [1, -1]) : a
  const column = b.shape.length === 1 ? reshape(b, [-1, 1]) : b
  const product = matmul(row, column)
  const rank = product.shape.length
  const gone = (i: number) =>
    (a.shape.length === 1 && i === rank - 2) || (b.shape.length === 1 && i === rank - 1)
  return reshape(
    product,
    product.shape.filter((_, i) => !gone(i)),
  )
}

function importBatchNormalization(node: OnnxNode): Value {
  if (node.int('training_mode', 0) !== 0) {
    node.refuse('the model is in training mode', { remedy: 'export it in evaluation mode' })
  }
  const x = node.input(0)
  const [gamma, beta, mean, variance] = [node.input(1), node.input(2), node.input(3), node.input(4)]
  const epsilon = node.float('epsilon', 1e-5)
  if (x.shape.length === 4) return normalise(x, { gamma, beta, mean, variance }, epsilon)
  const wide = (vector: Value) => reshape(vector, [-1, ...x.shape.slice(2).map(() => 1)])
  const scale = div(gamma, sqrt(add(variance, epsilon)))
  return add(mul(sub(x, wide(mean)), wide(scale)), wide(beta))
}

export const linear: Importers = {
  BatchNormalization: importBatchNormalization,
  Conv: importConv,
  ConvTranspose: importConvTranspose,
  Gemm: importGemm,
  MatMul: importMatMul,
}

interface Window extends Required<PoolOptions> {
  readonly kernel: readonly [number, number]
}

function windowOf(node: OnnxNode, image: readonly number[]): Window {
  const [height, width] =
    sizes(node, 'kernel_shape', 2, 1) ?? node.refuse(`${node.type} lacks its kernel_shape`)
  const kernel = [height!, width!] as const
  const { strides, pads, dilations } = geometryOf(node, kernel, image)
  if (dilations.some((dilation) => dilation !== 1)) node.refuse('a pool with dilations is not known')
  if (node.int('ceil_mode', 0) === 0) return { kernel, strides, pads }
  // A last window that is not full is made full by padding, unless it would start in the padding.
  const more = (axis: 0 | 1) => {
    const size = image[2 + axis]! + pads[axis] + pads[axis + 2]!
    const count = Math.ceil((size - kernel[axis]) / strides[axis])
    const startsInside = count * strides[axis] < image[2 + axis]! + pads[axis]
    return startsInside ? Math.max(0, count * strides[axis] + kernel[axis] - size) : 0
  }
  return { kernel, strides, pads: [pads[0], pads[1], pads[2] + more(0), pads[3] + more(1)] }
}

function image(node: OnnxNode): Value {
  const x = node.input(0)
  return x.shape.length === 4
    ? x
    : node.refuse('only images [N, C, H, W] are pooled', { got: `${x.shape.length} axes` })
}

function importMaxPool(node: OnnxNode): Value[] {
  const x = image(node)
  const { kernel, ...options } = windowOf(node, x.shape)
  if (node.int('storage_order', 0) !== 0) node.refuse('indices in column order are not known')
  const { value, index } = maxPool(x, kernel, options)
  return [value, index]
}

function importAveragePool(node: OnnxNode): Value {
  const x = image(node)
  const { kernel, ...options } = windowOf(node, x.shape)
  const mean = averagePool(x, kernel, options)
  if (options.pads.every((count) => count === 0)) return mean
  const countsPadding = node.int('count_include_pad', 0) !== 0
  if (countsPadding && node.int('ceil_mode', 0) === 0) return mean
  if (countsPadding) node.refuse('an average pool with ceil_mode that counts its padding is not known')
  const ones = expand(constant(node.graph, scalar(1)), [1, 1, ...x.shape.slice(2)])
  return div(mean, averagePool(ones, kernel, options))
}

export const pools: Importers = {
  AveragePool: importAveragePool,
  GlobalAveragePool: (node) => {
    const x = image(node)
    return reduceMean(x, [2, 3], { keep: true })
  },
  GlobalMaxPool: (node) => {
    const x = image(node)
    return maxPool(x, [x.shape[2]!, x.shape[3]!]).value
  },
  MaxPool: importMaxPool,
}

function importResize(node: OnnxNode): Value {
  const x = node.input(0)
  const [height, width] = x.shape.slice(2)
  if (x.shape.length !== 4)
    node.refuse('only images [N, C, H, W] are resized', { got: `${x.shape.length} axes` })
  if (
    node.hasAttribute('axes') ||
    node.int('antialias', 0) !== 0 ||
    node.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch'
  ) {
    node.refuse('a Resize with axes, antialias or a kept aspect ratio is not known')
  }
  const size = sizeAfter(node, x.shape)
  const factors = [size[0] / height!, size[1] / width!] as const
  return resize(x, size, node.type === 'Upsample' ? upsampleMode(node) : modeOf(node, factors))
}

/** Height and width of the result, from the sizes or the scales that are given. */
function sizeAfter(node: OnnxNode, shape: readonly number[]): [number, number] {
  const given = node.type === 'Upsample' ? undefined : node.numbers(3)
  const scales = node.floats('scales') ?? node.numbers(node.type === 'Upsample' || node.opset < 11 ? 1 : 2)
  const sizes = given?.length ? given : shape.map((n, i) => n * (scales?.[i] ?? Number.NaN))
  const ok =
    sizes.length === 4 && sizes.every(Number.isInteger) && sizes[0] === shape[0] && sizes[1] === shape[1]
  if (!ok) {
    node.refuse('a Resize does not lead to a whole height and width', {
      got: `[${sizes.slice(0, 8).join(', ')}] from [${shape.join(', ')}]`,
      expected: 'the same batch and channels, and whole numbers of rows and columns',
    })
  }
  return [sizes[2]!, sizes[3]!]
}

function modeOf(node: OnnxNode, factors: readonly number[]): ResizeMode {
  const mode = node.text('mode', 'nearest')
  // Before opset 11 there was one way to match coordinates.
  const coordinates =
    node.opset < 11 ? 'asymmetric' : node.text('coordinate_transformation_mode', 'half_pixel')
  const rounding = node.opset < 11 ? 'floor' : node.text('nearest_mode', 'round_prefer_floor')
  if (mode === 'linear' && /^(pytorch_)?half_pixel$/.test(coordinates)) return 'bilinear'
  if (mode === 'linear' && coordinates === 'align_corners') return 'bilinear-corners'
  if (mode === 'nearest') {
    if (coordinates === 'asymmetric' && rounding === 'floor') return 'nearest'
    // For whole factors both ways read the same pixels.
    const whole = factors.every(Number.isInteger)
    if (whole && coordinates === 'half_pixel' && rounding.startsWith('round')) return 'nearest'
  }
  return node.refuse('an unknown way to resize', {
    got: `${mode}, ${coordinates}, ${rounding}`,
    expected: 'nearest (asymmetric, floor) or linear (half_pixel or align_corners)',
  })
}

function upsampleMode(node: OnnxNode): ResizeMode {
  const mode = node.text('mode', 'nearest')
  return mode === 'nearest'
    ? mode
    : node.refuse('only an Upsample by nearest neighbour is known', { got: mode })
}

function importGridSample(node: OnnxNode): Value {
  const mode = node.text('mode', 'linear')
  const padding = node.text('padding_mode', 'zeros')
  if (mode !== 'linear' && mode !== 'bilinear')
    node.refuse('only a bilinear GridSample is known', { got: mode })
  if (padding !== 'zeros' && padding !== 'reflection') {
    return node.refuse('an unknown padding of GridSample', { got: padding, expected: 'zeros or reflection' })
  }
  return gridSample(node.input(0), node.input(1), {
    alignCorners: node.int('align_corners', 0) === 1,
    padding,
  })
}

export const resampling: Importers = {
  GridSample: importGridSample,
  Resize: importResize,
  Upsample: importResize,
}
