// Ops that move elements without computing: reshape, transpose, slice, pad, concat.

import type { TensorType, Value } from '../graph.ts'
import { type OpDef, refuse } from '../op.ts'
import { formatShape, ints, type Shape, sameShape, scalar, sizeOf, stridesOf } from '../tensor.ts'
import { filled } from './leaf.ts'
import { describe, forStrided, normalAxis } from './support.ts'

type ReshapeAttrs = { readonly shape: Shape }

export const reshapeOp: OpDef<ReshapeAttrs> = {
  name: 'reshape',
  infer([x], { shape }) {
    if (x === undefined || sizeOf(x.shape) !== sizeOf(shape)) {
      refuse('a reshape keeps the number of elements', {
        got: `${x && describe([x])} to ${formatShape(shape)}`,
        expected: `${x && sizeOf(x.shape)} elements`,
      })
    }
    return [{ dtype: x.dtype, shape }]
  },
  emit: (onnx, [x], { shape }) => onnx.node('Reshape', [x!, onnx.constant(ints(shape))]),
  gradient: ({ grad, inputs }) => [reshape(grad, inputs[0]!.shape)],
  cost: 'nothing',
  reach: 'reshape',
  words: 'silent',
  reference: ([x]) => [x!.data],
}

/** The same elements under another shape. One axis may be -1: it takes the size that remains. */
export function reshape(x: Value, shape: Shape): Value {
  const known = shape.reduce((size, axis) => (axis === -1 ? size : size * axis), 1)
  const full = shape.map((axis) => (axis === -1 ? sizeOf(x.shape) / known : axis))
  if (sameShape(full, x.shape)) return x
  return x.graph.apply(reshapeOp, [x], { shape: full })[0]!
}

type TransposeAttrs = { readonly order: readonly number[] }

export const transposeOp: OpDef<TransposeAttrs> = {
  name: 'transpose',
  infer([x], { order }) {
    if (x === undefined || [...order].sort((a, b) => a - b).some((axis, i) => axis !== i)) {
      refuse('an order names every axis once', { got: `[${order.join(', ')}]` })
    }
    if (order.length !== x.shape.length) {
      refuse('an order names every axis once', { got: `[${order.join(', ')}] for ${describe([x])}` })
    }
    return [{ dtype: x.dtype, shape: order.map((axis) => x.shape[axis]!) }]
  },
  emit: (onnx, [x], { order }) => onnx.node('Transpose', [x!], { perm: order }),
  gradient: ({ grad, attrs: { order } }) => {
    const inverse = new Array<number>(order.length)
    order.forEach((axis, i) => {
      inverse[axis] = i
    })
    return [transpose(grad, inverse)]
  },
  cost: 'results',
  reach: ({ attrs: { order } }) => ({ by: 'order', order }),
  words: 'silent',
  reference([x], { order }, [type]) {
    const own = stridesOf(x!.shape)
    const out = new Float64Array(x!.data.length)
    const strides = order.map((axis) => own[axis]!)
    forStrided(type!.shape, strides, 0, (i, at) => {
      out[i] = x!.data[at]!
    })
    return [out]
  },
}

/** Axis i of the result is axis `order[i]` of `x`. */
export function transpose(x: Value, order: readonly number[]): Value {
  if (order.every((axis, i) => axis === i)) return x
  return x.graph.apply(transposeOp, [x], { order })[0]!
}

type SliceAttrs = {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  readonly steps: readonly number[]
}

