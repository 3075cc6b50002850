// The ONNX nodes, attributes and constants that the forms of ops write, and what every ONNX file of pantin has.
import { create } from '@bufbuild/protobuf'
import type { Value } from '../graph/graph.ts'
import type { OnnxAttribute, OnnxEmitter } from '../graph/op.ts'
import { type DType, onnxTypeOf, type Tensor } from '../graph/tensor.ts'
import { GraphError, InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type NodeProto,
  NodeProtoSchema,
  TensorProto_DataType as OnnxType,
  type TensorProto,
} from './generated/onnx_pb.ts'

/** Written into every model as its producer. */
export const producer = { name: 'pantin', version } as const

/** The operator set that pantin writes: the first whose GridSample calls its mode "linear". */
export const opsetVersion = 20

/** The container version that belongs to that operator set. */
export const irVersion = 9n

/** Protobuf's own limit for a message, less some room for names and attributes that are not counted. */
const largestModel = 2 ** 31 - 2 ** 24

/** @throws InputError if a model would pass the 2 GB that protobuf can hold. */
export function checkModelSize(nodes: readonly NodeProto[], tensors: readonly TensorProto[]): void {
  let bytes = nodes.length * 64
  for (const tensor of tensors) bytes += tensor.rawData.length
  if (bytes <= largestModel) return
  const largest = tensors.reduce((a, b) => (a.rawData.length >= b.rawData.length ? a : b))
  throw new InputError({
    what: 'the model is too large for one ONNX file',
    got: `${(bytes / 1e9).toFixed(2)} GB, of which ${(largest.rawData.length / 1e9).toFixed(2)} in "${largest.name}"`,
    expected: 'less than 2 GB',
    remedy: 'feed the parameters instead of writing them, or compute large constants in the graph',
  })
}

const dtypes = new Map<number, DType>(
  (Object.keys(onnxTypeOf) as DType[]).map((dtype) => [onnxTypeOf[dtype], dtype]),
)

/** pantin's name of an ONNX element type; undefined for one that graphs do not carry. */
export const dtypeOf = (onnxType: number): DType | undefined => dtypes.get(onnxType)

/** ONNX's name of an element type, for messages. */
export const onnxTypeName = (onnxType: number): string =>
  OnnxType[onnxType]?.toLowerCase() ?? `type ${onnxType}`

/**
 * Collects the ONNX nodes of a graph. Names are made of the scope, the ONNX type and a count within that
 * scope (`encoder/layers.3/Conv_1`), so that they stay put when something else in the graph changes.
 */
export class NodeCollector implements OnnxEmitter {
  readonly nodes: NodeProto[] = []
  readonly constants = new ConstantPool()
  /** Where the next nodes belong. */
  scope = ''
  private readonly counts = new Map<string, number>()
  /** Every name of the model: inputs, weights, outputs, nodes and what they make. */
  private readonly taken: Set<string>
  private readonly read: ReadonlySet<Value>

  /**
   * @param reserved names that are given: inputs, weights, outputs.
   * @param read values that something reads.
   * @param oneThread whether sessions compute each op on one thread alone (default: false)
   */
  constructor(
    reserved: Iterable<string>,
    read: ReadonlySet<Value>,
    readonly oneThread = false,
  ) {
    this.taken = new Set(reserved)
    this.read = read
  }

  node(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    outputs = 1,
  ): readonly string[] {
    // "com.microsoft.FusedMatMul" is FusedMatMul of the domain com.microsoft.
    const dot = type.lastIndexOf('.')
    const opType = type.slice(dot + 1)
    const name = this.freshName(this.scope === '' ? opType : `${this.scope}/${opType}`)
    const output = Array.from({ length: outputs }, (_, i) =>
      i === 0 ? name : this.freshName(`${name}:${i}`),
    )
    const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(name, key, value))
    const init = { name, opType, input: [...inputs], output, attribute }
    this.nodes.push(create(NodeProtoSchema, dot === -1 ? init : { ...init, domain: type.slice(0, dot) }))
    return output
  }

  /** A placeholder; constants get their names when all uses are known. */
  constant(value: Tensor): string {
    return `${placeholder}${this.constants.add(value)}`
  }

  used(value: Value): boolean {
    return this.read.has(value)
  }

  /** A name that nothing has: `base`, or `base_1`, `base_2` and so on. */
  freshName(base: string): string {
    let count = this.counts.get(base) ?? 0
    let name = count === 0 ? base : `${base}_${count}`
    while (this.taken.has(name)) name = `${base}_${++count}`
    this.counts.set(base, count + 1)
    this.taken.add(name)
    return name
  }
}

// No name in a file holds a zero character, so a placeholder cannot be taken for one.
const placeholder = '\0'

/** The number in the pool of the constant that a placeholder stands for; undefined for a name. */
export function placeholderIndex(name: string): number | undefined {
  return name.startsWith(placeholder) ? Number(name.slice(1)) : undefined
}

/** One attribute of an ONNX node. @throws GraphError for a fraction that is not marked as a float. */
export function attributeProto(node: string, name: string, value: OnnxAttribute): AttributeProto {
  const whole = (x: number): bigint => {
    if (Number.isSafeInteger(x)) return BigInt(x)
    throw new GraphError({
      what: `the attribute "${name}" is no whole number`,
      where: node,
      got: String(x),
      remedy: 'write a float attribute as { float: value } in the ONNX form of the op',
    })
  }
  if (typeof value === 'number') {
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: whole(value) })
  }
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: utf8.encode(value) })
  }
  if ('float' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float })
  }
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(whole) })
}

const utf8 = new TextEncoder()

/** A tensor's elements as bytes, not copied. ONNX is little-endian, as is every machine that runs JavaScript here. */
export function bytesOf({ data }: Tensor): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** Keeps one number for each content: equal type, shape and bytes give the same number. */
class ConstantPool {
  readonly tensors: Tensor[] = []
  private readonly numbers = new Map<Tensor, number>()
  private readonly buckets = new Map<string, number[]>()

  add(value: Tensor): number {
    const number = this.numbers.get(value) ?? this.numberOf(value)
    this.numbers.set(value, number)
    return number
  }

  private numberOf(value: Tensor): number {
    const key = `${value.dtype}[${value.shape}]${hash(bytesOf(value))}`
    const bucket = this.buckets.get(key) ?? []
    const known = bucket.find((index) => sameBytes(bytesOf(this.tensors[index]!), bytesOf(value)))
    if (known !== undefined) return known
    const index = this.tensors.push(value) - 1
    this.buckets.set(key, [...bucket, index])
    return index
  }
}

/**
 * FNV-1a, 32 bits, over some of the bytes: it only sorts into buckets, whose members are then compared. Constants may
 * have hundreds of megabytes.
 */
function hash(bytes: Uint8Array): number {
  let state = 0x811c9dc5
  // An odd step meets each of the bytes of an element.
  const step = 2 * Math.floor(bytes.length / 8192) + 1
  for (let i = 0; i < bytes.length; i += step) state = Math.imul(state ^ bytes[i]!, 0x01000193)
  return state >>> 0
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
