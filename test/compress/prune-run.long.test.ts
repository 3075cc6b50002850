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

test('compress keeps what is pruned only if it is near enough', async () => {
  const original = await untrained(at('whole'))
  const asked = { device: 'webgpu', prune: 0.3, pruneSteps: 0, ...few } as const
  const kept = await compress(original, ['puppet:1'], { out: at('kept'), maxDistance: 2, ...asked })
  expect(kept.steps.map(({ name, kept }) => [name, kept])).toEqual([
    ['original', true],
    ['pruned', true],
    ['fp16', true],
  ])
  const [whole, pruned] = kept.steps
  expect(pruned!.fileBytes).toBeLessThan(0.9 * whole!.fileBytes)
  expect(pruned!.times.detector).toBeDefined()
  const left = await compress(original, ['puppet:1'], { out: at('left'), maxDistance: 1e-5, ...asked })
  expect(left.steps.map(({ name, kept }) => [name, kept])[1]).toEqual(['pruned', false])
  expect(left.pruned!.macs[1]).toBeLessThan(left.pruned!.macs[0])
  const config = JSON.parse(readFileSync(at('left/config.json'), 'utf8')) as { model: unknown }
  expect(config.model).toEqual(JSON.parse(JSON.stringify(model)))
})