export const sliceOp: OpDef<SliceAttrs> = {
  name: 'slice',
  infer([x], { starts, ends, steps }) {
    const ok =
      x !== undefined &&
      [starts, ends, steps].every((list) => list.length === x.shape.length) &&
      [starts, ends, steps].every((list) => list.every(Number.isInteger)) &&
      x.shape.every((n, i) => starts[i]! >= 0 && starts[i]! < ends[i]! && ends[i]! <= n && steps[i]! >= 1)
    if (!ok) {
      refuse('a slice lies outside of its input, or is empty', {
        got: `${x && describe([x])} from [${starts}] to [${ends}] by [${steps}]`,
        expected: 'whole numbers: for every axis, 0 <= start < end <= size and a step of 1 or more',
      })
    }
    return [{ dtype: x.dtype, shape: x.shape.map((_, i) => Math.ceil((ends[i]! - starts[i]!) / steps[i]!)) }]
  },
  emit(onnx, [x], { starts, ends, steps }, node) {
    // Only the axes that are cut: a kernel that walks four axes is slower than one that walks two.
    const shape = node.inputs[0]!.shape
    const axes = shape.flatMap((n, i) => (starts[i] === 0 && ends[i] === n && steps[i] === 1 ? [] : [i]))
    const pick = (list: readonly number[]) => onnx.constant(ints(axes.map((axis) => list[axis]!)))
    return onnx.node('Slice', [x!, pick(starts), pick(ends), onnx.constant(ints(axes)), pick(steps)])
  },
  gradient: ({ grad, inputs, attrs: { starts, steps } }) => {
    const full = inputs[0]!.shape
    const spread = spreadOut(grad, steps)
    // The last element of a stepped slice may stand before the end of the cut: what is missing is padded.
    const after = full.map((n, i) => n - starts[i]! - spread.shape[i]!)
    return [pad(spread, starts, after)]
  },
  cost: 'results',
  reach: ({ attrs: { steps } }) => ({ by: 'steps', steps }),
  words: 'slice',
  reference([x], { starts, steps }, [type]) {
    const own = stridesOf(x!.shape)
    const start = starts.reduce((sum, first, i) => sum + first * own[i]!, 0)
    const out = new Float64Array(sizeOf(type!.shape))
    const strides = own.map((stride, i) => stride * steps[i]!)
    forStrided(type!.shape, strides, start, (i, at) => {
      out[i] = x!.data[at]!
    })
    return [out]
  },
}

/** Elements `starts` (included) to `ends` (excluded) of each axis, every `steps`-th. */
export function slice(
  x: Value,
  starts: readonly number[],
  ends: readonly number[],
  steps: readonly number[] = starts.map(() => 1),
): Value {
  const whole = x.shape.every((n, i) => starts[i] === 0 && ends[i] === n && steps[i] === 1)
  return whole ? x : x.graph.apply(sliceOp, [x], { starts, ends, steps })[0]!
}

/** Elements `start` to `end` (excluded) of one axis. */
export function sliceAxis(x: Value, axis: number, start: number, end: number): Value {
  const at = normalAxis(axis, x.shape.length)
  const starts = x.shape.map((_, i) => (i === at ? start : 0))
  const ends = x.shape.map((n, i) => (i === at ? end : n))
  return slice(x, starts, ends)
}

/** Puts `step - 1` zeros between neighbours along each axis: n elements become (n - 1) * step + 1. */
function spreadOut(x: Value, steps: readonly number[]): Value {
  let result = x
  steps.forEach((step, axis) => {
    if (step === 1) return
    const shape = result.shape
    const n = shape[axis]!
    const columns = reshape(result, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)])
    const wide = pad(
      columns,
      columns.shape.map(() => 0),
      columns.shape.map((_, i) => (i === axis + 1 ? step - 1 : 0)),
    )
    const flat = reshape(
      wide,
      shape.map((size, i) => (i === axis ? n * step : size)),
    )
    result = sliceAxis(flat, axis, 0, (n - 1) * step + 1)
  })
  return result
}

type PadAttrs = {
  readonly before: readonly number[]
  readonly after: readonly number[]
  readonly value: number
}

