// The bytes of an ONNX model to a graph, on its own or at a value of an existing graph.
import { Graph, type Value } from '../graph/graph.ts'
import { parameterInfo, type Role } from '../graph/ops/leaf.ts'
import { formatShape, sizeOf, type Tensor } from '../graph/tensor.ts'
import { FormatError, GraphError } from '../util/errors.ts'
import type { GraphProto, NodeProto, TensorProto } from './generated/onnx_pb.ts'
import { decodeModel, isOnnx } from './import/decode.ts'
import { elementwise, reductions } from './import/elementwise.ts'
import { type Bindings, bindInputs, largestRank, largestSize, readTensor } from './import/inputs.ts'
import { describeNode, type Entry, type Importer, leafOf, OnnxNode, type Stored } from './import/node.ts'
import { cuts, leaves, shapes } from './import/shapes.ts'
import { linear, pools, resampling } from './import/windows.ts'

/** How `fromOnnx` reads a model. */
export interface FromOnnxOptions extends Bindings {
  /** The graph to import into (default: a new one). Only a new one gets named outputs. */
  readonly target?: Graph
  /** Put before the names of parameters and scopes: `vgg` makes `vgg/features.0.weight`. */
  readonly prefix?: string
  /** What the model's weights are in the graph, where the file does not say (default: buffer, not trained). */
  readonly role?: Role
  /**
   * Names of values to return instead of the model's outputs: any that its nodes make, such as a network's
   * inner features. What they do not need is not imported.
   */
  readonly outputs?: readonly string[]
}

/** A model that was read from ONNX. */
export interface OnnxModel {
  /** The graph, whose parameters have the names of the initializers. */
  readonly graph: Graph
  /** The values that stand for the model's inputs: bound ones, or new inputs of the graph. */
  readonly inputs: ReadonlyMap<string, Value>
  /** The values that are the model's outputs, by name. */
  readonly outputs: ReadonlyMap<string, Value>
  /** Contents of the parameters that the outputs need, by the parameters' names. */
  readonly weights: ReadonlyMap<string, Tensor<'float32'>>
  /** Pairs that the file keeps with the model. */
  readonly metadata: ReadonlyMap<string, string>
}

/**
 * Reads the bytes of an ONNX model into a graph, on its own or at a value of an existing graph, from where
 * gradients then flow through it. Float initializers become parameters; whole numbers become constants.
 *
 * @throws FormatError if the bytes are damaged or use what pantin does not know. InputError if a
 * binding does not fit the model.
 */
export function fromOnnx(bytes: Uint8Array, options: FromOnnxOptions = {}): OnnxModel {
  const { graph: proto, opset, metadata } = decodeModel(bytes)
  const graph = options.target ?? new Graph()
  const wanted = options.outputs ?? proto.output.map(({ name }) => name)
  const nodes = neededNodes(proto, wanted)
  const entries = storedTensors(proto, readNames(nodes, wanted), options)
  const inputs = bindInputs(
    graph,
    proto.input.filter(({ name }) => !entries.has(name)),
    options,
  )
  for (const [name, value] of inputs) entries.set(name, value)
  for (const node of nodes) importNode(node, graph, opset, entries, options.prefix)

  const outputs = new Map<string, Value>()
  for (const name of wanted) {
    const entry = entries.get(name)
    if (entry === undefined) throw new FormatError({ what: `nothing in the model makes "${name}"` })
    outputs.set(name, leafOf(graph, entry))
  }
  if (options.target === undefined) for (const [name, value] of outputs) graph.output(name, value)
  return { graph, inputs, outputs, weights: usedWeights(entries.values()), metadata }
}

/** Names of the inputs that a model must be fed with. @throws FormatError if the bytes are damaged. */
export function inputNames(bytes: Uint8Array): string[] {
  const { graph } = decodeModel(bytes)
  const stored = new Set(graph.initializer.map(({ name }) => name))
  return graph.input.map(({ name }) => name).filter((name) => !stored.has(name))
}

/** The nodes that the wanted names need, in the file's order. */
function neededNodes({ node: nodes }: GraphProto, wanted: readonly string[]): NodeProto[] {
  const maker = new Map<string, NodeProto>()
  for (const node of nodes) {
    for (const name of node.output) {
      if (name === '') continue
      if (maker.has(name))
        throw new FormatError({ what: `two nodes make "${name}"`, where: describeNode(node) })
      maker.set(name, node)
    }
  }
  const needed = new Set<NodeProto>()
  const waiting = [...wanted]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const node = maker.get(name)
    if (node === undefined || needed.has(node)) continue
    needed.add(node)
    for (const input of node.input) waiting.push(input)
  }
  return nodes.filter((node) => needed.has(node))
}

