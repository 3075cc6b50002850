// Values that come from outside the graph: inputs, parameters and constants. The parameters of a graph: their list, their
// starting values, and their number.
import { InputError } from '../../util/errors.ts'
import { Random } from '../../util/random.ts'
import type { Builder, Graph, Node, TensorType, Value } from '../graph.ts'
import { type OpDef, type Plain, refuse } from '../op.ts'
import { liveNodes } from '../rewrite.ts'
import {
  allocate,
  type DType,
  floats,
  type Shape,
  sameShape,
  scalar,
  sizeOf,
  type Tensor,
  tensor,
} from '../tensor.ts'

type InputAttrs = { readonly name: string; readonly dtype: DType; readonly shape: Shape }

export const inputOp: OpDef<InputAttrs> = {
  name: 'input',
  infer: (_, { dtype, shape }) => [{ dtype, shape: checkedShape(shape) }],
  emit: (_onnx, _inputs, { name }) => [name],
  gradient: 'zero',
  cost: 'nothing',
  reach: 'place',
  words: 'silent',
  reference: (_, { name }) => notFed(name),
}

/** A value that the caller feeds at every run. */
export function input(graph: Builder, name: string, dtype: DType, shape: Shape): Value {
  return graph.apply(inputOp, [], { name, dtype, shape })[0]!
}

/** How a parameter starts. */
export type Initial =
  | {
      /** All one number. */
      readonly kind: 'fill'
      /** The number. */
      readonly value: number
    }
  | {
      /** Uniform in [-amount, amount]. */
      readonly kind: 'uniform'
      /** Half of the range. */
      readonly amount: number
    }
  | {
      /** Normal, with mean 0. */
      readonly kind: 'normal'
      /** Standard deviation. */
      readonly deviation: number
    }
  | {
      /** Given. */
      readonly kind: 'values'
      /** The values. */
      readonly values: Tensor<'float32'>
    }

/** `weight`: trained. `buffer`: kept with the weights but not trained, such as running statistics. */
export type Role = 'weight' | 'buffer'

type ParameterAttrs = {
  readonly name: string
  readonly role: Role
  readonly shape: Shape
  readonly kind: Initial['kind']
  readonly amount: number
  readonly values: Tensor
}

export const parameterOp: OpDef<ParameterAttrs> = {
  name: 'parameter',
  infer: (_, { shape }) => [{ dtype: 'float32', shape: checkedShape(shape) }],
  emit: (_onnx, _inputs, { name }) => [name],
  gradient: 'zero',
  cost: 'nothing',
  reach: 'place',
  words: 'silent',
  reference: (_, { name }) => notFed(name),
}

const none = scalar(0)

/** A named array of weights, under the name it has in checkpoints. */
export function parameter(graph: Builder, name: string, shape: Shape, initial: Initial, role: Role): Value {
  if (initial.kind === 'values' && !sameShape(initial.values.shape, shape)) {
    refuse(`the initial values of ${name} have another shape than it`)
  }
  const amount =
    initial.kind === 'fill'
      ? initial.value
      : initial.kind === 'uniform'
        ? initial.amount
        : initial.kind === 'normal'
          ? initial.deviation
          : 0
  const values = initial.kind === 'values' ? initial.values : none
  return graph.apply(parameterOp, [], { name, role, shape, kind: initial.kind, amount, values })[0]!
}

/** What a graph says of one of its parameters. */
export interface ParameterInfo {
  /** Name in checkpoints. */
  readonly name: string
  /** Whether it is trained. */
  readonly role: Role
  /** Sizes of the axes. */
  readonly shape: Shape
  /** How it starts. */
  readonly initial: Initial
}

/** @returns undefined for a node that is no parameter. */
export function parameterInfo(node: Node): ParameterInfo | undefined {
  if (node.op.name !== parameterOp.name) return undefined
  // A node's attributes are those of its op; the name has just been compared.
  const { name, role, shape, kind, amount, values } = node.attrs as ParameterAttrs
  const initial: Initial =
    kind === 'fill'
      ? { kind, value: amount }
      : kind === 'uniform'
        ? { kind, amount }
        : kind === 'normal'
          ? { kind, deviation: amount }
          : { kind, values: values as Tensor<'float32'> }
  return { name, role, shape, initial }
}

/** Name, type and shape of an input node; undefined for any other node. */
export function inputInfo(node: Node): InputAttrs | undefined {
  return node.op.name === inputOp.name ? (node.attrs as InputAttrs) : undefined
}

type ConstantAttrs = { readonly value: Tensor }