export const padOp: OpDef<PadAttrs> = {
  name: 'pad',
  infer([x], { before, after }) {
    if (
      x === undefined ||
      x.dtype !== 'float32' ||
      before.length !== x.shape.length ||
      after.length !== x.shape.length ||
      [...before, ...after].some((count) => !(Number.isInteger(count) && count >= 0))
    ) {
      refuse('a padding names a whole count of 0 or more for both ends of every axis', {
        got: `${x && describe([x])} with [${before}] and [${after}]`,
      })
    }
    return [{ dtype: x.dtype, shape: x.shape.map((n, i) => before[i]! + n + after[i]!) }]
  },
  emit: (onnx, [x], { before, after, value }) =>
    onnx.node('Pad', [x!, onnx.constant(ints([...before, ...after])), onnx.constant(scalar(value))], {
      mode: 'constant',
    }),
  gradient: ({ grad, inputs, attrs: { before } }) => {
    const ends = inputs[0]!.shape.map((n, i) => before[i]! + n)
    return [slice(grad, before, ends)]
  },
  cost: 'results',
  reach: 'place',
  words: 'pad',
  reference([x], { before, value }, [type]) {
    const out = new Float64Array(sizeOf(type!.shape)).fill(value)
    const strides = stridesOf(type!.shape)
    const start = before.reduce((sum, count, i) => sum + count * strides[i]!, 0)
    forStrided(x!.shape, strides, start, (i, at) => {
      out[at] = x!.data[i]!
    })
    return [out]
  },
}

/** Adds elements of one value before and after each axis. */
export function pad(x: Value, before: readonly number[], after: readonly number[], value = 0): Value {
  if ([...before, ...after].every((count) => count === 0)) return x
  return x.graph.apply(padOp, [x], { before, after, value })[0]!
}

type ReverseAttrs = { readonly axes: readonly number[] }

export const reverseOp: OpDef<ReverseAttrs> = {
  name: 'reverse',
  infer([x], { axes }) {
    if (x === undefined || axes.some((axis) => axis < 0 || axis >= x.shape.length)) {
      refuse('no such axis', { got: `axes [${axes}] of ${x && describe([x])}` })
    }
    return [x]
  },
  emit(onnx, [x], { axes }) {
    const all = (value: number) => onnx.constant(ints(axes.map(() => value)))
    // From the last element down past the first: ONNX clamps an end this far to "before the start".
    return onnx.node('Slice', [x!, all(-1), all(-(2 ** 31)), onnx.constant(ints(axes)), all(-1)])
  },
  gradient: ({ grad, attrs: { axes } }) => [reverse(grad, axes)],
  cost: 'results',
  reach: 'place',
  words: 'reverse',
  reference([x], { axes }, [type]) {
    const own = stridesOf(x!.shape)
    const start = axes.reduce((sum, axis) => sum + (x!.shape[axis]! - 1) * own[axis]!, 0)
    const out = new Float64Array(x!.data.length)
    const strides = own.map((stride, axis) => (axes.includes(axis) ? -stride : stride))
    forStrided(type!.shape, strides, start, (i, at) => {
      out[i] = x!.data[at]!
    })
    return [out]
  },
}

/** Reverses the order of elements along axes. */
export function reverse(x: Value, axes: readonly number[]): Value {
  const turned = axes.filter((axis) => x.shape[axis] !== 1)
  return turned.length === 0 ? x : x.graph.apply(reverseOp, [x], { axes: turned })[0]!
}

type ConcatAttrs = { readonly axis: number }

