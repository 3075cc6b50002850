// A TF.js graph model as a graph of pantin: the few kinds of nodes that light face networks consist of.
// TF.js keeps channels last. Here pictures are [N, C, H, W], and a picture is turned back where it is reshaped.
import { Graph, type Value } from '../../src/graph/graph.ts'
import {
  add,
  concat,
  constant,
  conv,
  input,
  leakyRelu,
  maxPool,
  pad,
  relu,
  reshape,
  sigmoid,
  transpose,
} from '../../src/graph/ops/index.ts'
import { sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import { FormatError } from '../../src/util/errors.ts'
import type { TfjsModel, TfjsNode } from './tfjs-model.ts'

/**
 * Translates a model for one picture.
 *
 * @returns a graph with the input `picture`, float32 [1, C, H, W], and an output for each node that no other node reads.
 * Outputs have the names and shapes of TF.js.
 * @throws FormatError for a node that is not known here, or a graph that is not whole.
 */
export function tfjsGraph({ nodes, constants }: TfjsModel): Graph {
  const graph = new Graph()
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const made = new Map<string, Value>()
  const underway = new Set<string>()

  const computed = (name: string): Value => {
    const known = made.get(name)
    if (known !== undefined) return known
    const node = byName.get(name)
    if (node === undefined || underway.has(name)) throw unusable(name, 'a value that nothing computes')
    underway.add(name)
    const value = translate(graph, node, { computed, weightsOf: (of) => numbersIn(constants, of) })
    made.set(name, value)
    return value
  }

  const read = new Set(nodes.flatMap((node) => node.input))
  for (const { name, op } of nodes) {
    if (!read.has(name) && op !== 'Const') graph.output(name, channelsLast(computed(name)))
  }
  return graph
}

/** What a node reads. */
interface Inputs {
  /** A value that is computed. */
  computed(name: string): Value
  /** A constant. */
  weightsOf(name: string): Tensor
}

function translate(graph: Graph, node: TfjsNode, { computed, weightsOf }: Inputs): Value {
  const { name, op, input: names } = node
  const nameAt = (i: number): string => names[i] ?? missing(name)
  const value = (i = 0) => computed(nameAt(i))
  const numbers = (i: number) => weightsOf(nameAt(i))
  switch (op) {
    case 'Placeholder':
      return input(graph, 'picture', 'float32', pictureShape(node))
    case 'Identity':
      return value()
    case '_FusedConv2D':
      return activated(convolution(value(), numbers(1), node, numbers(2)), node, () => numbers(3))
    case 'DepthwiseConv2dNative':
      return convolution(value(), numbers(1), node)
    case 'AddV2':
      return add(value(), value(1))
    case 'Prelu':
      return prelu(value(), numbers(1))
    case 'Relu':
      return relu(value())
    case 'Sigmoid':
      return sigmoid(value())
    case 'MaxPool':
      return pool(value(), node)
    case 'Pad':
      return padded(value(), wholes(numbers(1)))
    case 'ConcatV2':
      return concat([value(), value(1)], fromLast(wholes(numbers(2))[0]!))
    case 'Reshape': {
      const x = channelsLast(value())
      const shape = wholes(numbers(1))
      const rest = shape.reduce((product, n) => (n < 0 ? product : product * n), 1)
      return reshape(
        x,
        shape.map((n) => (n < 0 ? sizeOf(x.shape) / rest : n)),
      )
    }
    default:
      throw unusable(name, `a node of the kind ${op}`)
  }
}

function numbersIn(constants: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const found = constants.get(name)
  if (found === undefined) throw unusable(name, 'no weights of this name')
  return found
}

const wholes = ({ data }: Tensor): number[] => Array.from(data as ArrayLike<number>, Number)

/** [N, H, W, C] as [N, C, H, W], and the other way round; other values stay. */
const turned = (order: readonly number[]) => (x: Value) => (x.shape.length === 4 ? transpose(x, order) : x)
const channelsLast = turned([0, 2, 3, 1])

/** An axis of [N, H, W, C] as that of [N, C, H, W]. */
const fromLast = (axis: number): number => [0, 2, 3, 1][axis < 0 ? axis + 4 : axis]!

function pictureShape({ name, attr }: TfjsNode): number[] {
  const [, height, width, channels] = attr.shape?.shape.dim?.map(({ size }) => Number(size)) ?? []
  if (height === undefined || width === undefined || channels === undefined) throw unusable(name, 'no shape')
  return [1, channels, height, width]
}

/** Two numbers along height and width, from an attribute of [N, H, W, C]. */
function along(node: TfjsNode, attribute: 'strides' | 'dilations' | 'ksize'): [number, number] {
  const [, h, w] = node.attr[attribute]?.list.i?.map(Number) ?? [1, 1, 1, 1]
  return [h!, w!]
}

/** A kernel [kh, kw, I, O], or [kh, kw, C, M] of a depthwise convolution with M results for each channel. */
function convolution(x: Value, kernel: Tensor, node: TfjsNode, bias?: Tensor): Value {
  const [kh, kw, inputs, outputs] = kernel.shape as [number, number, number, number]
  const [strides, dilations] = [along(node, 'strides'), along(node, 'dilations')]
  const reach = [(kh - 1) * dilations[0] + 1, (kw - 1) * dilations[1] + 1] as const
  const stored = constant(x.graph, kernel)
  const depthwise = node.op === 'DepthwiseConv2dNative'
  const weights = depthwise
    ? reshape(transpose(stored, [2, 3, 0, 1]), [inputs * outputs, 1, kh, kw])
    : transpose(stored, [3, 2, 0, 1])
  return conv(x, weights, bias && constant(x.graph, bias), {
    strides,
    dilations,
    pads: padsOf(x, reach, strides, node),
    ...(depthwise && { group: inputs }),
  })
}

/** `SAME`: as few zeros as make ceil(side / stride) windows, the odd one at the end. `VALID`: none. */
function padsOf(
  { shape }: Value,
  reach: readonly [number, number],
  strides: readonly [number, number],
  { attr }: TfjsNode,
): [number, number, number, number] {
  if (decoded(attr.padding?.s) !== 'SAME') return [0, 0, 0, 0]
  const total = [0, 1].map((i) => {
    const windows = Math.ceil(shape[2 + i]! / strides[i]!)
    return Math.max((windows - 1) * strides[i]! + reach[i]! - shape[2 + i]!, 0)
  })
  const [h, w] = total as [number, number]
  return [Math.floor(h / 2), Math.floor(w / 2), Math.ceil(h / 2), Math.ceil(w / 2)]
}

/** The activation that is fused with a convolution, after its bias. */
function activated(x: Value, node: TfjsNode, slope: () => Tensor): Value {
  const [first, second, ...rest] = node.attr.fused_ops?.list.s?.map(decoded) ?? []
  if (first !== 'BiasAdd' || rest.length > 0) throw unusable(node.name, `fused with ${first}`)
  if (second === undefined) return x
  if (second === 'Relu') return relu(x)
  if (second === 'Prelu') return prelu(x, slope())
  throw unusable(node.name, `fused with ${second}`)
}

/** @param slope [1, 1, C] */
const prelu = (x: Value, slope: Tensor): Value =>
  leakyRelu(x, reshape(constant(x.graph, slope), [1, sizeOf(slope.shape), 1, 1]))

function pool(x: Value, node: TfjsNode): Value {
  const [kernel, strides] = [along(node, 'ksize'), along(node, 'strides')]
  return maxPool(x, kernel, { strides, pads: padsOf(x, kernel, strides, node) }).value
}

/** @param amounts [4, 2], before and after each axis of [N, H, W, C] */
function padded(x: Value, amounts: readonly number[]): Value {
  const order = [0, 3, 1, 2]
  return pad(
    x,
    order.map((axis) => amounts[2 * axis]!),
    order.map((axis) => amounts[2 * axis + 1]!),
  )
}

/** Texts in the JSON are base64. */
const decoded = (text = ''): string => Buffer.from(text, 'base64').toString('latin1')

const missing = (where: string): never => {
  throw unusable(where, 'a node without one of its inputs')
}

const unusable = (where: string, got: string) =>
  new FormatError({
    what: 'this TF.js graph cannot be translated',
    where,
    got,
    expected: 'convolutions, PReLU, pooling, padding, sums and reshapes, each with constant weights',
  })
