// Eight-bit numbers (Jacob et al. 2018): to them, back from them, and there and back with a gradient for training
// (Esser et al. 2020, "Learned step size quantization").

import type { TensorType, Value } from '../graph.ts'
import { type OpDef, type Plain, refuse } from '../op.ts'
import { floats, type Shape, sizeOf, type Tensor, tensor } from '../tensor.ts'
import { div, mul, reduceSum, sub } from './arithmetic.ts'
import { cast, greaterOrEqual, where } from './compare.ts'
import { constant } from './leaf.ts'
import { reshape } from './shape.ts'
import { describe } from './support.ts'

/** Element types of eight bits. */
export type EightBit = 'uint8' | 'int8'

/** The least and the greatest number of each type. */
export const eightBitRange: Readonly<Record<EightBit, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
}

type QuantiseAttrs = {
  readonly to: EightBit
  /** The eight-bit number that stands for 0. */
  readonly zeroPoint: number
  /** The axis that a vector of scales belongs to. */
  readonly axis: number
}

/** How numbers become eight-bit numbers. */
export interface QuantiseOptions {
  /** Element type (default uint8). */
  readonly to?: EightBit
  /** The eight-bit number that stands for 0 (default 0). */
  readonly zeroPoint?: number
  /** The axis that a vector of scales belongs to (default 0). */
  readonly axis?: number
}

const attrsOf = ({ to = 'uint8', zeroPoint = 0, axis = 0 }: QuantiseOptions): QuantiseAttrs => ({
  to,
  zeroPoint,
  axis,
})

function checkScale(inputs: readonly TensorType[], { to, zeroPoint, axis }: QuantiseAttrs): Shape {
  const [x, scale] = inputs
  if (inputs.length !== 2 || x === undefined || scale?.dtype !== 'float32') {
    refuse('wrong inputs', { got: describe(inputs) || 'none', expected: 'a value and a float32 scale' })
  }
  const fits = scale.shape.length === 0 || (scale.shape.length === 1 && scale.shape[0] === x.shape[axis])
  if (!fits) {
    const expected = `one number, or one for each element of axis ${axis}`
    refuse('the scale does not fit the value', { got: describe(inputs), expected })
  }
  const [low, high] = eightBitRange[to]
  if (!Number.isInteger(zeroPoint) || zeroPoint < low || zeroPoint > high) {
    refuse('the zero point is not an eight-bit number', { got: `${zeroPoint} for ${to}` })
  }
  return x.shape
}

/** The zero point as ONNX wants it: of the scale's shape. */
function zeroTensor({ to, zeroPoint }: QuantiseAttrs, { shape }: TensorType): Tensor {
  const size = sizeOf(shape)
  return to === 'uint8'
    ? tensor('uint8', shape, new Uint8Array(size).fill(zeroPoint))
    : tensor('int8', shape, new Int8Array(size).fill(zeroPoint))
}

const axisAttribute = ({ axis }: QuantiseAttrs, { shape }: TensorType) => (shape.length === 0 ? {} : { axis })

/** To the nearest whole number, halves to the even one. */
function roundEven(x: number): number {
  const low = Math.floor(x)
  const rest = x - low
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1
  return low % 2 === 0 ? low : low + 1
}

/** Calls `f` with each element and its scale. */
function mapScaled(x: Plain, scale: Plain, axis: number, f: (x: number, scale: number) => number) {
  const inner = sizeOf(x.shape.slice(axis + 1))
  const count = scale.data.length
  return x.data.map((value, i) => f(value, scale.data[Math.floor(i / inner) % count]!))
}

const toEightBits = (x: number, scale: number, { to, zeroPoint }: QuantiseAttrs): number => {
  const [low, high] = eightBitRange[to]
  return Math.min(high, Math.max(low, roundEven(x / scale) + zeroPoint))
}

