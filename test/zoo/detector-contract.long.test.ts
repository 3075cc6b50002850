import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input } from '../../src/graph/ops/index.ts'
import { Scope } from '../../src/layers/scope.ts'
import { type DetectorOptions, detectKeypoints } from '../../src/motion/detector.ts'
import type { Head } from '../../src/motion/keypoints.ts'
import { netNames } from '../../src/zoo/registry.ts'
import { examine, notFinite } from './build.ts'

/** What every network of the registry must do as a detector's backbone. */

const detectorOf = (net: string, head: Head, jacobian = true): DetectorOptions => ({
  net,
  keypoints: 3,
  jacobian,
  temperature: 0.1,
  scaleFactor: 1,
  head,
  dilations: 'clipped',
})
const heads: readonly (Head & { readonly whole: boolean })[] = [
  { kind: 'light', channels: 8, stride: 2, skip: 'none', whole: true },
  { kind: 'light', channels: 8, stride: 4, skip: 'gated', whole: false },
  { kind: 'light', channels: 8, stride: 2, skip: 'all', whole: false },
  { kind: 'fomm', skip: 'none', whole: false },
  { kind: 'fomm', skip: 'sum', whole: true },
]

describe.each(netNames)('%s', (name) => {
  /** Weights of the backbone that are known to have a gradient. */
  const trained = new Set<string>()

  // The same backbone stands below each head. Below a head that is examined `whole`, each of its weights is asked for a
  // gradient; below the others, those that no head before had.
  it.each(heads)('carries the head %o', async ({ whole, ...head }) => {
    const isAsked = (weight: string) => whole || !weight.startsWith('predictor.') || !trained.has(weight)
    const { outputs, names, untrained } = await examine(
      [2, 3, 32, 64],
      (scope, x) => {
        const { keypoints, heatmap } = detectKeypoints(scope, x, detectorOf(name, head))
        return { value: keypoints.value, jacobian: keypoints.jacobian!, heatmap }
      },
      isAsked,
    )
    expect(outputs.value!.shape).toEqual([2, 3, 2])
    expect(outputs.jacobian!.shape).toEqual([2, 3, 2, 2])
    expect(notFinite(outputs)).toEqual([])
    for (const at of outputs.value!.data) expect(Math.abs(Number(at))).toBeLessThan(1 + 1e-5)
    expect(names.some((weight) => weight.startsWith('kp.'))).toBe(true)
    // A softmax over pixels does not see a bias of its map.
    expect(untrained.filter((weight) => weight !== 'kp.bias')).toEqual([])
    for (const weight of names) trained.add(weight)
  })

  it('detects without jacobians', () => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [1, 3, 32, 64])
    const scope = Scope.root(graph, { training: false })
    const { keypoints } = detectKeypoints(scope, x, detectorOf(name, heads[0]!, false))
    expect(keypoints.jacobian).toBeUndefined()
    expect(keypoints.value.shape).toEqual([1, 3, 2])
  })
})
