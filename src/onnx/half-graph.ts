// An ONNX model in half precision, for GPUs that compute so: convolutions and what follows them, up to the heads. Inputs,
// outputs, heads, softmax, coordinates, statistics, and whatever depends on weights alone keep 32 bits.
import { create, toBinary } from '@bufbuild/protobuf'
import { toHalves } from '../graph/tensor.ts'
import { attributeProto } from './emitter.ts'
import {
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProto_DataType as OnnxType,
  type TensorProto,
  TensorProtoSchema,
} from './generated/onnx_pb.ts'
import { decodeBytes } from './import/decode.ts'

/** Ops that begin to compute in half precision: their time is most of a network's. */
const begins: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose'])
/** Ops that go on in half precision if all that they read from other nodes is so. None of them sums a whole map. */
const goesOn: ReadonlySet<string> = new Set([
  ...['Relu', 'LeakyRelu', 'PRelu', 'Clip', 'Sigmoid', 'Tanh', 'Elu', 'HardSigmoid', 'HardSwish'],
  ...['Add', 'Sub', 'Mul', 'MatMul', 'Concat', 'Resize', 'MaxPool', 'AveragePool'],
  ...['Reshape', 'Transpose', 'Slice', 'Split', 'Pad', 'Expand', 'Squeeze', 'Unsqueeze'],
  ...['DepthToSpace', 'SpaceToDepth', 'Flatten', 'Identity'],
])
/** Ops whose inputs after the first one have types of their own. */
const readsOne: ReadonlySet<string> = new Set(['Resize', 'Reshape', 'Slice', 'Split', 'Expand', 'Squeeze'])
/** Ops that give numbers of 32 bits, whatever they read first. Constants of a shape, as pantin writes them, are zeros. */
const givesFloats: ReadonlySet<string> = new Set(['DequantizeLinear', 'ConstantOfShape'])
/** Ops whose results are no numbers of 32 bits. */
const notFloat: ReadonlySet<string> = new Set([
  ...['Shape', 'Size', 'ArgMax', 'ArgMin', 'NonZero', 'QuantizeLinear'],
  ...['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'And', 'Or', 'Not', 'IsNaN', 'IsInf'],
])
/** The largest number of 16 bits. */
const largestHalf = 65_504

/**
 * The model with its middle in half precision. It takes and gives numbers of 32 bits, as before; its weights are half as large.
 *
 * @param bytes an ONNX model of `toOnnx`
 * @throws FormatError if the bytes hold no ONNX model
 */
export function inHalfPrecision(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const model = decodeBytes(bytes)
  const { graph } = model
  if (graph === undefined) return new Uint8Array(bytes)
  const stored = new Map(graph.initializer.map((one) => [one.name, one]))
  const outputs = new Set(graph.output.map(({ name }) => name))
  const facts = factsOf(
    graph.node,
    graph.input.map(({ name, type }) => [name, elemTypeOf(type)]),
    stored,
  )
  const precise = new Set([...headsOf(graph.node, outputs, facts), ...coordinatesOf(graph.node)])

  const nodes: NodeProto[] = []
  const halves = new Set<string>()
  const made = new Map<string, string>()
  const tensors = new Map<string, TensorProto>()
  const cast = (name: string, to: 'half' | 'float', output = `${name}/${to}`) => {
    const known = made.get(output)
    if (known !== undefined) return known
    const type = to === 'half' ? OnnxType.FLOAT16 : OnnxType.FLOAT
    const attribute = [attributeProto(output, 'to', type)]
    nodes.push(
      create(NodeProtoSchema, { name: output, opType: 'Cast', input: [name], output: [output], attribute }),
    )
    made.set(output, output)
    return output
  }
  const halfOf = (name: string) => {
    if (halves.has(name)) return name
    const tensor = stored.get(name)
    if (tensor === undefined) return cast(name, 'half')
    const twin = `${name}/half`
    tensors.set(twin, halfTensor(tensor, twin))
    return twin
  }
  for (const node of graph.node) {
    const floats = node.input.filter(
      (name, i) => facts.isFloat(name) && (i === 0 || !readsOne.has(node.opType)),
    )
    const fed = floats.filter((name) => facts.isFed(name))
    const computes =
      begins.has(node.opType) ||
      (goesOn.has(node.opType) && fed.length > 0 && fed.every((name) => halves.has(name)))
    const isHalf = computes && facts.isFed(node.output[0]!) && !precise.has(node) && floats.every(fits)
    const input = node.input.map((name) => {
      if (isHalf) return floats.includes(name) ? halfOf(name) : name
      return halves.has(name) ? cast(name, 'float') : name
    })
    const named = isHalf ? node.output.filter((name) => outputs.has(name)) : []
    const own = node.output.map((name) => (named.includes(name) ? `${name}/own` : name))
    nodes.push(create(NodeProtoSchema, { ...node, input, output: own }))
    if (!isHalf) continue
    for (const name of own) halves.add(name)
    for (const name of named) cast(`${name}/own`, 'float', name)
  }
  const read = new Set(nodes.flatMap((node) => node.input))
  const initializer = [...stored.values(), ...tensors.values()].filter(({ name }) => read.has(name))
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { ...model, graph: { ...graph, node: nodes, initializer } }),
  )

  /** Whether all numbers of a stored tensor can be written in 16 bits. */
  function fits(name: string): boolean {
    const tensor = stored.get(name)
    return tensor === undefined || floatsOf(tensor).every((x) => Math.abs(x) <= largestHalf)
  }
}

