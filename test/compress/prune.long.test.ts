// Channels of every network of the zoo, by chance: see prune.test.ts.
import { describe, test } from 'vitest'
import { netNames } from '../../src/zoo/registry.ts'
import { expectSame, prunedByChance } from './pruned-network.ts'

/** 134 million weights of plain layers, of which each trial takes half a minute: one is enough. */
const heavy = 'fcn'

describe.each(netNames)('%s', (net) => {
  test.each(net === heavy ? (['light'] as const) : (['light', 'fomm'] as const))('head %s', async (head) => {
    await expectSame(prunedByChance(net, head))
  })

  test.skipIf(net === heavy)('most of it', async () => {
    await expectSame(prunedByChance(net, 'light', { part: 0.6, seed: 1 }))
  })
})