export const quantiseOp: OpDef<QuantiseAttrs> = {
  name: 'quantise',
  infer(inputs, attrs) {
    if (inputs[0]?.dtype !== 'float32') refuse('only float32 is quantised', { got: describe(inputs) })
    return [{ dtype: attrs.to, shape: checkScale(inputs, attrs) }]
  },
  emit(onnx, [x, scale], attrs, { inputs }) {
    const zero = onnx.constant(zeroTensor(attrs, inputs[1]!))
    return onnx.node('QuantizeLinear', [x!, scale!, zero], axisAttribute(attrs, inputs[1]!))
  },
  gradient: 'zero',
  cost: 'results',
  reach: 'place',
  words: 'silent',
  reference: ([x, scale], attrs) => [
    mapScaled(x!, scale!, attrs.axis, (value, s) => toEightBits(value, s, attrs)),
  ],
}

/** round(x / scale) + zero point, held to the range of the type. Halves are rounded to even. The gradient is zero. */
export const quantise = (x: Value, scale: Value, options: QuantiseOptions = {}): Value =>
  x.graph.apply(quantiseOp, [x, scale], attrsOf(options))[0]!

export const dequantiseOp: OpDef<Omit<QuantiseAttrs, 'to'>> = {
  name: 'dequantise',
  infer(inputs, attrs) {
    const to = eightBitTypeOf(inputs)
    return [{ dtype: 'float32', shape: checkScale(inputs, { ...attrs, to }) }]
  },
  emit(onnx, [q, scale], attrs, { inputs }) {
    const to = inputs[0]!.dtype
    const shape = inputs[1]!
    const axis = axisAttribute({ ...attrs, to: 'int8' }, shape)
    // A bias of 32 bits has no zero point.
    if (to === 'int32') return onnx.node('DequantizeLinear', [q!, scale!], axis)
    const zero = onnx.constant(zeroTensor({ ...attrs, to: to === 'int8' ? to : 'uint8' }, shape))
    return onnx.node('DequantizeLinear', [q!, scale!, zero], axis)
  },
  gradient: ({ grad, inputs: [q, scale], attrs, wanted }) => [
    undefined,
    wanted[1]
      ? perScale(mul(grad, sub(cast(q!, 'float32'), attrs.zeroPoint)), scale!, attrs.axis)
      : undefined,
  ],
  cost: 'results',
  reach: 'place',
  words: 'silent',
  reference: ([q, scale], { axis, zeroPoint }) => [
    mapScaled(q!, scale!, axis, (value, s) => (value - zeroPoint) * s),
  ],
}

/** A bias of int32 counts as int8 here: its zero point is 0. */
function eightBitTypeOf(inputs: readonly TensorType[]): EightBit {
  const dtype = inputs[0]?.dtype
  if (dtype === 'uint8' || dtype === 'int8') return dtype
  if (dtype === 'int32') return 'int8'
  return refuse('only whole numbers are dequantised', {
    got: describe(inputs) || 'none',
    expected: 'uint8, int8, or an int32 bias',
  })
}

/** (q - zero point) times scale, as float32. */
export const dequantise = (q: Value, scale: Value, options: Omit<QuantiseOptions, 'to'> = {}): Value => {
  const { zeroPoint = 0, axis = 0 } = options
  return q.graph.apply(dequantiseOp, [q, scale], { zeroPoint, axis })[0]!
}

