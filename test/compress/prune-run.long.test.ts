// Pruning in turns; and compress with --prune, which times networks for seconds.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { compress } from '../../src/compress/compress.ts'
import { prune } from '../../src/compress/prune.ts'
import { scratch } from '../animate/support.ts'
import { few, model, untrained } from './pruned-network.ts'

const at = scratch()

test('channels go in turns, and the detector learns after each', async () => {
  const said: string[] = []
  const original = await untrained(at('run'))
  const options = { out: at('half'), part: 0.5, steps: 10, batch: 2, ...few }
  const found = await prune(original, ['puppet:1'], { ...options, onProgress: (what) => said.push(what) })
  expect(found.macs[1]).toBeLessThanOrEqual(0.5 * found.macs[0])
  const steps = said.flatMap((what) => what.match(/pruning (\d of \d): step/)?.[1] ?? [])
  expect(steps).toEqual([...Array(2).fill('1 of 3'), ...Array(2).fill('2 of 3'), ...Array(6).fill('3 of 3')])
})

test('compress keeps what is pruned, says what it costs, and has a limit for it alone', async () => {
  const original = await untrained(at('whole'))
  const asked = { device: 'webgpu', prune: 0.3, pruneSteps: 0, ...few } as const
  // What rounding may cost is nothing to pruning, which was asked for.
  const kept = await compress(original, ['puppet:1'], { out: at('kept'), maxDistance: 1e-9, ...asked })
  expect(kept.steps.map(({ name, kept }) => [name, kept])).toEqual([
    ['original', true],
    ['pruned', true],
    ['fp16', false],
    ['fp16-graph', false],
  ])
  const [whole, pruned] = kept.steps
  expect(pruned!.fileBytes).toBeLessThan(0.9 * whole!.fileBytes)
  expect(pruned!.times.detector).toBeDefined()
  expect(pruned!.difference.distance).toBeGreaterThan(1e-9)
  expect(kept.notices).toEqual([])

  const limit = { out: at('left'), maxPrunedDistance: 1e-9, target: 'latency', ...asked } as const
  const left = await compress(original, ['puppet:1'], limit)
  expect(left.steps.map(({ name, kept }) => [name, kept])).toEqual([
    ['original', true],
    ['pruned', false],
    ['fp16', false],
    ['fp16-graph', true],
  ])
  expect(left.notices).toEqual([expect.stringMatching(/left out: .* 1e-9 is allowed/)])
  expect(left.pruned!.macs[1]).toBeLessThan(left.pruned!.macs[0])
  const config = JSON.parse(readFileSync(at('left/config.json'), 'utf8')) as { model: unknown }
  expect(config.model).toEqual(JSON.parse(JSON.stringify(model)))
})

test('for size, eight bits are kept where they are slower; for latency, only where they are faster', async () => {
  const original = await untrained(at('targets'))
  const asked = { maxDistance: 2, calibration: 'minmax', ...few } as const
  const small = await compress(original, ['puppet:1'], { out: at('small'), target: 'size', ...asked })
  const [whole, smaller, rounded] = small.steps
  expect(smaller).toMatchObject({ name: 'fp16', kept: true })
  // Whether eight bits are faster has no say, so it is not measured before they are chosen.
  expect(small.trials.map(({ speed }) => speed)).toEqual(small.trials.map(() => null))
  expect(rounded).toMatchObject({ name: 'int8', kept: true })
  expect(rounded!.memoryBytes).toBeLessThan(0.6 * whole!.memoryBytes)

  const fast = await compress(original, ['puppet:1'], { out: at('fast'), target: 'latency', ...asked })
  const [first, half, last] = fast.steps
  expect(half).toMatchObject({ name: 'fp16', kept: false })
  expect(fast.trials.filter(({ speed }) => speed !== null).length).toBeGreaterThan(0)
  if (last!.kept) expect(last!.times.detector).toBeLessThan(first!.times.detector!)
  else expect(fast.verdicts.detector).toMatch(/float/)
  expect(fast.notices.length).toBe(last!.kept ? 0 : 1)
})

test('for latency, half precision is kept only if it was asked for, and a warning says that nothing is faster', async () => {
  const original = await untrained(at('halves'))
  const asked = { device: 'wasm', target: 'latency', maxDistance: 2, ...few } as const
  const kept = async (name: string, precision?: 'fp16') => {
    const options = { out: at(name), ...asked, ...(precision && { precision }) }
    const { steps, notices } = await compress(original, ['puppet:1'], options)
    expect(notices).toEqual([expect.stringMatching(/nothing .* faster on wasm/)])
    return steps.find(({ name }) => name === 'fp16')!.kept
  }
  expect([await kept('not-asked'), await kept('asked', 'fp16')]).toEqual([false, true])
})
