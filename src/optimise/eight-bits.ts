// A rewritten network in eight bits: which of its ops can compute so, which values need a scale, and the graph with both
// written in (quantise and dequantise pairs, as ONNX Runtime fuses them). Jacob et al. 2018.

import type { Graph, Node, Value } from '../graph/graph.ts'
import { constant, constantValue, inputInfo, parameterInfo } from '../graph/ops/leaf.ts'
import { dequantise, dequantised, fakeQuantise, roundWeights } from '../graph/ops/quantise.ts'
import { liveNodes, rewrite } from '../graph/rewrite.ts'
import { floats, scalar, sizeOf, type Tensor, tensor } from '../graph/tensor.ts'
import type { Weighted } from './rewrite-with.ts'

/** Scale and zero point of a value in uint8: x is about scale times (q - zero point). */
export type EightBitScale = readonly [scale: number, zeroPoint: number]

/** What of a network is computed in eight bits. Names are those of `nodeNames`, in the rewritten graph. */
export interface EightBitPlan {
  /** Tells the graph that the plan was made for from others: see `graphKey`. */
  readonly graph: string
  /** The ops that compute in eight bits. */
  readonly ops: readonly string[]
  /** Scales of values, by the names of the ops that give them; `name:1` is the second output. */
  readonly scales: Readonly<Record<string, EightBitScale>>
  /**
   * The greatest whole number of a weight: 127, or 63 for processors without instructions for products of eight bits,
   * which sum pairs of products in 16 bits.
   */
  readonly largestWeight: 127 | 63
}

/** Nodes that depend on what a graph is fed with. All others are weights, or computed from weights alone. */
export function fedNodes(graph: Graph): Set<Node> {
  const fed = new Set<Node>()
  for (const node of liveNodes(graph)) {
    if (inputInfo(node) !== undefined || node.inputs.some((value) => fed.has(value.node))) fed.add(node)
  }
  return fed
}

/**
 * A name for each live node that depends on what the graph is fed with: scope, op, and a count. It does not depend on what
 * stands elsewhere in the graph, nor on whether weights are computed in it.
 */
export function nodeNames(graph: Graph): Map<Node, string> {
  const counts = new Map<string, number>()
  return new Map(
    Array.from(fedNodes(graph), (node) => {
      const base = inputInfo(node)?.name ?? `${node.scope}/${node.op.name}`
      const count = counts.get(base) ?? 0
      counts.set(base, count + 1)
      return [node, count === 0 ? base : `${base}.${count}`]
    }),
  )
}

