// Both halves of a split-shuffle block (layers/lednet.ts) as one grouped convolution, with the halves' maps transposed.

import type { Attrs, Graph, Node, Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { conv } from '../graph/ops/conv.ts'
import { take } from '../graph/ops/gather.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { concat, reshape, transpose } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { isUnstridedConv, madeBy, numbers, rewrite } from '../graph/rewrite.ts'
import { floats } from '../graph/tensor.ts'

/**
 * The halves of a split-shuffle block go through the same convolutions, columns and rows exchanged. With the
 * right half's maps transposed, both are one grouped convolution: four calls instead of eight, which on maps of
 * a few pixels take as long as their products do.
 *
 * Between blocks half of the channels change sides, and are transposed. With channels last, that and the shuffle
 * are one reading of rows: runs of channels of one pixel each.
 */
export function joinHalves(graph: Graph): Graph {
  const known = new Map<Value, Turned>()
  return rewrite(graph, (node, inputs, target) => {
    if (node.op.name !== 'reshape') return undefined
    const copied = target.within(node.scope, () => target.apply(node.op, inputs, node.attrs))
    const halves = matchHalves(copied[0]!.node)
    if (halves === undefined || !fits(halves.x)) return copied
    return target.within(node.scope, () => {
      const made = block(halves, arranged(known.get(halves.x) ?? asItIs(halves.x)))
      const value = upright(made)
      known.set(value, made)
      return [value]
    })
  })
}

/** Above, transposing costs more than calls. */
const mostPixels = 256
/** Rows that are read, at most; above, channels are sorted by a product first. */
const mostRows = 1024
/** Of channels in ONNX Runtime's kernels. */
const lane = 16

const fits = ({ shape: [n, c, h, w] }: Value) =>
  n === 1 && h === w && h! * w! <= mostPixels && (c! / 2) % lane === 0

/** A map with channels last, where some are transposed. */
interface Turned {
  /** [1, S, S, C] */
  readonly value: Value
  /** Which channel stands at each place. */
  readonly channels: readonly number[]
  /** Whether the map at each place is transposed. */
  readonly turned: readonly boolean[]
}

function asItIs(x: Value): Turned {
  const channels = Array.from({ length: x.shape[1]! }, (_, i) => i)
  return { value: transpose(x, [0, 2, 3, 1]), channels, turned: channels.map(() => false) }
}

/** Channels of the left half first, upright; then those of the right, transposed. */
function arranged(given: Turned): Turned {
  const half = given.channels.length / 2
  const sides = ({ channels }: Turned) => [
    ...channels.flatMap((channel, place) => (channel < half ? [place] : [])),
    ...channels.flatMap((channel, place) => (channel < half ? [] : [place])),
  ]
  const turned = given.channels.map((_, place) => place >= half)
  const moved = move(given, sides(given), turned)
  if (moved !== undefined) return moved
  const inOrder = sorted(given)
  return move(inOrder, sides(inOrder), turned, Number.POSITIVE_INFINITY)!
}

/** Within what came from either half in order of the channels, by a product with a permutation. */
function sorted({ value, channels, turned }: Turned): Turned {
  const c = channels.length
  const places = channels
    .map((_, place) => place)
    .sort((a, b) => Number(turned[a]) - Number(turned[b]) || channels[a]! - channels[b]!)
  const data = new Float32Array(c * c)
  places.forEach((place, i) => {
    data[place * c + i] = 1
  })
  const pixels = reshape(value, [-1, c])
  return {
    value: reshape(matmul(pixels, constant(value.graph, floats(data, [c, c]))), value.shape),
    channels: places.map((place) => channels[place]!),
    turned: places.map((place) => turned[place]!),
  }
}

/** @returns the channels of these places, transposed as asked; undefined if that reads too many rows. */
function move(
  { value, channels, turned }: Turned,
  places: readonly number[],
  asked: readonly boolean[],
  most = mostRows,
): Turned | undefined {
  const [, side, , c] = value.shape as [number, number, number, number]
  const flip = places.map((place, i) => turned[place] !== asked[i])
  const run = longestRun(places, flip)
  const runs = c / run
  if (side * side * runs > most) return undefined
  const rows = Array.from({ length: side * side * runs }, (_, i) => {
    const [pixel, to] = [Math.floor(i / runs), i % runs]
    const across = (pixel % side) * side + Math.floor(pixel / side)
    return (flip[to * run] ? across : pixel) * runs + places[to * run]! / run
  })
  const read = take(reshape(value, [side * side * runs, run]), rows, 0)
  return {
    value: reshape(read, value.shape),
    channels: places.map((place) => channels[place]!),
    turned: asked,
  }
}

/** Length of the runs of channels that stay together. */
function longestRun(places: readonly number[], flip: readonly boolean[]): number {
  const together = (run: number) =>
    places.every((place, i) =>
      i % run === 0 ? place % run === 0 : place === places[i - 1]! + 1 && flip[i] === flip[i - 1],
    )
  let run = places.length
  while (!together(run)) run /= 2
  return run
}

function block({ left, right }: Halves, { value, channels, turned }: Turned): Turned {
  const half = channels.length / 2
  const own = [channels.slice(0, half), channels.slice(half).map((channel) => channel - half)] as const
  let made = transpose(value, [0, 3, 1, 2])
  left.forEach((node, i) => {
    const side = (conv: Node, at: 0 | 1) => {
      const [, kernel, bias] = conv.inputs as [Value, Value, Value]
      const upright = at === 0 ? kernel : transpose(kernel, [0, 1, 3, 2])
      const read = i === 0 ? take(upright, own[at], 1) : upright
      return i === left.length - 1
        ? ([take(read, own[at], 0), take(bias, own[at], 0)] as const)
        : ([read, bias] as const)
    }
    const [[kl, bl], [kr, br]] = [side(node, 0), side(right[i]!, 1)]
    made = conv(made, concat([kl, kr], 0), concat([bl, br], 0), { ...grouped(node.attrs) })
    if (i < left.length - 1) made = relu(made)
  })
  const shuffled = channels.map((channel) => (channel < half ? 2 * channel : 2 * (channel - half) + 1))
  return { value: relu(add(transpose(made, [0, 2, 3, 1]), value)), channels: shuffled, turned }
}

const grouped = ({ pads, dilations }: Attrs) => ({
  pads: pads as readonly [number, number, number, number],
  dilations: dilations as readonly [number, number],
  group: 2,
})

/** [1, C, S, S], channels in their order. */
function upright(given: Turned): Value {
  const { channels } = given
  const places = channels.map((_, place) => place)
  const { value } = move(
    given,
    places,
    channels.map(() => false),
    Number.POSITIVE_INFINITY,
  )!
  return take(
    transpose(value, [0, 3, 1, 2]),
    places.map((channel) => channels.indexOf(channel)),
    1,
  )
}

/** A split-shuffle block (layers/lednet.ts), its norms folded away. */
interface Halves {
  readonly x: Value
  /** The convolutions of the left half, first to last; ReLUs stand between. */
  readonly left: readonly Node[]
  /** Those of the right half: the same, columns and rows exchanged. */
  readonly right: readonly Node[]
}

/** What makes the block whose shuffle ends in this node. */
function matchHalves(node: Node): Halves | undefined {
  const order = madeBy(node.inputs[0], 'transpose')
  const groups = madeBy(order?.inputs[0], 'reshape')
  const sum = madeBy(madeBy(groups?.inputs[0], 'relu')?.inputs[0], 'add')
  const joined = madeBy(sum?.inputs[1], 'concat')
  const x = sum?.inputs[0]
  if (x === undefined || joined?.attrs.axis !== 1 || joined.inputs.length !== 2) return undefined
  const shuffles =
    String(order!.attrs.order) === '0,2,1,3,4' &&
    groups!.outputs[0]!.shape[1] === 2 &&
    String(node.outputs[0]!.shape) === String(x.shape)
  const [left, right] = joined.inputs.map(chainTo) as [Chain, Chain]
  const split = left.from.node
  const splits =
    split.op.name === 'split' &&
    split === right.from.node &&
    split.inputs[0] === x &&
    [left.from.index, right.from.index].join() === '0,1' &&
    left.from.shape[1] === right.from.shape[1]
  const exchanged =
    left.convs.length > 0 &&
    left.convs.length === right.convs.length &&
    left.convs.every((conv, i) => areExchanged(conv, right.convs[i]!))
  return shuffles && splits && exchanged ? { x, left: left.convs, right: right.convs } : undefined
}

interface Chain {
  readonly from: Value
  readonly convs: readonly Node[]
}

/** Convolutions with a bias, of one width, with ReLUs between. */
function chainTo(value: Value): Chain {
  const convs: Node[] = []
  let from = value
  for (;;) {
    const conv = madeBy(convs.length === 0 ? from : madeBy(from, 'relu')?.inputs[0], 'conv')
    const keeps = conv && isUnstridedConv(conv) && conv.inputs.length === 3
    if (!keeps || String(conv.inputs[0]!.shape) !== String(value.shape)) return { from, convs }
    convs.unshift(conv)
    from = conv.inputs[0]!
  }
}

function areExchanged(a: Node, b: Node): boolean {
  const [top, leftmost, bottom, rightmost] = numbers(a.attrs.pads)
  const [o, i, h, w] = a.inputs[1]!.shape
  return (
    String(b.attrs.pads) === String([leftmost, top, rightmost, bottom]) &&
    String(b.attrs.dilations) === String(numbers(a.attrs.dilations).toReversed()) &&
    String(b.inputs[1]!.shape) === String([o, i, w, h])
  )
}