export const fakeQuantiseOp: OpDef<QuantiseAttrs> = {
  name: 'fakeQuantise',
  infer(inputs, attrs) {
    if (inputs[0]?.dtype !== 'float32') refuse('only float32 is quantised', { got: describe(inputs) })
    return [{ dtype: 'float32', shape: checkScale(inputs, attrs) }]
  },
  emit(onnx, [x, scale], attrs, { inputs }) {
    const zero = onnx.constant(zeroTensor(attrs, inputs[1]!))
    const axis = axisAttribute(attrs, inputs[1]!)
    const [q] = onnx.node('QuantizeLinear', [x!, scale!, zero], axis)
    return onnx.node('DequantizeLinear', [q!, scale!, zero], axis)
  },
  // Rounding counts as if it were the identity. Outside of the range, x gets nothing.
  gradient: ({ grad, inputs: [x, scale], outputs: [y], attrs, wanted }) => {
    const steps = div(x!, aligned(scale!, x!.shape, attrs.axis))
    const [low, high] = eightBitRange[attrs.to].map((end) => end - attrs.zeroPoint) as [number, number]
    const inside = (then: Value, otherwise: Value | number) =>
      where(greaterOrEqual(steps, low), where(greaterOrEqual(high, steps), then, otherwise), otherwise)
    const perStep = div(sub(y!, inside(x!, 0)), aligned(scale!, x!.shape, attrs.axis))
    return [
      wanted[0] ? inside(grad, 0) : undefined,
      wanted[1] ? perScale(mul(grad, perStep), scale!, attrs.axis) : undefined,
    ]
  },
  cost: 'results',
  reach: 'place',
  words: 'silent',
  reference: ([x, scale], attrs) => [
    mapScaled(x!, scale!, attrs.axis, (value, s) => (toEightBits(value, s, attrs) - attrs.zeroPoint) * s),
  ],
}

/**
 * What is left of x after eight bits: quantised and dequantised. Its gradient is the straight-through one: to x, 1 within
 * the range and 0 outside; to the scale, round(x / scale) - x / scale within, and the end of the range outside.
 */
export const fakeQuantise = (x: Value, scale: Value, options: QuantiseOptions = {}): Value =>
  x.graph.apply(fakeQuantiseOp, [x, scale], attrsOf(options))[0]!

/** A vector of scales along its axis, to broadcast against a value of this shape. */
function aligned(scale: Value, shape: Shape, axis: number): Value {
  if (scale.shape.length === 0) return scale
  return reshape(
    scale,
    shape.map((_, i) => (i === axis ? -1 : 1)),
  )
}

/** Sums to the shape of the scales. */
function perScale(x: Value, scale: Value, axis: number): Value {
  if (scale.shape.length === 0) return reduceSum(x)
  return reduceSum(
    x,
    x.shape.flatMap((_, i) => (i === axis ? [] : [i])),
  )
}

/** A tensor as whole numbers of eight bits, symmetric around 0, with its scale. */
export interface EightBitTensor {
  /** The whole numbers. */
  readonly values: Tensor<'int8'>
  /** What 1 stands for: one number, or one for each element of `axis`. */
  readonly scales: Tensor<'float32'>
  readonly axis: number
}

/**
 * Rounds weights to eight bits, symmetric around 0. -128 is not used, so that no product of two numbers is larger than
 * those of the positive ones.
 *
 * @param axis one scale for each element of this axis; undefined for one scale in all
 * @param largest the greatest whole number: 127, or 63 where sums of two products must fit into 16 bits
 */
export function roundWeights(
  { shape, data }: Tensor<'float32'>,
  axis: number | undefined,
  largest: 127 | 63 = 127,
): EightBitTensor {
  const count = axis === undefined ? 1 : shape[axis]!
  const inner = axis === undefined ? data.length : sizeOf(shape.slice(axis + 1))
  const most = new Float32Array(count)
  const channelOf = (i: number) => Math.floor(i / inner) % count
  data.forEach((x, i) => {
    most[channelOf(i)] = Math.max(most[channelOf(i)]!, Math.abs(x))
  })
  const scales = most.map((x) => (x > 0 ? x / largest : 1))
  const values = new Int8Array(data.length)
  data.forEach((x, i) => {
    values[i] = Math.min(largest, Math.max(-largest, roundEven(x / scales[channelOf(i)]!)))
  })
  return {
    values: tensor('int8', shape, values),
    scales: floats(scales, axis === undefined ? [] : [count]),
    axis: axis ?? 0,
  }
}

/** The rounded weights as a value of a graph, in float32. */
export const dequantised = (graph: Value['graph'], { values, scales, axis }: EightBitTensor): Value =>
  dequantise(constant(graph, values), constant(graph, scales), { axis })
