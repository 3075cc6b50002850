import type { Value } from '../graph.ts'
import type { OpDef } from '../op.ts'
import { refuse } from '../op.ts'
import { ints, sizeOf, stridesOf } from '../tensor.ts'
import { expand } from './arithmetic.ts'
import { indices, scatterAdd } from './gather.ts'
import { describe, forStrided, normalAxis } from './support.ts'

/** Whole slices along an axis, at places that are known: ONNX's Gather. */

type TakeAttrs = { readonly axis: number; readonly places: readonly number[] }

export const takeOp: OpDef<TakeAttrs> = {
  name: 'take',
  infer([x], { axis, places }) {
    const size = x!.shape[axis]!
    if (!places.every((place) => Number.isInteger(place) && place >= 0 && place < size)) {
      refuse('a place is outside of the axis', { got: `${describe([x!])} along axis ${axis}` })
    }
    return [{ dtype: x!.dtype, shape: x!.shape.with(axis, places.length) }]
  },
  emit: (onnx, [x], { axis, places }) => onnx.node('Gather', [x!, onnx.constant(ints(places))], { axis }),
  gradient({ grad, inputs: [x], attrs: { axis, places } }) {
    const along = grad.shape.map((_, i) => (i === axis ? places.length : 1))
    const index = expand(indices(grad.graph, places, along), grad.shape)
    return [scatterAdd(index, grad, axis, x!.shape[axis]!)]
  },
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
