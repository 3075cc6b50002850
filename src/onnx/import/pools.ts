import type { Value } from '../../graph/graph.ts'
import { div, expand, reduceMean } from '../../graph/ops/arithmetic.ts'
import { constant } from '../../graph/ops/leaf.ts'
import { averagePool, maxPool, type PoolOptions } from '../../graph/ops/pool.ts'
import { scalar } from '../../graph/tensor.ts'
import { geometryOf, sizes } from './geometry.ts'
import type { Importers, OnnxNode } from './node.ts'

/** Pooling over windows and over whole images. */

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
