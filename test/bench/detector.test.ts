// The part `detector` of the bench: the published detector computes what pantin's computes, and all three are timed.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { benchDetector, detectorFigures } from '../../bench/src/detector.ts'
import { detectorForms, publishedDetector } from '../../bench/src/detector-models.ts'
import { countParameters, initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import type { Tensor } from '../../src/graph/tensor.ts'
import { publishedConfig } from '../../src/motion/config.ts'
import { detectorGraph } from '../../src/motion/model.ts'
import { createSession, evaluate } from '../../src/runtime/node.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { noise } from '../zoo/build.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-bench-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('the published detector computes what ours computes, with the published parameters', async () => {
  const [theirs, ours] = [publishedDetector(128), detectorGraph({ ...publishedConfig, size: 128 })]
  expect(countParameters(parametersOf(theirs))).toBe(14_215_368)
  const weights = initialise(parametersOf(ours), new Random(1))
  const frame = noise([1, 3, 128, 128], 1)
  const [a, b] = [await evaluate(theirs, { frame }, weights), await evaluate(ours, { frame }, weights)]
  for (const name of ['value', 'jacobian']) {
    a[name]!.data.forEach((value, i) => {
      expect(Number(value)).toBeCloseTo(Number(b[name]!.data[i]), 5)
    })
  }
})

describe('the bench', () => {
  it('times three detectors and leaves the graphs that it timed', async () => {
    const keep = join(folder, 'graphs')
    const { rows, rounds } = await benchDetector({ rounds: 1, keep })
    expect(rounds).toBe(1)
    expect(rows.map(({ form }) => form)).toEqual(detectorForms)
    expect(rows.map(({ params }) => params > 100_000)).toEqual([true, true, true])
    for (const { latency, ratio, target, reached } of rows) {
      expect(latency.min).toBeGreaterThan(0)
      expect(reached).toBe(ratio >= target)
    }
    expect(rows[1]!.largestDifference).toBeLessThan(1e-4)

    const frame = noise([1, 3, 256, 256], 1)
    const results: Record<string, Tensor>[] = []
    for (const form of detectorForms) {
      const session = await createSession(readFileSync(join(keep, `${form}.onnx`)), { device: 'cpu' })
      results.push(await session.run({ frame }))
      await session.close()
    }
    for (const { value, jacobian } of results) {
      expect([value!.shape, jacobian!.shape]).toEqual([
        [1, 10, 2],
        [1, 10, 2, 2],
      ])
    }
    results[0]!.jacobian!.data.forEach((number, i) => {
      expect(Number(results[1]!.jacobian!.data[i])).toBeCloseTo(Number(number), 4)
    })
    await expect(benchDetector({ rounds: 1, keep })).rejects.toThrow(InputError)
  })

  it('gives its figures for one thread and for two', async () => {
    const figures = await detectorFigures({ rounds: 1, threads: [1, 2] })
    expect(figures.map(({ name, target }) => [name, target])).toEqual([
      ['detector.exact.cpu.1thread', { atLeast: 1.7 }],
      ['detector.light.cpu.1thread', { atLeast: 10 }],
      ['detector.exact.cpu.2threads', { atLeast: 1.7 }],
      ['detector.light.cpu.2threads', { atLeast: 10 }],
    ])
    for (const { value, ratio, peer } of figures) expect(ratio).toBeCloseTo(peer!.value / value, 6)
  })

  it('stops when it is told to', async () => {
    await expect(benchDetector({ signal: AbortSignal.abort() })).rejects.toThrow('abort')
  })
})
