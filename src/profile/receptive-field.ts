import type { Node, Value } from '../graph/graph.ts'
import { type Shape, sameShape } from '../graph/tensor.ts'

/**
 * How far a result sees: for each value, how many pixels of the input picture reach one of its elements, and
 * how many pixels lie between neighbours. Walked from the input to the outputs through kernels, strides and
 * dilations. Anything that mixes all positions (a global mean, a softmax or a matrix product over pixels, a
 * sampling grid) sees the whole picture.
 */

type Pair = readonly [number, number]

/** What is known of a value [N, C, H, W] that depends on the picture. */
interface Sight {
  /** Pixels of the picture between neighbouring elements, along height and width. */
  readonly step: Pair
  /** Pixels that reach one element. */
  readonly reach: Pair
  /** Whether the last two axes are still rows and columns. */
  readonly spatial: boolean
  /** The shape that pixels had before they were put in one row, where they were. */
  readonly flattened?: Shape | undefined
}

/**
 * The receptive field of a graph's outputs along the axis where it is larger, in pixels of the input, by the
 * theory: what lies beyond the border of a small picture counts as well.
 *
 * @param nodes in the order of their making.
 * @param outputs the values to ask about.
 */
export function receptiveField(nodes: readonly Node[], outputs: Iterable<Value>): number {
  const sights = new Map<Value, Sight>()
  let whole: Pair = [1, 1]
  for (const node of nodes) {
    if (node.op.name === 'input') {
      const value = node.outputs[0]!
      whole = value.shape.slice(-2) as [number, number]
      sights.set(value, { step: [1, 1], reach: [1, 1], spatial: true })
      continue
    }
    const seen = node.inputs.flatMap((value) => sights.get(value) ?? [])
    if (seen.length === 0) continue
    const sight = unpooled(node, sights) ?? throughNode(node, merge(seen), whole)
    for (const value of node.outputs) sights.set(value, sight)
  }
  const reaches = Array.from(outputs, (value) => sights.get(value)?.reach ?? [0, 0])
  return Math.round(Math.max(...reaches.flat()))
}

/** Of several inputs: the farthest reach, and the grid of the finest. */
function merge(sights: readonly Sight[]): Sight {
  const along = (pick: (sight: Sight) => Pair, choose: typeof Math.max): Pair => [
    choose(...sights.map((sight) => pick(sight)[0])),
    choose(...sights.map((sight) => pick(sight)[1])),
  ]
  return {
    step: along(({ step }) => step, Math.min),
    reach: along(({ reach }) => reach, Math.max),
    spatial: sights.every(({ spatial }) => spatial),
    flattened: sights.find(({ flattened }) => flattened !== undefined)?.flattened,
  }
}

/**
 * Max unpooling moves values within the windows of its pool: it scatters to the pool's indices, and looks up by
 * them what depends on no picture. Other scattering and gathering mixes all positions.
 */
function unpooled({ op, inputs }: Node, sights: ReadonlyMap<Value, Sight>): Sight | undefined {
  if (op.name === 'gather' && !sights.has(inputs[0]!)) return sights.get(inputs[1]!)
  const pool = op.name === 'scatterAdd' ? poolOf(inputs[0]!) : undefined
  if (pool === undefined) return undefined
  const from = pool.inputs[0]!
  const { step } = sights.get(from)!
  return { ...merge([sights.get(inputs[1]!)!]), step, spatial: false, flattened: from.shape }
}

/** The max pool whose indices a value is, in whatever shape. */
function poolOf({ node, index }: Value): Node | undefined {
  if (node.op.name === 'reshape') return poolOf(node.inputs[0]!)
  return node.op.name === 'maxPool' && index === 1 ? node : undefined
}

const mixesAll: ReadonlySet<string> = new Set(['matmul', 'gridSample', 'gather', 'scatterAdd', 'take'])
const overAxes: ReadonlySet<string> = new Set(['reduceSum', 'reduceMean', 'softmax', 'argMax'])

