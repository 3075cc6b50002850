import type { Node, Value } from '../graph/graph.ts'
import { isUnstridedConv, madeBy, numbers } from './pattern.ts'

/** A split-shuffle block (layers/lednet.ts), its norms folded away. */
export interface Halves {
  readonly x: Value
  /** The convolutions of the left half, first to last; ReLUs stand between. */
  readonly left: readonly Node[]
  /** Those of the right half: the same, columns and rows exchanged. */
  readonly right: readonly Node[]
}

/** What makes the block whose shuffle ends in this node. */
export function matchHalves(node: Node): Halves | undefined {
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
