// The language that networks, losses and optimisers are written in: functions from values to values. The definition of each
// op is in the file of its family. The passes that every graph goes through before it runs are here.
import type { Attrs, Graph, Value } from '../graph.ts'
import { interpretNode, rewrite } from '../rewrite.ts'
import { sizeOf } from '../tensor.ts'
import { constant, constantValue, fromPlain, isLeaf, toPlain } from './leaf.ts'
import { dequantiseOp } from './quantise.ts'
import { reshape, reshapeOp } from './shape.ts'

export {
  add,
  addAll,
  div,
  expand,
  mul,
  neg,
  type Operand,
  type ReduceOptions,
  reduceMean,
  reduceSum,
  scalarOf,
  sub,
} from './arithmetic.ts'
export { gradient } from './autodiff.ts'
export { argMax, cast, clip, greater, greaterOrEqual, maximum, minimum, where } from './compare.ts'
export { type ConvOptions, type ConvTransposeOptions, conv, convTranspose } from './conv.ts'
export { gather, gatherRows, scatterAdd, scatterAddRows, take } from './gather.ts'
export {
  constant,
  filled,
  type Initial,
  input,
  like,
  type ParameterInfo,
  parameter,
  type Role,
} from './leaf.ts'
export { matmul } from './linear.ts'
export { batchNormalise, normalise } from './normalise.ts'
export { averagePool, maxPool, type PoolOptions, type ResizeMode, resize, sumPool } from './pool.ts'
export {
  dequantise,
  type EightBit,
  fakeQuantise,
  type QuantiseOptions,
  quantise,
} from './quantise.ts'
export { gridSample, type SamplePadding, sampleShifted, samplesAsRows } from './sampling.ts'
export { concat, pad, reshape, reverse, slice, sliceAxis, split, stack, transpose } from './shape.ts'
export {
  abs,
  exp,
  floor,
  isPositive,
  leakyRelu,
  log,
  pow,
  relu,
  sigmoid,
  sign,
  softmax,
  sqrt,
  square,
  tanh,
} from './unary.ts'

/** The same graph without dead code, with constants computed and common subexpressions shared. */
export function simplify(graph: Graph): Graph {
  return shareCommonSubexpressions(joinReshapes(foldConstants(graph)))
}

/** Of reshapes in a row only the last counts. */
function joinReshapes(graph: Graph): Graph {
  return rewrite(graph, ({ op, outputs: [y], scope }, [x], target) => {
    if (op !== reshapeOp || x!.node.op !== reshapeOp) return undefined
    return target.within(scope, () => [reshape(x!.node.inputs[0]!, y!.shape)])
  })
}

/** Makes one node of nodes that have the same op, inputs and attributes. */
function shareCommonSubexpressions(graph: Graph): Graph {
  const seen = new Map<string, readonly Value[]>()
  const tensors = new Map<unknown, string>()
  return rewrite(graph, (node, inputs, target) => {
    if (isLeaf(node)) return undefined
    const ids = inputs.map((input) => `${input.node.id}.${input.index}`)
    const key = `${node.op.name}(${ids.join(',')})${attrsKey(node.attrs, tensors)}`
    const found = seen.get(key)
    if (found !== undefined) return found
    const made = target.within(node.scope, () => target.apply(node.op, inputs, node.attrs))
    seen.set(key, made)
    return made
  })
}

/** A key that is equal for equal attributes; tensors are equal only to themselves. */
function attrsKey(attrs: Attrs, tensors: Map<unknown, string>): string {
  return JSON.stringify(attrs, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('data' in value)) return value
    const known = tensors.get(value) ?? `tensor ${tensors.size}`
    tensors.set(value, known)
    return known
  })
}

/**
 * Computes nodes whose inputs are all constant, if their results have at most `limit` elements. Weights of eight bits stay
 * so.
 */
function foldConstants(graph: Graph, limit = 1 << 16): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const known = inputs.flatMap((input) => constantValue(input) ?? [])
    if (inputs.length === 0 || known.length < inputs.length || node.op === dequantiseOp) return undefined
    if (node.outputs.some((output) => sizeOf(output.shape) > limit)) return undefined
    const results = interpretNode(node, known.map(toPlain))
    return node.outputs.map((output, i) => constant(target, fromPlain(output, results[i]!)))
  })
}