/** What the nodes' values are. */
interface Facts {
  /** Whether a value has numbers of 32 bits in the original. */
  isFloat(name: string): boolean
  /** Whether it depends on what the model is fed with. */
  isFed(name: string): boolean
}

function factsOf(
  nodes: readonly NodeProto[],
  inputs: readonly (readonly [name: string, elemType: number])[],
  stored: ReadonlyMap<string, TensorProto>,
): Facts {
  const isFloat = (type: number) => type === OnnxType.FLOAT
  const floats = new Set(inputs.flatMap(([name, type]) => (isFloat(type) ? [name] : [])))
  for (const [name, { dataType }] of stored) if (isFloat(dataType)) floats.add(name)
  const fed = new Set(inputs.map(([name]) => name))
  for (const { opType, input, output, attribute } of nodes) {
    if (input.some((name) => fed.has(name))) for (const name of output) fed.add(name)
    const to = opType === 'Cast' ? Number(attribute.find(({ name }) => name === 'to')?.i) : undefined
    // A choice has the type of what is chosen from; other ops have that of what they read first.
    const first = input[opType === 'Where' ? 1 : 0] ?? ''
    const makes =
      to === undefined ? !notFloat.has(opType) && (floats.has(first) || givesFloats.has(opType)) : isFloat(to)
    if (!makes) continue
    output.forEach((name, i) => {
      if (i === 0 || opType === 'Split') floats.add(name)
    })
  }
  return { isFloat: (name) => floats.has(name), isFed: (name) => fed.has(name) }
}

/** The nodes that coordinates come from: at an edge of the picture, a small error of a place is a large one of a colour. */
function coordinatesOf(nodes: readonly NodeProto[]): Set<NodeProto> {
  const names = new Set<string>()
  const found = new Set<NodeProto>()
  for (const node of [...nodes].reverse()) {
    if (node.output.some((name) => names.has(name))) {
      found.add(node)
      for (const name of node.input) names.add(name)
    } else if (node.opType === 'GridSample') names.add(node.input[1]!)
  }
  return found
}

/** The nodes that give heads: the last products before a softmax or an output. What follows them is none of their kind. */
function headsOf(
  nodes: readonly NodeProto[],
  outputs: ReadonlySet<string>,
  { isFed }: Facts,
): Set<NodeProto> {
  // A product with weights: the way to a head ends there.
  const multiplies = ({ opType, input }: NodeProto) =>
    begins.has(opType) || ((opType === 'MatMul' || opType === 'Gemm') && !input.every(isFed))
  const ends = new Set(outputs)
  const heads = new Set<NodeProto>()
  for (const node of [...nodes].reverse()) {
    const leads = node.opType === 'Softmax' || node.output.some((name) => ends.has(name))
    if (!leads) continue
    if (multiplies(node)) heads.add(node)
    else for (const name of node.input) ends.add(name)
  }
  return heads
}

const elemTypeOf = (
  type: { readonly value: { readonly case?: string | undefined; readonly value?: unknown } } | undefined,
) => (type?.value.case === 'tensorType' ? (type.value.value as { readonly elemType: number }).elemType : 0)

/** Numbers of a stored tensor of floats. */
const floatsOf = ({ rawData }: TensorProto): Float32Array => new Float32Array(rawData.slice().buffer)

const halfTensor = (tensor: TensorProto, name: string): TensorProto =>
  create(TensorProtoSchema, {
    name,
    ...{ dims: tensor.dims, docString: tensor.docString },
    dataType: OnnxType.FLOAT16,
    rawData: toHalves(floatsOf(tensor)),
  })
