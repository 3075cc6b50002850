import type { Node, Value } from '../graph/graph.ts'
import { isPlainConv, madeBy } from './pattern.ts'

/** A 3x3 convolution that keeps the size of a map that nearest neighbour doubled. */
export interface DoubledConv {
  /** The small map, [N, C, H, W]. */
  readonly x: Value
  /** [O, C, 3, 3] */
  readonly kernel: Value
  readonly bias: Value | undefined
}

export function doubledConv(node: Node | undefined): DoubledConv | undefined {
  if (node === undefined || !isPlainConv(node)) return undefined
  const [large, kernel, bias] = node.inputs as [Value, Value, Value | undefined]
  const x = doubled(large)
  const square = kernel.shape[2] === 3 && kernel.shape[3] === 3
  return x !== undefined && square && String(node.attrs.pads) === '1,1,1,1' ? { x, kernel, bias } : undefined
}

/** What `large` repeats twice along each axis. */
export function doubled(large: Value): Value | undefined {
  const resize = madeBy(large, 'resize')
  const x = resize?.inputs[0]
  if (x === undefined || resize?.attrs.mode !== 'nearest') return undefined
  return large.shape[2] === 2 * x.shape[2]! && large.shape[3] === 2 * x.shape[3]! ? x : undefined
}
