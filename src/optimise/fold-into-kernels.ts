// Norms that follow a convolution, branches beside it, and convolutions of the same map become part of one kernel.

import { Graph, type Node, type Value } from '../graph/graph.ts'
import { add, div, mul, sub } from '../graph/ops/arithmetic.ts'
import { constant } from '../graph/ops/leaf.ts'
import { concat, pad, reshape, split } from '../graph/ops/shape.ts'
import { sqrt } from '../graph/ops/unary.ts'
import { copyInto, liveNodes, madeBy, numbers, reachable, rewrite } from '../graph/rewrite.ts'
import { floats } from '../graph/tensor.ts'

/** Channel by channel, x times `scale` plus `shift`: vectors of one number per channel. */
interface ChannelAffine {
  readonly scale: Value
  readonly shift: Value
}

/** What a trained norm does: γ (x - μ) / σ + β. */
function normAffine(inputs: readonly Value[], attrs: Node['attrs']): ChannelAffine {
  const [, gamma, beta, mean, variance] = inputs as [Value, Value, Value, Value, Value]
  const scale = div(gamma, sqrt(add(variance, Number(attrs.epsilon))))
  return { scale, shift: sub(beta, mul(mean, scale)) }
}

/** The kernel and the bias of a convolution and of what is done to its channels, as one. */
function foldedInto(
  { scale, shift }: ChannelAffine,
  kernel: Value,
  bias: Value | undefined,
): { readonly kernel: Value; readonly bias: Value } {
  return {
    kernel: mul(kernel, reshape(scale, [-1, 1, 1, 1])),
    bias: bias === undefined ? shift : add(mul(bias, scale), shift),
  }
}

/**
 * A norm that follows a convolution becomes part of its kernel and bias (Jacob et al. 2018, section 3.2):
 * γ (conv(x) - μ) / σ + β is a convolution too, and one pass over memory less.
 */
export function foldNorms(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const conv = node.op.name === 'normalise' ? madeBy(inputs[0], 'conv') : undefined
    if (conv === undefined) return undefined
    return target.within(node.scope, () => {
      const [x, kernel, bias] = conv.inputs as [Value, Value, Value | undefined]
      const folded = foldedInto(normAffine(inputs, node.attrs), kernel, bias)
      return target.apply(conv.op, [x, folded.kernel, folded.bias], conv.attrs)
    })
  })
}

/**
 * The sum of parallel branches that read one map is one convolution, where the taps of each fall on taps of the
 * largest kernel (Ding et al. 2021, RepVGG, section 3.3). A branch is a convolution, a norm, a convolution and its
 * norm, or the map itself. Sums of more than two are joined two at a time.
 *
 * A branch that something else reads too would still have to be computed, so it stays.
 */
export function joinParallelConvs(graph: Graph): Graph {
  const isReadOnce = readOnce(graph)
  return rewrite(graph, (node, inputs, target) => {
    if (node.op.name !== 'add') return undefined
    return target.within(node.scope, () => {
      const [a, b] = node.inputs.map((original, i) => branchOf(original, inputs[i]!, isReadOnce))
      const found = a && b && (joined(a, b) ?? joined(b, a))
      return found && [found]
    })
  })
}

function readOnce(graph: Graph): (value: Value) => boolean {
  const readers = new Map<Value, number>()
  const values = [...liveNodes(graph).flatMap((node) => node.inputs), ...graph.outputs.values()]
  for (const value of values) readers.set(value, (readers.get(value) ?? 0) + 1)
  return (value) => readers.get(value) === 1
}

/** A convolution, or a map as it is, of which each channel may be scaled and shifted. */
interface Branch {
  readonly x: Value
  /** [N, C, H, W] */
  readonly shape: readonly number[]
  readonly conv?: Node
  /** The norm that comes last. */
  readonly norm?: Node
}

/** @param copy what has become of the original value in the graph that is being written */
function branchOf(original: Value, copy: Value, isReadOnce: (value: Value) => boolean): Branch {
  const { shape } = copy
  const itself = { x: copy, shape }
  if (!isReadOnce(original)) return itself
  const conv = madeBy(copy, 'conv')
  if (conv !== undefined) return { x: conv.inputs[0]!, shape, conv }
  const norm = madeBy(copy, 'normalise')
  if (norm === undefined) return itself
  const before = isReadOnce(original.node.inputs[0]!) ? madeBy(norm.inputs[0], 'conv') : undefined
  return before === undefined
    ? { x: norm.inputs[0]!, shape, norm }
    : { x: before.inputs[0]!, shape, conv: before, norm }
}

/** @returns undefined if the branches do not read one map, or the second reaches beyond the first's taps. */
function joined(large: Branch, small: Branch): Value | undefined {
  const { conv } = large
  if (conv === undefined || large.x !== small.x || String(large.shape) !== String(small.shape))
    return undefined
  const at = small.conv === undefined ? middleTap(conv) : firstTap(conv, small.conv)
  if (at === undefined) return undefined
  const most = weightsOf(large)
  const few = weightsOf(small, conv)
  const [, , kh, kw] = most.kernel.shape as [number, number, number, number]
  const [, , h, w] = few.kernel.shape as [number, number, number, number]
  const placed = pad(few.kernel, [0, 0, ...at], [0, 0, kh - h - at[0], kw - w - at[1]])
  const bias = most.bias && few.bias ? add(most.bias, few.bias) : (most.bias ?? few.bias)
  const kernel = add(most.kernel, placed)
  return large.x.graph.apply(conv.op, [large.x, kernel, ...(bias ? [bias] : [])], conv.attrs)[0]!
}

