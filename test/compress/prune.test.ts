import { describe, expect, test } from 'vitest'
import { channelGroups } from '../../src/compress/channel-groups.ts'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { add, concat, mul, reduceMean, sigmoid, softmax } from '../../src/graph/ops/index.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { batchNorm2d, conv2d, convTranspose2d, depthwise, pointwise } from '../../src/layers/conv2d.ts'
import { Scope } from '../../src/layers/scope.ts'
import { channelShuffle } from '../../src/layers/shufflenet.ts'
import { expectSame, prunedByChance } from './pruned-network.ts'

/** The groups of a network, each as its places of parameters: `a.weight 0:3`, with `>` for a place that reads. */
function groupsOf(build: (scope: Scope, x: Value) => Value): string[] {
  const graph = new Graph()
  const picture = input(graph, 'x', 'float32', [1, 3, 8, 8])
  graph.output('y', build(Scope.root(graph, { training: false }), picture))
  return channelGroups(graph).groups.map(({ slices }) =>
    slices.map(({ name, axis, index, reads }) => `${reads ? '>' : ''}${name} ${axis}:${index}`).join(', '),
  )
}

const plain = (scope: Scope, name: string, x: Value, outputs: number) =>
  conv2d(scope.child(name), x, outputs, { kernel: 3, bias: false })

describe('groups', () => {
  test('a convolution begins channels, a norm belongs to them, and another convolution reads them', () => {
    const found = groupsOf((scope, x) =>
      plain(scope, 'b', batchNorm2d(scope.child('norm'), conv2d(scope.child('a'), x, 2, { kernel: 1 })), 3),
    )
    const norm = ['weight', 'bias', 'running_mean', 'running_var'].map((name) => `norm.${name}`)
    expect(found).toEqual(
      [0, 1].map((i) =>
        [
          `a.weight 0:${i}`,
          `>b.weight 1:${i}`,
          `a.bias 0:${i}`,
          ...norm.map((name) => `${name} 0:${i}`),
        ].join(', '),
      ),
    )
  })

  test('channels that are added up go together, and a depthwise convolution passes them on', () => {
    const found = groupsOf((scope, x) => {
      const a = plain(scope, 'a', x, 2)
      const b = depthwise(scope.child('d'), plain(scope, 'b', x, 2), { kernel: 3 })
      return plain(scope, 'c', add(a, b), 1)
    })
    expect(found).toEqual(
      [0, 1].map((i) => `a.weight 0:${i}, b.weight 0:${i}, d.weight 0:${i}, >c.weight 1:${i}`),
    )
  })

  test('channels that are joined stay apart, and transposed kernels have their axes the other way round', () => {
    const found = groupsOf((scope, x) => {
      const joined = concat([plain(scope, 'a', x, 2), plain(scope, 'b', x, 1)], 1)
      return plain(
        scope,
        'd',
        convTranspose2d(scope.child('c'), joined, 1, { kernel: 2, stride: 2, bias: false }),
        1,
      )
    })
    expect(found).toEqual([
      'a.weight 0:0, >c.weight 0:0',
      'a.weight 0:1, >c.weight 0:1',
      'b.weight 0:0, >c.weight 0:2',
      'c.weight 1:0, >d.weight 1:0',
    ])
  })

  test('a shuffle and groups of a convolution keep as many channels in each part', () => {
    const shuffled = groupsOf((scope, x) => plain(scope, 'b', channelShuffle(plain(scope, 'a', x, 6), 2), 1))
    expect(shuffled).toEqual(
      [0, 1, 2].map(
        (i) => `a.weight 0:${i}, a.weight 0:${i + 3}, >b.weight 1:${2 * i}, >b.weight 1:${2 * i + 1}`,
      ),
    )
    const grouped = groupsOf((scope, x) =>
      plain(scope, 'c', pointwise(scope.child('b'), plain(scope, 'a', x, 4), 4, { groups: 2 }), 1),
    )
    expect(grouped).toEqual([
      ...[0, 1].map((i) => `a.weight 0:${i}, a.weight 0:${i + 2}, >b.weight 1:${i}`),
      ...[0, 1].map((i) => `b.weight 0:${i}, b.weight 0:${i + 2}, >c.weight 1:${i}, >c.weight 1:${i + 2}`),
    ])
  })

  test('one map for all channels ties none of them', () => {
    const found = groupsOf((scope, x) => {
      const a = plain(scope, 'a', x, 2)
      return plain(scope, 'c', mul(a, sigmoid(plain(scope, 'gate', a, 1))), 1)
    })
    expect(found).toEqual([0, 1].map((i) => `a.weight 0:${i}, >gate.weight 1:${i}, >c.weight 1:${i}`))
  })

  test('what other ops read stays, and so do results', () => {
    expect(groupsOf((scope, x) => plain(scope, 'a', x, 4))).toEqual([])
    const reads: ((a: Value) => Value)[] = [(a) => reduceMean(a, [1], { keep: true }), (a) => softmax(a, 1)]
    for (const read of reads)
      expect(groupsOf((scope, x) => plain(scope, 'b', read(plain(scope, 'a', x, 4)), 1))).toEqual([])
  })
})

describe('networks without some channels compute what they do with zeros in them', () => {
  // Shuffles and splits; sums; joins; pooling indices; depthwise convolutions.
  test.each(['lednet', 'erfnet', 'edanet', 'enet', 'ficelle'])('%s', async (net) => {
    await expectSame(prunedByChance(net, 'light'))
  })
})
