// A graph to the bytes of an ONNX model, deterministic byte for byte, and the leaves of the graph by their names
// in the file.
import { create, toBinary } from '@bufbuild/protobuf'
import type { Graph, Node, Value } from '../graph/graph.ts'
import type { OnnxEmitter } from '../graph/op.ts'
import { inputInfo, type ParameterInfo, parameterInfo } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import { type DType, formatShape, onnxTypeOf, sameShape, type Tensor, toHalves } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import {
  bytesOf,
  checkModelSize,
  irVersion,
  NodeCollector,
  opsetVersion,
  placeholderIndex,
  producer,
} from './emitter.ts'
import {
  ModelProtoSchema,
  type NodeProto,
  TensorProto_DataType as OnnxType,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './generated/onnx_pb.ts'

/** An input of an ONNX model. An axis that is open has a name for a size. */
export interface OpenInput {
  /** Its name in the file. */
  readonly name: string
  /** Element type. */
  readonly dtype: DType
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly (number | string)[]
}

/** Nodes that make an input of the graph from another one, whose size may be open. */
export interface Ahead {
  /** Name of the graph's input that is made. */
  readonly input: string
  /** What the model takes instead. */
  readonly takes: OpenInput
  /** Writes the nodes. @returns the name of their result, which has the type and shape of the graph's input */
  emit(onnx: OnnxEmitter): string
}

/** How `toOnnx` writes a model. */
export interface ToOnnxOptions {
  /** Contents of the graph's parameters, by name; others than the graph's are not written. */
  readonly weights?: ReadonlyMap<string, Tensor>
  /** Make parameters inputs of the model, to be fed at every run, instead of writing weights (default: false). */
  readonly feedParameters?: boolean
  /**
   * Write trained weights in half precision, which halves the file (default: false). They are computed with in 32 bits:
   * ONNX Runtime widens them once, when it loads the model.
   */
  readonly halfWeights?: boolean
  /**
   * Write the model for sessions that compute each op on one thread alone (default: false). Some ops then have a form that is
   * faster, and wrong on more threads.
   */
  readonly oneThread?: boolean
  /** The graph's name in the file (default: pantin). */
  readonly name?: string
  /** Pairs kept with the model: what its inputs and outputs mean, for instance. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Nodes before the graph. */
  readonly ahead?: Ahead | undefined
}

/**
 * The live part of a graph as the bytes of an ONNX model. Its inputs and outputs have the graph's names;
 * equal graphs and weights give equal bytes.
 *
 * @throws InputError if a weight is missing or of another shape, two leaves share a name, or the model
 * passes the 2 GB that protobuf can hold.
 */
export function toOnnx(graph: Graph, options: ToOnnxOptions = {}): Uint8Array<ArrayBuffer> {
  const { weights = new Map<string, Tensor>(), feedParameters = false, halfWeights = false } = options
  const nodes = liveNodes(graph)
  const { inputs, parameters } = leavesOf(nodes)
  const { ahead } = options
  const fed: OpenInput[] = Array.from(inputs, ([name, { dtype, shape }]) =>
    name === ahead?.input ? ahead.takes : { name, dtype, shape },
  )
  const tensors = new Map<string, TensorProto>()
  const halves = new Set<string>()
  for (const [name, info] of parameters) {
    if (feedParameters) fed.push({ name, dtype: 'float32', shape: info.shape })
    else if (halfWeights && info.role === 'weight') {
      halves.add(name)
      tensors.set(name, halfProto(name, weightsOf(info, weights)))
    } else tensors.set(name, tensorProto(name, weightsOf(info, weights), info.role))
  }

  const leaves = new Set([...inputs.keys(), ...parameters.keys()])
  const taken = [...leaves, ...graph.outputs.keys(), ...fed.map(({ name }) => name)]
  const emitter = new NodeCollector(taken, readBy(graph, nodes), options.oneThread ?? false)
  if (ahead !== undefined) emitAhead(ahead, emitter)
  const names = emitNodes(nodes, emitter, halves)
  nameOutputs(graph, names, leaves, emitter)
  nameConstants(emitter, tensors)
  const initializer = byFirstUse(emitter.nodes, tensors)
  checkModelSize(emitter.nodes, initializer)

  const model = create(ModelProtoSchema, {
    irVersion,
    producerName: producer.name,
    producerVersion: producer.version,
    opsetImport: opsetImports(emitter.nodes),
    metadataProps: Object.entries(options.metadata ?? {}).map(([key, value]) => ({ key, value })),
    graph: {
      name: options.name ?? 'pantin',
      node: emitter.nodes,
      initializer,
      input: fed.map(valueInfo),
      output: Array.from(graph.outputs, ([name, { dtype, shape }]) => valueInfo({ name, dtype, shape })),
    },
  })
  return toBinary(ModelProtoSchema, model)
}

/** Values that a node or the outside reads. */
function readBy(graph: Graph, nodes: readonly Node[]): Set<Value> {
  const read = new Set(graph.outputs.values())
  for (const node of nodes) for (const input of node.inputs) read.add(input)
  return read
}

/** Writes the nodes before the graph. Their last one has the name of the graph's input. */
function emitAhead({ input, emit }: Ahead, emitter: NodeCollector): void {
  emitter.scope = 'picture'
  emitter.node('Identity', [emit(emitter)])
  emitter.nodes.at(-1)!.output = [input]
}

/** Writes every node's ONNX form. @returns the name that each value has in the file. */
function emitNodes(
  nodes: readonly Node[],
  emitter: NodeCollector,
  halves: ReadonlySet<string>,
): Map<Value, string> {
  const names = new Map<Value, string>()
  const widened = new Map<string, string>()
  for (const node of nodes) {
    emitter.scope = node.scope
    const inputs = node.inputs.map((input) => names.get(input)!)
    const own = node.op.emit(emitter, inputs, node.attrs, node)
    const emitted =
      node.inputs.length > 0
        ? own
        : own.map((name) => {
            if (!halves.has(name)) return name
            const wide = widened.get(name) ?? emitter.node('Cast', [name], { to: onnxTypeOf.float32 })[0]!
            widened.set(name, wide)
            return wide
          })
    node.outputs.forEach((output, i) => {
      const name = emitted[i]
      if (name !== undefined) names.set(output, name)
    })
  }
  emitter.scope = ''
  return names
}

/** Gives constants their names, in the order of their first use, instead of the placeholders. */
function nameConstants(emitter: NodeCollector, tensors: Map<string, TensorProto>): void {
  const names = new Map<number, string>()
  for (const node of emitter.nodes) {
    node.input = node.input.map((input) => {
      const index = placeholderIndex(input)
      if (index === undefined) return input
      const name = names.get(index) ?? emitter.freshName('constant')
      if (!names.has(index))
        tensors.set(name, tensorProto(name, emitter.constants.tensors[index]!, 'constant'))
      names.set(index, name)
      return name
    })
  }
}

/** Initializers in the order in which nodes read them: the same before and after a round trip. */
function byFirstUse(nodes: readonly NodeProto[], tensors: ReadonlyMap<string, TensorProto>): TensorProto[] {
  const used = new Set(nodes.flatMap((node) => node.input))
  return Array.from(used, (name) => tensors.get(name)).filter((tensor) => tensor !== undefined)
}

/** @param kind what pantin's importer makes of it: a parameter of that role, or a constant. */
function tensorProto(name: string, value: Tensor, kind: 'weight' | 'buffer' | 'constant'): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: value.shape.map(BigInt),
    dataType: onnxTypeOf[value.dtype],
    rawData: bytesOf(value),
    docString: kind,
  })
}

