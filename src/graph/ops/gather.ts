import type { TensorType, Value } from '../graph.ts'
import { type OpDef, type Plain, refuse } from '../op.ts'
import { sizeOf, stridesOf, tensor } from '../tensor.ts'
import { constant } from './leaf.ts'
import { describe, forStrided, normalAxis } from './support.ts'

/** Reading and adding at indices along one axis: each is the other's gradient. */

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