/** A short text that differs between graphs of other ops, shapes or scopes. Contents of weights do not count. */
export function graphKey(graph: Graph): string {
  let hash = 0x811c9dc5
  for (const [{ outputs }, name] of nodeNames(graph)) {
    const text = `${name}[${outputs.map(({ shape }) => shape.join()).join(';')}]`
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return (hash >>> 0).toString(16).padStart(8, '0')
}

/** The name of a value: that of its node, with a number for outputs after the first. */
export const valueName = ({ node, index }: Value, names: ReadonlyMap<Node, string>): string =>
  index === 0 ? names.get(node)! : `${names.get(node)}:${index}`

/** Kinds of ops that ONNX Runtime's CPU provider computes in eight bits, or moves without computing. */
export const eightBitKinds = [
  'conv',
  'relu',
  'add',
  'resize',
  'concat',
  'maxPool',
  'averagePool',
  'matmul',
  'reshape',
  'transpose',
  'slice',
  'split',
] as const

/** Kinds whose results are numbers of their input: both have one scale. */
const moving: ReadonlySet<string> = new Set(['resize', 'maxPool', 'reshape', 'transpose', 'slice', 'split'])
/** Kinds that ReLU is fused into. */
const rectifying: ReadonlySet<string> = new Set(['conv', 'matmul', 'add'])

const isFloat = ({ dtype }: Value) => dtype === 'float32'

/** A product of more matrices than this has small ones, such as those of samples, whose rounding costs more than they do. */
const mostMatrices = 64

/** The ops of a rewritten graph that can compute in eight bits. */
export function eightBitCandidates(
  graph: Graph,
  kinds: ReadonlySet<string> = new Set(eightBitKinds),
): Node[] {
  const fed = fedNodes(graph)
  return [...fed].filter(({ op, inputs, outputs }) => {
    if (!kinds.has(op.name) || !outputs.every(isFloat) || !inputs.every(isFloat)) return false
    if (op.name === 'matmul' && sizeOf(outputs[0]!.shape.slice(0, -2)) > mostMatrices) return false
    return op.name !== 'conv' || (fed.has(inputs[0]!.node) && !fed.has(inputs[1]!.node))
  })
}

/** What is known of values when the ops in eight bits are chosen. */
export interface EightBitValues {
  /** Values that need a scale. */
  readonly values: readonly Value[]
  /** For each of these values, the first value that shares its scale. */
  readonly sharing: ReadonlyMap<Value, Value>
}

/**
 * The values that are rounded if these ops compute in eight bits: everything that the ops read, and those of their
 * results that other ops of them read. What is read by others alone stays in float.
 *
 * @param isUnsigned whether a value has no number below 0; concatenated values share a scale if all have, or none
 */
export function eightBitValues(
  graph: Graph,
  ops: ReadonlySet<Node>,
  isUnsigned: (value: Value) => boolean,
): EightBitValues {
  const readers = readersOf(graph)
  const named = new Set(graph.outputs.values())
  const values = [...fedNodes(graph)]
    .flatMap(({ outputs }) => outputs)
    .filter((value) => {
      const reading = readers.get(value) ?? []
      if (!isFloat(value) || !reading.some((node) => ops.has(node))) return false
      const rectified = reading.length === 1 && reading[0]!.op.name === 'relu' && !named.has(value)
      return !(rectified && ops.has(value.node) && rectifying.has(value.node.op.name))
    })
  const parents = new Map<Value, Value>()
  const rootOf = (value: Value): Value => {
    let root = value
    for (let next = parents.get(root); next !== undefined; next = parents.get(root)) root = next
    return root
  }
  const rounded = new Set(values)
  for (const node of ops) {
    const read = node.inputs.filter((value) => rounded.has(value))
    const made = node.outputs.filter((value) => rounded.has(value))
    const [first] = made
    const joins =
      moving.has(node.op.name) ||
      (node.op.name === 'concat' &&
        first !== undefined &&
        read.every((value) => isUnsigned(value) === isUnsigned(first)))
    if (!joins) continue
    for (const value of [...read.slice(1), ...made]) {
      const [a, b] = [rootOf(read[0] ?? made[0]!), rootOf(value)]
      if (a !== b) parents.set(b, a)
    }
  }
  return { values, sharing: new Map(values.map((value) => [value, rootOf(value)])) }
}

function readersOf(graph: Graph): Map<Value, Node[]> {
  const readers = new Map<Value, Node[]>()
  for (const node of liveNodes(graph)) {
    for (const input of node.inputs) {
      const known = readers.get(input)
      if (known === undefined) readers.set(input, [node])
      else known.push(node)
    }
  }
  return readers
}

/** Scale and zero point for numbers from `low` to `high`, of which one is exactly 0. */
export function scaleOf(low: number, high: number): EightBitScale {
  const [least, most] = [Math.min(0, low), Math.max(0, high)]
  const scale = Math.fround((most - least) / 255) || 1
  return [scale, Math.min(255, Math.max(0, Math.round(-least / scale)))]
}

/** Whether a plan was made for this graph. Another version of the rewriting may make another graph. */
export const isPlanFor = (plan: EightBitPlan, graph: Graph): boolean => plan.graph === graphKey(graph)

/**
 * The network with a pair of quantise and dequantise behind each value that the plan has a scale for, and weights of
 * eight bits.
 *
 * @param network rewritten; the graph that the plan was made for
 */
export function withEightBits({ graph, weights }: Weighted, plan: EightBitPlan): Weighted {
  const names = nodeNames(graph)
  const ops = new Set(plan.ops)
  const contentOf = (value: Value): Tensor<'float32'> | undefined => {
    const name = parameterInfo(value.node)?.name
    const content = name === undefined ? constantValue(value) : weights.get(name)
    return content?.dtype === 'float32' ? content : undefined
  }
  const made = rewrite(graph, (node, inputs, target) => {
    const computes = ops.has(names.get(node) ?? '')
    const scaleAt = (value: Value | undefined) =>
      value === undefined ? undefined : plan.scales[valueName(value, names)]
    const scales = node.outputs.map(scaleAt)
    if (!computes && scales.every((scale) => scale === undefined)) return undefined
    return target.within(node.scope, () => {
      const rounded = computes ? roundStored(node, inputs, target, contentOf, scaleAt, plan) : inputs
      return target.apply(node.op, rounded, node.attrs).map((value, i) => {
        const scale = scales[i]
        if (scale === undefined) return value
        return fakeQuantise(value, constant(target, scalar(scale[0])), { zeroPoint: scale[1] })
      })
    })
  })
  return { graph: made, weights: readWeights(made, weights) }
}

/** The inputs of an op. Stored inputs become eight-bit numbers. */
function roundStored(
  node: Node,
  inputs: readonly Value[],
  target: Graph,
  contentOf: (value: Value) => Tensor<'float32'> | undefined,
  scaleAt: (value: Value | undefined) => EightBitScale | undefined,
  { largestWeight }: EightBitPlan,
): readonly Value[] {
  const { op, inputs: originals } = node
  const content = originals.map(contentOf)
  if (op.name === 'conv') {
    if (content[1] === undefined) return inputs
    const weights = roundWeights(content[1], 0, largestWeight)
    const scale = scaleAt(originals[0])
    const bias = content[2] && scale && roundBias(content[2], weights.scales, scale[0], target)
    return [inputs[0]!, dequantised(target, weights), ...(bias ? [bias] : inputs.slice(2))]
  }
  return inputs.map((input, i) => {
    const found = content[i]
    if (found === undefined) return input
    if (op.name !== 'matmul') return unsignedConstant(found, target)
    // One scale for each column of the second factor, if it is a matrix.
    const columns = i === 1 && found.shape.length === 2 ? 1 : undefined
    return dequantised(target, roundWeights(found, columns, largestWeight))
  })
}

/** A bias as int32, whose unit is that of the sums: scale of the input times scale of the weights. */
function roundBias(
  bias: Tensor<'float32'>,
  weights: Tensor<'float32'>,
  input: number,
  target: Graph,
): Value | undefined {
  const units = weights.data.map((scale) => scale * input)
  const steps = Array.from(bias.data, (x, i) => Math.round(x / units[i]!))
  if (!steps.every((step) => Math.abs(step) < 2 ** 30)) return undefined
  const values = tensor('int32', bias.shape, Int32Array.from(steps))
  return dequantise(constant(target, values), constant(target, floats(units)))
}

/** Something stored that is summed with values of uint8, or joined with them. */
function unsignedConstant({ shape, data }: Tensor<'float32'>, target: Graph): Value {
  const [scale, zeroPoint] = scaleOf(
    data.reduce((a, b) => Math.min(a, b), 0),
    data.reduce((a, b) => Math.max(a, b), 0),
  )
  const steps = data.map((x) => Math.min(255, Math.max(0, Math.round(x / scale) + zeroPoint)))
  const values = constant(target, tensor('uint8', shape, Uint8Array.from(steps)))
  return dequantise(values, constant(target, scalar(scale)), { zeroPoint })
}

function readWeights(graph: Graph, weights: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const read = new Set(liveNodes(graph).map((node) => parameterInfo(node)?.name))
  return new Map(Array.from(weights).filter(([name]) => read.has(name)))
}
