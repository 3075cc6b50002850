// One ONNX node as importers read it: its inputs and attributes, with errors that name it.

import type { Graph, Value } from '../../graph/graph.ts'
import { constant, constantValue, parameter, type Role } from '../../graph/ops/leaf.ts'
import { formatShape, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { FormatError, type Problem } from '../../util/errors.ts'
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type NodeProto,
} from '../generated/onnx_pb.ts'
import { readTensor } from './inputs.ts'

/** A tensor that the file holds. It becomes a leaf of the graph when a node reads it as a value. */
export interface Stored {
  readonly stored: Tensor
  /** Name of the parameter; undefined for a constant. */
  readonly parameter?: { readonly name: string; readonly role: Role }
  leaf?: Value
}

/** What a name in the file stands for. */
export type Entry = Value | Stored

/** Builds the graph's form of one ONNX node: its outputs, of which trailing ones may be left out. */
export type Importer = (node: OnnxNode) => Entry | readonly Entry[]

/** Importers by ONNX type. */
export type Importers = Readonly<Record<string, Importer>>

/** One ONNX node as importers read it. Whatever it lacks or has wrong is a FormatError that names it. */
export class OnnxNode {
  readonly type: string
  readonly graph: Graph
  /** Version of the operator set; several ops moved settings from attributes to inputs over time. */
  readonly opset: number
  /** Number of outputs that have a name. */
  readonly outputs: number
  private readonly proto: NodeProto
  private readonly entries: readonly (Entry | undefined)[]
  private readonly attributes: ReadonlyMap<string, AttributeProto>

  /** @param entries what the inputs' names stand for; undefined for one that is left out. */
  constructor(proto: NodeProto, graph: Graph, opset: number, entries: readonly (Entry | undefined)[]) {
    this.type = proto.opType
    this.graph = graph
    this.opset = opset
    this.outputs = proto.output.length
    this.proto = proto
    this.entries = entries
    this.attributes = new Map(proto.attribute.map((attribute) => [attribute.name, attribute]))
  }

  refuse(what: string, details: Omit<Problem, 'what' | 'where'> = {}): never {
    throw new FormatError({ what, where: describeNode(this.proto), ...details })
  }

  /** How many inputs are written, left-out ones in between included. */
  get inputCount(): number {
    return this.entries.length
  }

  has(index: number): boolean {
    return this.entries[index] !== undefined
  }

  entry(index: number): Entry {
    return this.entries[index] ?? this.refuse(`${this.type} lacks its input ${index}`)
  }

  input(index: number): Value {
    return leafOf(this.graph, this.entry(index))
  }

  optional(index: number): Value | undefined {
    return this.has(index) ? this.input(index) : undefined
  }

  inputs(): Value[] {
    return this.entries.map((_, i) => this.input(i))
  }

  /** The content of an input that is known now; undefined if it is computed or left out. */
  known(index: number): Tensor | undefined {
    const entry = this.entries[index]
    if (entry === undefined) return undefined
    return 'stored' in entry ? entry.stored : constantValue(entry)
  }

  /** The numbers of an input that must be known now: a shape, axes, a bound. Undefined if it is left out. */
  numbers(index: number): number[] | undefined {
    if (!this.has(index)) return undefined
    const tensor = this.known(index)
    if (tensor === undefined) {
      return this.refuse(
        `input ${index} of ${this.type} is computed by the model, and pantin needs to know it`,
        {
          remedy: 'export the model with fixed shapes, and simplify it (onnxsim)',
        },
      )
    }
    if (tensor.data.length > 1024) this.refuse(`input ${index} of ${this.type} is no short list`)
    return Array.from(tensor.data as ArrayLike<number | bigint>, Number)
  }

  /** One known number. */
  number(index: number): number | undefined {
    const numbers = this.numbers(index)
    if (numbers !== undefined && numbers.length !== 1)
      this.refuse(`input ${index} of ${this.type} is one number`)
    return numbers?.[0]
  }

  /** A list that older operator sets write as an attribute and newer ones as an input. */
  list(attribute: string, index: number): number[] | undefined {
    return this.ints(attribute) ?? this.numbers(index)
  }

  int(name: string, fallback: number): number {
    const attribute = this.attribute(name, AttributeType.INT)
    return attribute === undefined ? fallback : Number(attribute.i)
  }

  float(name: string, fallback: number): number {
    return this.attribute(name, AttributeType.FLOAT)?.f ?? fallback
  }

  text(name: string, fallback: string): string {
    const attribute = this.attribute(name, AttributeType.STRING)
    return attribute === undefined ? fallback : new TextDecoder().decode(attribute.s)
  }

  ints(name: string): number[] | undefined {
    return this.attribute(name, AttributeType.INTS)?.ints.map(Number)
  }

  floats(name: string): number[] | undefined {
    return this.attribute(name, AttributeType.FLOATS)?.floats
  }

  tensor(name: string): Tensor | undefined {
    const proto = this.attribute(name, AttributeType.TENSOR)?.t
    return proto === undefined ? undefined : readTensor(proto)
  }

  hasAttribute(name: string): boolean {
    return this.attributes.has(name)
  }

  private attribute(name: string, type: AttributeType): AttributeProto | undefined {
    const attribute = this.attributes.get(name)
    // Files of the first ONNX versions leave the type out.
    if (attribute === undefined || attribute.type === type || attribute.type === AttributeType.UNDEFINED)
      return attribute
    return this.refuse(`the attribute "${name}" is of another type`, {
      got: AttributeType[attribute.type] ?? String(attribute.type),
      expected: AttributeType[type]!,
    })
  }
}

/** The value that an entry is, made a leaf of the graph at its first use. */
export function leafOf(graph: Graph, entry: Entry): Value {
  if (!('stored' in entry)) return entry
  entry.leaf ??= makeLeaf(graph, entry)
  return entry.leaf
}

function makeLeaf(graph: Graph, { stored, parameter: info }: Stored): Value {
  if (sizeOf(stored.shape) === 0) {
    throw new FormatError({
      what: 'an empty tensor is read as a value',
      where: info?.name ?? 'constant',
      got: formatShape(stored.shape),
    })
  }
  if (info === undefined || stored.dtype !== 'float32') return constant(graph, stored)
  return parameter(graph, info.name, stored.shape, { kind: 'values', values: stored }, info.role)
}

/** For messages: `Conv "encoder/Conv_1"`. */
export function describeNode({ opType, name, output }: NodeProto): string {
  return `${opType} "${name || output[0] || ''}"`
}
