import { describe, expect, test } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input, matmul } from '../../src/graph/ops/index.ts'
import { floats } from '../../src/graph/tensor.ts'
import { createSession } from '../../src/runtime/node.ts'
import { parseProcessors, placeThreads } from '../../src/runtime/thread-affinity.ts'

describe('where threads are put', () => {
  test('workers of a pool on all processors are bound to all but the first that is allowed', () => {
    expect(placeThreads(2, true, [0, 1])).toEqual({ intraOpNumThreads: 2, affinities: '2' })
    expect(placeThreads(4, true, [0, 2, 3, 9])).toEqual({ intraOpNumThreads: 4, affinities: '3;4;10' })
  })

  test('pools that are smaller, do not spin, or have one processor are left alone', () => {
    expect(placeThreads(2, true, [0, 1, 2])).toEqual({ intraOpNumThreads: 2 })
    expect(placeThreads(2, false, [0, 1])).toEqual({ intraOpNumThreads: 2 })
    expect(placeThreads(1, true, [5])).toEqual({ intraOpNumThreads: 1 })
    expect(placeThreads(undefined, false, [0, 1])).toEqual({})
    expect(placeThreads(3, true, undefined)).toEqual({ intraOpNumThreads: 3 })
  })

  test('lists of processors are read as Linux writes them', () => {
    expect(parseProcessors('0')).toEqual([0])
    expect(parseProcessors('0-3,8,10-11')).toEqual([0, 1, 2, 3, 8, 10, 11])
    for (const broken of ['', 'all', '1-', '3-1', '-2', '0,,1'])
      expect(parseProcessors(broken)).toBeUndefined()
  })

  test('a session with bound threads computes', async () => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [64, 64])
    graph.output('y', matmul(x, x))
    const session = await createSession(graph, { device: 'cpu' })
    const ones = floats(new Float32Array(64 * 64).fill(1), [64, 64])
    const { y } = await session.run({ x: ones })
    expect(new Set(y!.data as Float32Array)).toEqual(new Set([64]))
    await session.close()
  })
})