function throughNode(node: Node, sight: Sight, whole: Pair): Sight {
  const { op, attrs, inputs, outputs } = node
  const from = inputs[0]!.shape
  const to = outputs[0]!.shape
  const everything = {
    ...sight,
    reach: [0, 1].map((i) => Math.max(sight.reach[i]!, whole[i]!)) as [number, number],
  }
  if (mixesAll.has(op.name)) return everything
  if (overAxes.has(op.name)) return mixesPixels(node, sight) ? everything : sight
  if (op.name === 'reshape') return reshaped(sight, from, to)
  if (!sight.spatial) return sight
  switch (op.name) {
    case 'conv':
      return window(sight, inputs[1]!.shape.slice(2), pair(attrs.strides), pair(attrs.dilations))
    case 'maxPool':
    case 'averagePool':
      return window(sight, pair(attrs.kernel), pair(attrs.strides), [1, 1])
    case 'convTranspose':
      return spread(sight, inputs[1]!.shape.slice(2), pair(attrs.strides), pair(attrs.dilations))
    case 'resize':
      return resized(sight, [from[2]! / to[2]!, from[3]! / to[3]!], attrs.mode !== 'nearest')
    case 'slice':
      return strided(sight, attrs.steps)
    case 'transpose':
      return { ...sight, spatial: keepsLastAxes(attrs.order) }
    default:
      return sight
  }
}

/** Reduces over rows or columns, or over an axis that pixels have become a part of. */
function mixesPixels({ attrs, inputs }: Node, { spatial }: Sight): boolean {
  const rank = inputs[0]!.shape.length
  const axes = typeof attrs.axis === 'number' ? [attrs.axis] : numbers(attrs.axes)
  return !spatial || axes.some((axis) => axis >= rank - 2)
}

function window({ step, reach }: Sight, kernel: readonly number[], strides: Pair, dilations: Pair): Sight {
  const along = (i: 0 | 1) => reach[i] + (kernel[i]! - 1) * dilations[i] * step[i]
  return { step: [step[0] * strides[0], step[1] * strides[1]], reach: [along(0), along(1)], spatial: true }
}

/** A transposed convolution: one result is reached by every stride-th tap. */
function spread({ step, reach }: Sight, kernel: readonly number[], strides: Pair, dilations: Pair): Sight {
  const taps = (i: 0 | 1) => Math.ceil(((kernel[i]! - 1) * dilations[i] + 1) / strides[i])
  const along = (i: 0 | 1) => reach[i] + (taps(i) - 1) * step[i]
  return { step: [step[0] / strides[0], step[1] / strides[1]], reach: [along(0), along(1)], spatial: true }
}

/** Bilinear resizing reads two neighbours along each axis that it changes. */
function resized({ step, reach }: Sight, factors: Pair, bilinear: boolean): Sight {
  const along = (i: 0 | 1) => reach[i] + (bilinear && factors[i] !== 1 ? step[i] : 0)
  return { step: [step[0] * factors[0], step[1] * factors[1]], reach: [along(0), along(1)], spatial: true }
}

function strided(sight: Sight, steps: unknown): Sight {
  const [y, x] = numbers(steps).slice(-2) as [number, number]
  return { ...sight, step: [sight.step[0] * y, sight.step[1] * x] }
}

/** In one row pixels are no longer rows and columns; back in their shape they are. */
function reshaped(sight: Sight, from: Shape, to: Shape): Sight {
  if (!sight.spatial && sight.flattened !== undefined && sameShape(sight.flattened, to)) {
    return { ...sight, spatial: true, flattened: undefined }
  }
  const flattened = sight.spatial ? from : sight.flattened
  return keepsPixels(from, to) ? sight : { ...sight, spatial: false, flattened }
}

const keepsPixels = (from: readonly number[], to: readonly number[]) =>
  to.length >= 2 && from.at(-1) === to.at(-1) && from.at(-2) === to.at(-2)

const keepsLastAxes = (order: unknown) =>
  numbers(order).every((axis, i, all) => i < all.length - 2 || axis === i)

/** Attributes are plain data whose form the op's own file knows. */
const numbers = (attr: unknown): readonly number[] => (Array.isArray(attr) ? attr : [])
const pair = (attr: unknown): Pair => numbers(attr) as Pair