/** A weight in half precision, which `Cast` widens. */
function halfProto(name: string, value: Tensor<'float32'>): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: value.shape.map(BigInt),
    dataType: OnnxType.FLOAT16,
    rawData: toHalves(value.data),
    docString: 'weight',
  })
}

function valueInfo({ name, dtype, shape }: OpenInput): ValueInfoProto {
  const dim = shape.map((axis) => ({
    value:
      typeof axis === 'string'
        ? { case: 'dimParam' as const, value: axis }
        : { case: 'dimValue' as const, value: BigInt(axis) },
  }))
  const value = { elemType: onnxTypeOf[dtype], shape: { dim } }
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value } } })
}

/** The operator sets that the nodes come from; others than ONNX's own stand at version 1. */
function opsetImports(nodes: readonly NodeProto[]): { domain: string; version: bigint }[] {
  const others = [...new Set(nodes.map((node) => node.domain))].filter((domain) => domain !== '').sort()
  return [{ domain: '', version: BigInt(opsetVersion) }, ...others.map((domain) => ({ domain, version: 1n }))]
}

/**
 * Gives the graph's outputs their names in the file. What a node makes is renamed; a leaf, a constant, or a
 * value that already bears another output's name passes through an Identity.
 *
 * @param leaves names of the inputs and parameters.
 * @throws InputError if an output has the name of a leaf.
 */
