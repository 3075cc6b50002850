import type { Value } from '../graph/graph.ts'
import { refuse } from '../graph/op.ts'
import { reshape, transpose } from '../graph/ops/shape.ts'
import type { Block } from './block.ts'

/**
 * Channel shuffle (Zhang et al. 2018, ShuffleNet, section 3.1): the channels, read as `groups` rows, are
 * written column by column, so that what follows sees channels of every group.
 *
 * ```
 * a1 a2 a3 a4
 * b1 b2 b3 b4   to   a1 b1 a2 b2 a3 b3 a4 b4
 * ```
 *
 * Parameters: 0. Multiply-adds: 0. It moves all C H W numbers through memory, though.
 *
 * @param x [N, C, H, W], C a multiple of `groups`
 * @returns the same shape
 * @throws GraphError if C is not.
 */
export function channelShuffle(x: Value, groups: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  if (c % groups !== 0) refuse('channels do not divide into groups', { got: `${c} into ${groups}` })
  const rows = reshape(x, [n, groups, c / groups, h, w])
  return reshape(transpose(rows, [0, 2, 1, 3, 4]), [n, c, h, w])
}

export const channelShuffleBlock: Block = {
  name: 'channel-shuffle',
  title: 'Channel shuffle',
  file: 'channel-shuffle.ts',
  usedBy: ['lednet', 'lednet-official', 'lednet-figure'],
  examples: [
    {
      label: '128 channels in 2 groups',
      input: [1, 128, 8, 8],
      build: (_scope, x) => channelShuffle(x, 2),
      cost: { params: 0, macs: 0 },
    },
  ],
}