export const constantOp: OpDef<ConstantAttrs> = {
  name: 'constant',
  infer: (_, { value }) => [{ dtype: value.dtype, shape: value.shape }],
  emit: (onnx, _, { value }) => [onnx.constant(value)],
  gradient: 'zero',
  cost: 'nothing',
  reach: 'place',
  words: 'silent',
  reference: (_, { value }) => [toPlain(value).data],
}

/** A value that is known when the graph is built. */
export function constant(graph: Builder, value: Tensor): Value {
  return graph.apply(constantOp, [], { value })[0]!
}

/** The tensor of a constant; undefined for any other value. */
export function constantValue(value: Value): Tensor | undefined {
  return value.node.op.name === constantOp.name ? (value.node.attrs as ConstantAttrs).value : undefined
}

/** A constant of this type, filled with one number. */
export function filled(graph: Builder, type: TensorType, fill: number): Value {
  const size = sizeOf(type.shape)
  if (type.dtype !== 'float32') return constant(graph, fromPlain(type, new Float64Array(size).fill(fill)))
  return constant(graph, tensor('float32', type.shape, allocate('float32', size).fill(fill)))
}

/** A constant with the type of `value`, filled with one number. */
export const like = (value: Value, fill: number): Value => filled(value.graph, value, fill)

/** Inputs and parameters are told apart by name, not by content: passes must not merge them. */
export function isLeaf(node: Node): boolean {
  return node.op.name === inputOp.name || node.op.name === parameterOp.name
}

/** A typed tensor from float64 data. */
export function fromPlain({ dtype, shape }: TensorType, values: Float64Array): Tensor {
  if (dtype === 'int64')
    return tensor(
      'int64',
      shape,
      BigInt64Array.from(values, (x) => BigInt(Math.trunc(x))),
    )
  const data = allocate(dtype, values.length)
  ;(data as Float32Array | Int32Array | Uint8Array | Int8Array).set(values)
  return tensor(dtype, shape, data)
}

/** The float64 form of a typed tensor. */
export function toPlain({ shape, data }: Tensor): Plain {
  return { shape, data: Float64Array.from(data as ArrayLike<number | bigint>, Number) }
}

function checkedShape(shape: Shape): Shape {
  if (shape.every((axis) => Number.isSafeInteger(axis) && axis > 0)) return shape
  return refuse('every axis of a shape is a whole number above 0', { got: `[${shape.join(', ')}]` })
}

function notFed(name: string): never {
  throw new InputError({ what: `"${name}" was not fed`, remedy: `give a value for "${name}"` })
}

/** The parameters that a graph's outputs depend on, in the order in which they were made. */
export function parametersOf(graph: Graph): ParameterInfo[] {
  return liveNodes(graph).flatMap((node) => parameterInfo(node) ?? [])
}

/**
 * Starting values of parameters. Each parameter draws from a generator of its own, seeded by one number of
 * `random` and its name: so its values depend neither on the order of building nor on what other parameters
 * there are, and two detectors can be compared under the very same generator.
 *
 * @returns a float32 tensor for each name
 */
export function initialise(
  parameters: Iterable<ParameterInfo>,
  random: Random,
): Map<string, Tensor<'float32'>> {
  const base = random.uint32()
  return new Map(
    Array.from(parameters, ({ name, shape, initial }) => {
      const own = new Random((base ^ hash(name)) >>> 0)
      return [name, initial.kind === 'values' ? copy(initial.values) : drawn(initial, own, shape)]
    }),
  )
}

function drawn(initial: Exclude<Initial, { kind: 'values' }>, random: Random, shape: Shape) {
  const data = new Float32Array(sizeOf(shape))
  if (initial.kind === 'fill') data.fill(initial.value)
  else if (initial.kind === 'uniform') {
    const { amount } = initial
    for (let i = 0; i < data.length; i++) data[i] = random.between(-amount, amount)
  } else {
    for (let i = 0; i < data.length; i++) data[i] = initial.deviation * random.normal()
  }
  return { dtype: 'float32', data, shape } as const
}

const copy = ({ data, shape }: Tensor<'float32'>) => floats(data, shape)

/** FNV-1a, 32 bits, over the name's UTF-16 units. */
function hash(name: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/** Number of trained numbers: as PyTorch counts `parameters()`, without buffers. */
export function countParameters(parameters: Iterable<ParameterInfo>): number {
  let sum = 0
  for (const { role, shape } of parameters) if (role === 'weight') sum += sizeOf(shape)
  return sum
}
