// Reading and adding at indices along one axis. `gather` and `scatterAdd` are each other's gradients, and so are `gatherRows` and
// `scatterAddRows`, for whole rows; `take` reads whole slices at places that are known when the graph is built.

import type { TensorType, Value } from '../graph.ts'
import { type OpDef, type Plain, refuse } from '../op.ts'
import { ints, sizeOf, stridesOf, tensor } from '../tensor.ts'
import { expand } from './arithmetic.ts'
import { constant } from './leaf.ts'
import { describe, forStrided, normalAxis } from './support.ts'

type GatherAttrs = { readonly axis: number }

function checkIndex(type: TensorType | undefined, what: string): TensorType {
  if (type?.dtype !== 'int64')
    refuse(`${what} takes int64 indices`, { got: type ? describe([type]) : 'none' })
  return type
}

export const gatherOp: OpDef<GatherAttrs> = {
  name: 'gather',
  infer([x, index], { axis }) {
    checkIndex(index, 'gather')
    const fits = x!.shape.length === index!.shape.length
    if (!fits || x!.shape.some((n, i) => i !== axis && n !== index!.shape[i])) {
      refuse('the indices have another shape than the values, off the axis', {
        got: `${describe([x!, index!])} along axis ${axis}`,
      })
    }
    return [{ dtype: x!.dtype, shape: index!.shape }]
  },
  emit: (onnx, inputs, { axis }) => onnx.node('GatherElements', inputs, { axis }),
  gradient: ({ grad, inputs: [x, index], attrs: { axis } }) => [
    scatterAdd(index!, grad, axis, x!.shape[axis]!),
    undefined,
  ],
  cost: 'results',
  reach: 'picture',
  words: 'gather',
  reference([x, index], { axis }) {
    const out = new Float64Array(index!.data.length)
    forIndexed(index!, axis, x!.shape, (i, at) => {
      out[i] = x!.data[at]!
    })
    return [out]
  },
}

/** result[.., i, ..] = x[.., index[.., i, ..], ..] along `axis`; x and index agree in the other axes. */
export function gather(x: Value, index: Value, axis: number): Value {
  return x.graph.apply(gatherOp, [x, index], { axis: normalAxis(axis, x.shape.length) })[0]!
}

export const gatherRowsOp: OpDef = {
  name: 'gatherRows',
  infer([x, index]) {
    checkIndex(index, 'gatherRows')
    if (x!.shape.length !== 3 || index!.shape.length !== 2 || x!.shape[0] !== index!.shape[0]) {
      refuse('rows are those of matrices, with a list of indices for each', { got: describe([x!, index!]) })
    }
    return [{ dtype: x!.dtype, shape: [...index!.shape, x!.shape[2]!] }]
  },
  emit: (onnx, [x, index], _, node) => {
    const each = onnx.constant(ints([...node.inputs[1]!.shape, 1]))
    return onnx.node('GatherND', [x!, ...onnx.node('Reshape', [index!, each])], { batch_dims: 1 })
  },
  gradient: ({ grad, inputs: [x, index] }) => [scatterAddRows(index!, grad, x!.shape[1]!), undefined],
  cost: 'results',
  reach: 'picture',
  words: 'gather',
  reference([x, index], _, [type]) {
    const [, rows, columns] = x!.shape as [number, number, number]
    const out = new Float64Array(sizeOf(type!.shape))
    index!.data.forEach((row, i) => {
      const matrix = Math.floor(i / index!.shape[1]!)
      for (let j = 0; j < columns; j++) out[i * columns + j] = x!.data[(matrix * rows + row) * columns + j]!
    })
    return [out]
  },
}

/** The rows of each matrix of x [N, M, C] at these indices, int64 [N, K]: [N, K, C]. */
export function gatherRows(x: Value, index: Value): Value {
  return x.graph.apply(gatherRowsOp, [x, index], {})[0]!
}

type RowsAttrs = { readonly rows: number }

export const scatterAddRowsOp: OpDef<RowsAttrs> = {
  name: 'scatterAddRows',
  infer([index, updates], { rows }) {
    checkIndex(index, 'scatterAddRows')
    const fits = updates?.dtype === 'float32' && updates.shape.length === 3 && index!.shape.length === 2
    if (!fits || String(updates.shape.slice(0, 2)) !== String(index!.shape)) {
      refuse('each row needs an index', { got: describe([index!, updates!]) })
    }
    return [{ dtype: 'float32', shape: [index!.shape[0]!, rows, updates.shape[2]!] }]
  },
  emit(onnx, [index, updates], { rows }, node) {
    const [n, count, columns] = node.inputs[1]!.shape as [number, number, number]
    const one = (type: string, inputs: readonly string[], attributes = {}) =>
      onnx.node(type, inputs, attributes)[0]!
    const shaped = (x: string, shape: readonly number[]) => one('Reshape', [x, onnx.constant(ints(shape))])
    if (onnx.oneThread) {
      // Whole rows are added. On more than one thread, ONNX Runtime (seen with 1.32) loses some of these sums.
      const first = ints(
        Array.from({ length: n }, (_, i) => i * rows),
        [n, 1],
      )
      const at = shaped(one('Add', [index!, onnx.constant(first)]), [n * count, 1])
      const zeros = one('ConstantOfShape', [onnx.constant(ints([n * rows, columns]))])
      const sums = one('ScatterND', [zeros, at, shaped(updates!, [n * count, columns])], { reduction: 'add' })
      return [shaped(sums, [n, rows, columns])]
    }
    // Number by number, columns one after the other: row by row takes three times as long.
    const each = one('Expand', [shaped(index!, [n, 1, count]), onnx.constant(ints([n, columns, count]))])
    const zeros = one('ConstantOfShape', [onnx.constant(ints([n, columns, rows]))])
    const turned = one('Transpose', [updates!], { perm: [0, 2, 1] })
    const sums = one('ScatterElements', [zeros, each, turned], { axis: 2, reduction: 'add' })
    return [one('Transpose', [sums], { perm: [0, 2, 1] })]
  },
  gradient: ({ grad, inputs: [index] }) => [undefined, gatherRows(grad, index!)],
  cost: 'results',
  reach: 'picture',
  words: 'scatterAdd',
  reference([index, updates], { rows }, [type]) {
    const out = new Float64Array(sizeOf(type!.shape))
    const [, count, columns] = updates!.shape as [number, number, number]
    index!.data.forEach((row, i) => {
      const first = (Math.floor(i / count) * rows + row) * columns
      for (let j = 0; j < columns; j++) out[first + j]! += updates!.data[i * columns + j]!
    })
    return [out]
  },
}