const readNames = (nodes: readonly NodeProto[], wanted: readonly string[]) =>
  new Set([...wanted, ...nodes.flatMap((node) => node.input)])

/** The initializers that are read. */
function storedTensors(
  proto: GraphProto,
  read: ReadonlySet<string>,
  { prefix, role = 'buffer' }: FromOnnxOptions,
): Map<string, Entry> {
  if (proto.sparseInitializer.length > 0) throw new FormatError({ what: 'sparse weights are not known' })
  const entries = new Map<string, Entry>()
  for (const tensor of proto.initializer) {
    if (!read.has(tensor.name) || tensor.name === '') continue
    if (entries.has(tensor.name)) throw new FormatError({ what: `two tensors are called "${tensor.name}"` })
    entries.set(tensor.name, storedTensor(tensor, prefix, role))
  }
  return entries
}

/** pantin's own files say in the doc string what a tensor is. */
function storedTensor(proto: TensorProto, prefix: string | undefined, fallback: Role): Stored {
  const stored = readTensor(proto)
  const { docString, name } = proto
  if (stored.dtype !== 'float32' || docString === 'constant') return { stored }
  const role = docString === 'weight' || docString === 'buffer' ? docString : fallback
  return { stored, parameter: { name: scoped(prefix, name), role } }
}

const scoped = (prefix: string | undefined, name: string) =>
  prefix === undefined || prefix === '' ? name : name === '' ? prefix : `${prefix}/${name}`

function importNode(
  proto: NodeProto,
  graph: Graph,
  opset: number,
  entries: Map<string, Entry>,
  prefix: string | undefined,
): void {
  const importer = isOnnx(proto.domain) ? importers.get(proto.opType) : undefined
  if (importer === undefined) {
    throw new FormatError({
      what: `pantin does not know the op ${proto.domain === '' ? '' : `${proto.domain}.`}${proto.opType}`,
      where: describeNode(proto),
    })
  }
  const inputs = proto.input.map((name) => {
    if (name === '') return undefined
    return entries.get(name) ?? notMade(name, proto)
  })
  const node = new OnnxNode(proto, graph, opset, inputs)
  const results = within(graph, scoped(prefix, scopeOf(proto.name)), proto, () => importer(node))
  const list: readonly Entry[] = Array.isArray(results) ? results : [results as Entry]
  proto.output.forEach((name, i) => {
    const entry = list[i]
    if (name === '' || entry === undefined) return
    if (entries.has(name))
      throw new FormatError({ what: `"${name}" is made twice`, where: describeNode(proto) })
    if (!('stored' in entry)) checkSize(entry, proto)
    entries.set(name, entry)
  })
}

/** Builds under a scope; a shape rule's refusal is said of the ONNX node. */
function within<T>(graph: Graph, scope: string, proto: NodeProto, build: () => T): T {
  try {
    return scope === '' ? build() : graph.within(scope, build)
  } catch (error) {
    if (!(error instanceof GraphError)) throw error
    throw new FormatError({ ...error.problem, where: describeNode(proto) }, { cause: error })
  }
}

/** `encoder/layers.3` of `encoder/layers.3/Conv_1`. */
function scopeOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/'))).replace(/^\/+/, '')
}

function checkSize({ shape }: Value, proto: NodeProto): void {
  const ok =
    shape.length <= largestRank &&
    shape.every((n) => Number.isSafeInteger(n) && n > 0) &&
    sizeOf(shape) <= largestSize
  if (ok) return
  throw new FormatError({
    what: 'a value is out of bounds',
    where: describeNode(proto),
    got: formatShape(shape.slice(0, largestRank + 1)),
    expected: `at most ${largestRank} axes, none empty, and ${largestSize} elements`,
  })
}

function notMade(name: string, proto: NodeProto): never {
  throw new FormatError({
    what: `a node reads "${name}", which no node before it makes`,
    where: describeNode(proto),
    expected: 'nodes in the order of their computation, without cycles',
  })
}

/** Contents of the parameters that became leaves. */
function usedWeights(entries: Iterable<Entry>): Map<string, Tensor<'float32'>> {
  const weights = new Map<string, Tensor<'float32'>>()
  for (const entry of entries) {
    const info = 'stored' in entry && entry.leaf !== undefined ? parameterInfo(entry.leaf.node) : undefined
    if (info?.initial.kind === 'values') weights.set(info.name, info.initial.values)
  }
  return weights
}

const families = [cuts, elementwise, leaves, linear, pools, reductions, resampling, shapes]

/** How each ONNX op is read, by its type. */
export const importers: ReadonlyMap<string, Importer> = new Map(families.flatMap(Object.entries<Importer>))
