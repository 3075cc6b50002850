import type { Value } from '../graph/graph.ts'
import { refuse } from '../graph/op.ts'
import { reshape, transpose } from '../graph/ops/shape.ts'

/**
 * Channel shuffle (Zhang et al. 2018, ShuffleNet): the channels, read as `groups` rows, are written column
 * by column, so that what follows sees channels of every group.
 *
 * @param x [N, C, H, W], C a multiple of `groups`
 * @throws GraphError if C is not.
 */
export function channelShuffle(x: Value, groups: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  if (c % groups !== 0) refuse('channels do not divide into groups', { got: `${c} into ${groups}` })
  const rows = reshape(x, [n, groups, c / groups, h, w])
  return reshape(transpose(rows, [0, 2, 1, 3, 4]), [n, c, h, w])
}