/** Matrices of zeros [N, rows, C], to whose rows at these indices, int64 [N, K], the updates [N, K, C] are added. */
export function scatterAddRows(index: Value, updates: Value, rows: number): Value {
  return index.graph.apply(scatterAddRowsOp, [index, updates], { rows })[0]!
}

type ScatterAttrs = { readonly axis: number; readonly size: number }

export const scatterAddOp: OpDef<ScatterAttrs> = {
  name: 'scatterAdd',
  infer([index, updates], { axis, size }) {
    checkIndex(index, 'scatterAdd')
    if (updates?.dtype !== 'float32' || String(updates.shape) !== String(index!.shape)) {
      refuse('the indices have another shape than the updates', { got: describe([index!, updates!]) })
    }
    return [{ dtype: 'float32', shape: updates.shape.map((n, i) => (i === axis ? size : n)) }]
  },
  emit(onnx, [index, updates], { axis }, node) {
    const { shape } = node.outputs[0]!
    const zeros = onnx.node('ConstantOfShape', [
      onnx.constant(tensor('int64', [shape.length], BigInt64Array.from(shape, BigInt))),
    ])
    return onnx.node('ScatterElements', [zeros[0]!, index!, updates!], { axis, reduction: 'add' })
  },
  gradient: ({ grad, inputs: [index], attrs: { axis } }) => [undefined, gather(grad, index!, axis)],
  cost: 'results',
  reach: 'picture',
  words: 'scatterAdd',
  reference([index, updates], { axis }, [type]) {
    const out = new Float64Array(sizeOf(type!.shape))
    forIndexed(index!, axis, type!.shape, (i, at) => {
      out[at]! += updates!.data[i]!
    })
    return [out]
  },
}

/** Zeros of length `size` along `axis`, to which each update is added at its index. */
export function scatterAdd(index: Value, updates: Value, axis: number, size: number): Value {
  const at = normalAxis(axis, index.shape.length)
  return index.graph.apply(scatterAddOp, [index, updates], { axis: at, size })[0]!
}

/** Visits each index with its own place and the place it points to in an array of shape `shape`. */
function forIndexed(
  index: Plain,
  axis: number,
  shape: readonly number[],
  visit: (i: number, at: number) => void,
): void {
  const strides = stridesOf(shape)
  const others = strides.map((stride, i) => (i === axis ? 0 : stride))
  forStrided(index.shape, others, 0, (i, base) => visit(i, base + index.data[i]! * strides[axis]!))
}

/** The whole numbers 0 to n - 1, as an int64 constant of this shape. */
export function indices(graph: Value['graph'], values: readonly number[], shape: readonly number[]): Value {
  return constant(graph, tensor('int64', shape, BigInt64Array.from(values, BigInt)))
}

type TakeAttrs = { readonly axis: number; readonly places: readonly number[] }

export const takeOp: OpDef<TakeAttrs> = {
  name: 'take',
  infer([x], { axis, places }) {
    const size = x!.shape[axis]!
    const isThere = (place: number) => Number.isInteger(place) && place >= 0 && place < size
    if (places.length === 0 || !places.every(isThere)) {
      refuse('there are no places, or one is outside of the axis', {
        got: `${describe([x!])} along axis ${axis}`,
      })
    }
    return [{ dtype: x!.dtype, shape: x!.shape.with(axis, places.length) }]
  },
  emit: (onnx, [x], { axis, places }) => onnx.node('Gather', [x!, onnx.constant(ints(places))], { axis }),
  gradient({ grad, inputs: [x], attrs: { axis, places } }) {
    const along = grad.shape.map((_, i) => (i === axis ? places.length : 1))
    const index = expand(indices(grad.graph, places, along), grad.shape)
    return [scatterAdd(index, grad, axis, x!.shape[axis]!)]
  },
  cost: 'results',
  reach: 'picture',
  words: 'take',
  reference([x], { axis, places }, [type]) {
    const strides = stridesOf(x!.shape)
    const others = strides.map((stride, i) => (i === axis ? 0 : stride))
    const out = new Float64Array(sizeOf(type!.shape))
    const inner = sizeOf(type!.shape.slice(axis + 1))
    forStrided(type!.shape, others, 0, (i, base) => {
      out[i] = x!.data[base + places[Math.floor(i / inner) % places.length]! * strides[axis]!]!
    })
    return [out]
  },
}

/** The slices of x at these places along `axis`, in this order. */
export function take(x: Value, places: readonly number[], axis: number): Value {
  return x.graph.apply(takeOp, [x], { axis: normalAxis(axis, x.shape.length), places })[0]!
}