type Tap = readonly [row: number, column: number]

/** The tap that reads the pixel itself, where there is one. */
function middleTap({ attrs, inputs }: Node): Tap | undefined {
  if (numbers(attrs.strides).some((step) => step !== 1)) return undefined
  return tapAt(numbers(attrs.pads), numbers(attrs.dilations), [1, 1], inputs[1]!.shape)
}

/** The tap of the large kernel on which the small one's first falls, where all of them fall on taps. */
function firstTap(large: Node, small: Node): Tap | undefined {
  const alike = ['strides', 'group'].every((key) => String(large.attrs[key]) === String(small.attrs[key]))
  const few = small.inputs[1]!.shape.slice(2)
  const [rates, ownRates] = [numbers(large.attrs.dilations), numbers(small.attrs.dilations)]
  const inStep = few.every((taps, axis) => taps === 1 || rates[axis] === ownRates[axis])
  const [pads, ownPads] = [numbers(large.attrs.pads), numbers(small.attrs.pads)]
  const before = pads.map((pixels, side) => pixels - ownPads[side]!)
  return alike && inStep ? tapAt(before, rates, few, large.inputs[1]!.shape) : undefined
}

/** @param before pixels from the large kernel's first tap to the small one's */
function tapAt(
  before: readonly number[],
  rates: readonly number[],
  few: readonly number[],
  kernel: readonly number[],
): Tap | undefined {
  const tap = [before[0]! / rates[0]!, before[1]! / rates[1]!] as const
  const isInside = tap.every(
    (at, axis) => Number.isInteger(at) && at >= 0 && at + few[axis]! <= kernel[axis + 2]!,
  )
  return isInside ? tap : undefined
}

/** @param like whose groups the kernel has that leaves a map as it is */
function weightsOf({ x, conv, norm }: Branch, like = conv): { kernel: Value; bias: Value | undefined } {
  const [, kernel, bias] = conv?.inputs ?? [x, identity(x, Number(like?.attrs.group))]
  if (norm === undefined) return { kernel: kernel!, bias }
  return foldedInto(normAffine(norm.inputs, norm.attrs), kernel!, bias)
}

/** [C, C / groups, 1, 1] */
function identity(x: Value, groups: number): Value {
  const channels = x.shape[1]!
  const each = channels / groups
  const data = new Float32Array(channels * each)
  for (let c = 0; c < channels; c++) data[c * each + (c % each)] = 1
  return constant(x.graph, floats(data, [channels, each, 1, 1]))
}

/** Channels that ONNX Runtime's kernels on the CPU compute at once: fewer take as long. */
const lane = 16

/**
 * Convolutions of one map with equal kernels' sizes, strides and edges are one convolution, whose results are split, if that computes
 * fewer blocks of channels. The motion's shares, its occlusion map and its residual have 34, 1 and 2 channels: five blocks apart, and
 * three together.
 */
export function joinSiblings(graph: Graph): Graph {
  const families = siblingsIn(graph)
  if (families.length === 0) return graph
  const target = new Graph()
  // The first of a family needs the kernels of all.
  const early = copyInto(
    target,
    families.flat().flatMap(({ inputs }) => inputs.slice(1)),
  )
  const made = new Map<Node, Value>()
  const map = copyInto(target, graph.outputs.values(), (node, [x]) => {
    if (node.outputs.every((value) => early.has(value))) return node.outputs.map((value) => early.get(value)!)
    const family = families.find((nodes) => nodes.includes(node))
    if (family === undefined) return undefined
    if (!made.has(node)) {
      target.within(node.scope, () => {
        const together = (i: number) =>
          concat(
            family.map(({ inputs }) => early.get(inputs[i]!)!),
            0,
          )
        const rest = node.inputs.slice(1).map((_, i) => together(i + 1))
        const [all] = target.apply(node.op, [x!, ...rest], node.attrs) as [Value]
        const sizes = family.map(({ inputs }) => inputs[1]!.shape[0]!)
        split(all, 1, sizes).forEach((part, i) => {
          made.set(family[i]!, part)
        })
      })
    }
    return [made.get(node)!]
  })
  for (const [name, value] of graph.outputs) target.output(name, map.get(value)!)
  return target
}

/** Convolutions that are cheaper together, in order, family by family. */
function siblingsIn(graph: Graph): Node[][] {
  const families = new Map<string, Node[]>()
  const numberOf = new Map<Value, number>()
  for (const node of liveNodes(graph)) {
    if (node.op.name !== 'conv' || node.attrs.group !== 1 || !isOfWeights(node.inputs.slice(1))) continue
    const [x, kernel] = node.inputs as [Value, Value]
    if (!numberOf.has(x)) numberOf.set(x, numberOf.size)
    const key = JSON.stringify([numberOf.get(x), kernel.shape.slice(1), node.inputs.length, node.attrs])
    families.set(key, [...(families.get(key) ?? []), node])
  }
  const blocks = (channels: number) => Math.ceil(channels / lane)
  return [...families.values()].filter((nodes) => {
    const sizes = nodes.map(({ inputs }) => inputs[1]!.shape[0]!)
    const sum = (list: readonly number[]) => list.reduce((total, size) => total + size, 0)
    return blocks(sum(sizes)) < sum(sizes.map(blocks))
  })
}

/** Whether values depend on weights and constants alone. */
const isOfWeights = (values: readonly Value[]): boolean =>
  reachable(values).every(({ op }) => op.name !== 'input')
