// The receptive field of a graph's values, in pixels of the input picture. It is found by a walk from the input to the
// outputs, through the reach that each op declares. An op that mixes all positions sees the whole picture: a global
// mean, a softmax or a matrix product over pixels, a sampling grid.

import type { Node, Value } from '../graph/graph.ts'
import { type Pair, reachOf } from '../graph/op.ts'
import { gatherOp, scatterAddOp } from '../graph/ops/gather.ts'
import { inputOp } from '../graph/ops/leaf.ts'
import { maxPoolOp } from '../graph/ops/pool.ts'
import { reshapeOp } from '../graph/ops/shape.ts'
import { type Shape, sameShape } from '../graph/tensor.ts'

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
    if (node.op === inputOp) {
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
  if (op === gatherOp && !sights.has(inputs[0]!)) return sights.get(inputs[1]!)
  const pool = op === scatterAddOp ? poolOf(inputs[0]!) : undefined
  if (pool === undefined) return undefined
  const from = pool.inputs[0]!
  const { step } = sights.get(from)!
  return { ...merge([sights.get(inputs[1]!)!]), step, spatial: false, flattened: from.shape }
}

/** The max pool whose indices a value is, in whatever shape. */
function poolOf({ node, index }: Value): Node | undefined {
  if (node.op === reshapeOp) return poolOf(node.inputs[0]!)
  return node.op === maxPoolOp && index === 1 ? node : undefined
}

function throughNode(node: Node, sight: Sight, whole: Pair): Sight {
  const [from, to] = [node.inputs[0]!.shape, node.outputs[0]!.shape]
  const along = (i: 0 | 1) => Math.max(sight.reach[i], whole[i])
  const everything = { ...sight, reach: [along(0), along(1)] } as const
  const reach = reachOf(node)
  if (reach === 'picture' || reach === 'samples') return everything
  if (reach === 'reshape') return reshaped(sight, from, to)
  if (reach === 'place') return sight
  if (reach.by === 'axes') return mixesPixels(reach.axes, from.length, sight) ? everything : sight
  if (!sight.spatial) return sight
  switch (reach.by) {
    case 'kernel':
      return window(sight, reach.kernel, reach.strides, reach.dilations)
    case 'pool':
      return window(sight, reach.kernel, reach.strides, [1, 1])
    case 'transposed kernel':
      return spread(sight, reach.kernel, reach.strides, reach.dilations)
    case 'resize':
      return resized(sight, reach.factors, reach.bilinear)
    case 'steps':
      return strided(sight, reach.steps)
    case 'order':
      return { ...sight, spatial: keepsLastAxes(reach.order) }
  }
}

/** Whether these axes are rows or columns, or may be an axis that pixels have become a part of. */
const mixesPixels = (axes: readonly number[], rank: number, { spatial }: Sight): boolean =>
  !spatial || axes.some((axis) => axis >= rank - 2)

function window({ step, reach }: Sight, kernel: Pair, strides: Pair, dilations: Pair): Sight {
  const along = (i: 0 | 1) => reach[i] + (kernel[i] - 1) * dilations[i] * step[i]
  return { step: [step[0] * strides[0], step[1] * strides[1]], reach: [along(0), along(1)], spatial: true }
}

/** A transposed convolution: one result is reached by every stride-th tap. */
function spread({ step, reach }: Sight, kernel: Pair, strides: Pair, dilations: Pair): Sight {
  const taps = (i: 0 | 1) => Math.ceil(((kernel[i] - 1) * dilations[i] + 1) / strides[i])
  const along = (i: 0 | 1) => reach[i] + (taps(i) - 1) * step[i]
  return { step: [step[0] / strides[0], step[1] / strides[1]], reach: [along(0), along(1)], spatial: true }
}

/** Bilinear resizing reads two neighbours along each axis that it changes. */
function resized({ step, reach }: Sight, factors: Pair, bilinear: boolean): Sight {
  const along = (i: 0 | 1) => reach[i] + (bilinear && factors[i] !== 1 ? step[i] : 0)
  return { step: [step[0] * factors[0], step[1] * factors[1]], reach: [along(0), along(1)], spatial: true }
}

function strided(sight: Sight, steps: readonly number[]): Sight {
  const [y, x] = steps.slice(-2) as [number, number]
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

const keepsLastAxes = (order: readonly number[]) =>
  order.every((axis, i, all) => i < all.length - 2 || axis === i)
