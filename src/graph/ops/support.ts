// Helpers that several op families share: checks for shape rules, and loops for references.

import type { TensorType } from '../graph.ts'
import { type Plain, refuse } from '../op.ts'
import { type DType, formatShape, type Shape, sameShape, sizeOf, stridesOf } from '../tensor.ts'

/** Attributes of an op that has none. */
export type NoAttrs = Record<never, never>

/** `float32[1, 3], int64[2]`, for messages. */
export const describe = (types: readonly TensorType[]) =>
  types.map((type) => `${type.dtype}${formatShape(type.shape)}`).join(', ')

/** Checks the number of inputs and their element type. */
export function expectInputs(inputs: readonly TensorType[], count: number, dtype: DType = 'float32'): void {
  if (inputs.length !== count || inputs.some((input) => input.dtype !== dtype)) {
    refuse('wrong inputs', { got: describe(inputs) || 'none', expected: `${count} of type ${dtype}` })
  }
}

/** Checks that a value has this many axes. */
export function expectRank(type: TensorType, rank: number, layout: string): void {
  if (type.shape.length !== rank) {
    refuse('wrong number of axes', { got: describe([type]), expected: `${rank} axes, ${layout}` })
  }
}

/** Axis counted from the end when negative. @throws GraphError if there is no such axis. */
export function normalAxis(axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(axis) || normal < 0 || normal >= rank) {
    refuse('no such axis', { got: `axis ${axis}`, expected: `${-rank} to ${rank - 1}` })
  }
  return normal
}

/** The shape that both broadcast to, by NumPy's rule: axes are matched from the end, and 1 stretches. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1
    const y = b[i - rank + b.length] ?? 1
    if (x === y || y === 1) return x
    if (x === 1) return y
    return refuse('shapes do not broadcast', {
      got: `${formatShape(a)} and ${formatShape(b)}`,
      expected: 'axes, matched from the last, that are equal or 1',
    })
  })
}

/** Calls `visit` with the flat index of `to` and that of the element of `from` that stands there. */
export function forBroadcast(to: Shape, from: Shape, visit: (out: number, at: number) => void): void {
  if (sameShape(to, from)) {
    for (let i = 0, n = sizeOf(to); i < n; i++) visit(i, i)
    return
  }
  const own = stridesOf(from)
  const offset = to.length - from.length
  const strides = to.map((_, axis) => {
    const i = axis - offset
    return i < 0 || from[i] === 1 ? 0 : own[i]!
  })
  forStrided(to, strides, 0, visit)
}

/** Walks `shape` in row-major order with an index that moves by `strides` from `start`. */
export function forStrided(
  shape: Shape,
  strides: readonly number[],
  start: number,
  visit: (out: number, at: number) => void,
): void {
  const size = sizeOf(shape)
  const counter = new Array<number>(shape.length).fill(0)
  let at = start
  for (let out = 0; out < size; out++) {
    visit(out, at)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!
      if (++counter[axis]! < shape[axis]!) break
      at -= strides[axis]! * shape[axis]!
      counter[axis] = 0
    }
  }
}

/** Applies a function to each element. */
export function mapPlain({ data }: Plain, f: (x: number) => number): Float64Array {
  return data.map(f)
}

/** Applies a function to each pair of elements of two arrays that broadcast. */
export function zipPlain(
  a: Plain,
  b: Plain,
  shape: Shape,
  f: (x: number, y: number) => number,
): Float64Array {
  const left = new Float64Array(sizeOf(shape))
  const out = new Float64Array(sizeOf(shape))
  forBroadcast(shape, a.shape, (i, at) => {
    left[i] = a.data[at]!
  })
  forBroadcast(shape, b.shape, (i, at) => {
    out[i] = f(left[i]!, b.data[at]!)
  })
  return out
}