export function nameOutputs(
  graph: Graph,
  names: ReadonlyMap<Value, string>,
  leaves: ReadonlySet<string>,
  emitter: NodeCollector,
): void {
  const renamed = new Map<string, string>()
  const made = new Set(emitter.nodes.flatMap((node) => node.output))
  const copies: [from: string, to: string][] = []
  for (const [output, value] of graph.outputs) {
    if (leaves.has(output)) throw leafName(output)
    const name = names.get(value)!
    if (made.has(name) && !renamed.has(name)) renamed.set(name, output)
    else copies.push([name, output])
  }
  const current = (name: string) => renamed.get(name) ?? name
  for (const node of emitter.nodes) {
    node.input = node.input.map(current)
    node.output = node.output.map(current)
  }
  for (const [from, to] of copies) {
    emitter.node('Identity', [current(from)])
    emitter.nodes.at(-1)!.output = [to]
  }
}

function leafName(name: string): InputError {
  return new InputError({
    what: `the output "${name}" has the name of an input or a parameter`,
    expected: 'a name of its own, since an ONNX file has one name for one value',
    remedy: 'give the output another name',
  })
}

/** Name, element type and shape of an input. */
export type InputInfo = NonNullable<ReturnType<typeof inputInfo>>

/** The inputs and parameters of a graph, by name, in the order of their making. */
export interface Leaves {
  readonly inputs: ReadonlyMap<string, InputInfo>
  readonly parameters: ReadonlyMap<string, ParameterInfo>
}

/**
 * Leaves of one name and shape are one: a network may stand twice in a graph and share its weights.
 *
 * @throws InputError if one name stands for two different things.
 */
export function leavesOf(nodes: readonly Node[]): Leaves {
  const inputs = new Map<string, InputInfo>()
  const parameters = new Map<string, ParameterInfo>()
  const described = new Map<string, string>()
  for (const node of nodes) {
    const input = inputInfo(node)
    const parameter = parameterInfo(node)
    const leaf = input ?? parameter
    if (leaf === undefined) continue
    const text = `${node.op.name} ${node.outputs[0]!.dtype}${formatShape(leaf.shape)}`
    const known = described.get(leaf.name) ?? text
    if (known !== text || leaf.name === '') throw nameClash(leaf.name, known, text)
    described.set(leaf.name, text)
    if (input !== undefined) inputs.set(input.name, input)
    if (parameter !== undefined) parameters.set(parameter.name, parameter)
  }
  return { inputs, parameters }
}

function nameClash(name: string, known: string, text: string): InputError {
  return new InputError({
    what: `the name "${name}" cannot stand for a leaf of the graph`,
    got: known === text ? text : `${known} and ${text}`,
    expected: 'a name of one letter or more, for leaves of one kind, type and shape',
    remedy: 'give them different names',
  })
}

/** The weights of one parameter. @throws InputError if they are missing or of another shape. */
export function weightsOf(
  { name, shape }: ParameterInfo,
  weights: ReadonlyMap<string, Tensor>,
): Tensor<'float32'> {
  const found = weights.get(name)
  if (found?.dtype === 'float32' && sameShape(found.shape, shape)) return found
  throw new InputError({
    what:
      found === undefined ? 'the weights lack a parameter' : 'a parameter has other weights than it needs',
    where: name,
    got: found === undefined ? `${weights.size} others` : `${found.dtype}${formatShape(found.shape)}`,
    expected: `float32${formatShape(shape)}`,
    remedy: 'give the weights of this very network, or initialise them first',
  })
}