export const concatOp: OpDef<ConcatAttrs> = {
  name: 'concat',
  infer(inputs, { axis }) {
    const [first] = inputs
    const fits = (type: TensorType) =>
      type.dtype === first!.dtype &&
      type.shape.length === first!.shape.length &&
      type.shape.every((n, i) => i === axis || n === first!.shape[i])
    if (first === undefined || !inputs.every(fits)) {
      refuse('values that are joined agree in type and in every other axis', {
        got: `${describe(inputs)} along axis ${axis}`,
      })
    }
    const length = inputs.reduce((sum, type) => sum + type.shape[axis]!, 0)
    return [{ dtype: first.dtype, shape: first.shape.map((n, i) => (i === axis ? length : n)) }]
  },
  emit: (onnx, inputs, { axis }) => onnx.node('Concat', inputs, { axis }),
  gradient: ({ grad, inputs, attrs: { axis }, wanted }) => {
    const lengths = inputs.map((value) => value.shape[axis]!)
    let start = 0
    return lengths.map((length, i) => {
      const from = start
      start += length
      return wanted[i] ? sliceAxis(grad, axis, from, start) : undefined
    })
  },
  cost: 'results',
  reach: 'place',
  words: 'join',
  reference(inputs, { axis }, [type]) {
    const out = new Float64Array(sizeOf(type!.shape))
    const strides = stridesOf(type!.shape)
    let offset = 0
    for (const part of inputs) {
      forStrided(part.shape, strides, offset * strides[axis]!, (i, at) => {
        out[at] = part.data[i]!
      })
      offset += part.shape[axis]!
    }
    return [out]
  },
}

/** Joins values along one axis. */
export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values
  if (first === undefined) refuse('nothing to join')
  const at = normalAxis(axis, first.shape.length)
  return values.length === 1 ? first : first.graph.apply(concatOp, values, { axis: at })[0]!
}

/**
 * More outputs are written as slices. The Split of ONNX Runtime's WebGPU provider binds one buffer per output, and has
 * 12 buffers; the CPU provider joins slices by itself.
 */
const mostSplitOutputs = 8

type SplitAttrs = { readonly axis: number; readonly lengths: readonly number[] }

export const splitOp: OpDef<SplitAttrs> = {
  name: 'split',
  infer([x], { axis, lengths }) {
    const sum = lengths.reduce((total, length) => total + length, 0)
    if (
      x === undefined ||
      x.shape[axis] !== sum ||
      lengths.some((length) => !(Number.isInteger(length) && length > 0))
    ) {
      refuse('the pieces do not add up to the axis', {
        got: `${x && describe([x])} into [${lengths}] along axis ${axis}`,
      })
    }
    return lengths.map((length) => ({
      dtype: x.dtype,
      shape: x.shape.map((n, i) => (i === axis ? length : n)),
    }))
  },
  emit(onnx, [x], { axis, lengths }) {
    if (lengths.length <= mostSplitOutputs) {
      return onnx.node('Split', [x!, onnx.constant(ints(lengths))], { axis }, lengths.length)
    }
    const at = (place: number) => onnx.constant(ints([place]))
    let start = 0
    return lengths.map((length) => {
      const from = start
      start += length
      return onnx.node('Slice', [x!, at(from), at(start), at(axis), at(1)])[0]!
    })
  },
  // One concat, where slices would each be padded to the whole and added up.
  gradient: ({ grads, outputs, attrs: { axis } }) => {
    const pieces = grads.map((grad, i) => grad ?? filled(outputs[i]!.graph, outputs[i]!, 0))
    return [concat(pieces, axis)]
  },
  cost: 'results',
  reach: 'place',
  words: 'split',
  reference([x], { axis }, types) {
    const strides = stridesOf(x!.shape)
    let start = 0
    return types.map(({ shape }) => {
      const out = new Float64Array(sizeOf(shape))
      forStrided(shape, strides, start * strides[axis]!, (i, at) => {
        out[i] = x!.data[at]!
      })
      start += shape[axis]!
      return out
    })
  },
}

/** Cuts one axis into pieces of these lengths, which add up to it. */
export function split(x: Value, axis: number, lengths: readonly number[]): readonly Value[] {
  const at = normalAxis(axis, x.shape.length)
  const isWhole = lengths.length === 1 && lengths[0] === x.shape[at]
  return isWhole ? [x] : x.graph.apply(splitOp, [x], { axis: at, lengths })
}

/** Joins values of equal shape along a new axis. */
export function stack(values: readonly Value[], axis: number): Value {
  const expanded = values.map((value) => {
    const at = normalAxis(axis, value.shape.length + 1)
    return reshape(value, [...value.shape.slice(0, at), 1, ...value.shape.slice(at)])
  })
  return concat(expanded, axis)
}
