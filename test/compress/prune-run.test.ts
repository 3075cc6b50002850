import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { prune } from '../../src/compress/prune.ts'
import { readSafetensorsHeader } from '../../src/formats/safetensors/safetensors.ts'
import { openDetector } from '../../src/model/open-detector.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { InputError } from '../../src/util/errors.ts'
import { scratch } from '../animate/support.ts'
import { few, untrained } from './pruned-network.ts'

const at = scratch()
const picture = stillPuppet({ seed: 5, size: 32 }).data

test('a pruned run is a run like any other, with smaller kernels, and learns from the original', async () => {
  const original = await untrained(at('run'))
  const found = await prune(original, ['puppet:1'], {
    out: at('half'),
    part: 0.5,
    steps: 5,
    batch: 2,
    ...few,
  })
  expect(found.macs[1]).toBeLessThanOrEqual(0.5 * found.macs[0])
  expect(found.parameters[1]).toBeLessThan(0.7 * found.parameters[0])
  expect(found.difference.distance).toBeGreaterThan(0)

  const { entries } = await readSafetensorsHeader(at('half/weights.safetensors'))
  const config = JSON.parse(readFileSync(at('half/config.json'), 'utf8')) as {
    model: { detector: { widths: Record<string, number> } }
  }
  const { widths } = config.model.detector
  for (const [layer, width] of Object.entries(widths)) {
    const shape = entries.get(`kp_detector.${layer}.weight`)!.shape
    expect([shape[0], shape[1]]).toContain(width)
  }
  await using detector = await openDetector(at('half'), { device: 'cpu' })
  expect((await detector.detect(picture)).value).toHaveLength(6)

  // A pruned run is pruned again, by another ranking, without learning.
  const again = await prune(at('half'), ['puppet:1'], { out: at('less'), part: 0.2, by: 'norms', ...few })
  expect(again.macs[0]).toBe(found.macs[1])
  expect(again.macs[1]).toBeLessThanOrEqual(0.8 * again.macs[0])

  const all = prune(original, ['puppet:1'], { out: at('none'), part: 0.999, ...few })
  await expect(all).rejects.toThrow(InputError)
  expect(existsSync(at('none'))).toBe(false)
})
