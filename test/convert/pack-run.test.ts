import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packRun } from '../../src/convert/export-folder.ts'
import { readSafetensors, readSafetensorsHeader } from '../../src/formats/safetensors/safetensors.ts'
import { openModel } from '../../src/model/open-model.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { InputError } from '../../src/util/errors.ts'
import { randomRun, scratch } from '../animate/support.ts'

const at = scratch()

test('a packed run is half as large, finds the same keypoints, and tells nothing of its training', async () => {
  const run = await randomRun(at('run'))
  const packed = await packRun(run, at('packed'))
  expect(packed.path).toBe(at('packed'))
  expect(readdirSync(at('packed')).sort()).toEqual(['config.json', 'weights.safetensors'])
  const text = readFileSync(at('packed/config.json'), 'utf8')
  expect(Object.keys(JSON.parse(text) as object)).toEqual(['pantin', 'model', 'training'])
  expect((JSON.parse(text) as { training: object }).training).toEqual({ fit: 'crop', crop: 'motion' })
  expect(text).not.toContain('puppet:1')
  // Names of keypoints depend on it.
  await packRun('puppet', at('puppet'))
  expect(readFileSync(at('puppet/config.json'), 'utf8')).toContain('"tie": "joints"')
  const { entries } = await readSafetensorsHeader(at('packed/weights.safetensors'))
  expect(new Set(Array.from(entries.values(), ({ dtype }) => dtype))).toEqual(new Set(['F16']))

  await using whole = await openModel(run, { device: 'cpu' })
  await using small = await openModel(at('packed'), { device: 'cpu' })
  const picture = stillPuppet({ seed: 5, size: 64 }).data
  const [a, b] = [await whole.detect(picture), await small.detect(picture)]
  const farthest = Math.max(...a.value.map((value, i) => Math.abs(value - b.value[i]!)))
  expect(farthest).toBeGreaterThan(0)
  expect(farthest).toBeLessThan(0.01)
  expect(small.hasGenerator).toBe(true)
})

test('a detector alone stays one, and a packed run is packed to the same weights', async () => {
  await packRun(await randomRun(at('alone'), { generator: false }), at('packed-alone'))
  await using model = await openModel(at('packed-alone'), { device: 'cpu' })
  expect(model.hasGenerator).toBe(false)
  await packRun(at('packed-alone'), at('twice'))
  const weights = (folder: string) => readSafetensors(join(folder, 'weights.safetensors'))
  expect((await weights(at('twice'))).tensors).toEqual((await weights(at('packed-alone'))).tensors)
})

test('nothing but a packed run is replaced, and that with force alone', async () => {
  const run = at('run')
  await expect(packRun(run, at('packed'))).rejects.toThrow(/replace it with force/)
  await packRun(run, at('packed'), { force: true })
  writeFileSync(at('packed/thesis.txt'), '')
  const refused = packRun(run, at('packed'), { force: true })
  await expect(refused).rejects.toThrow(InputError)
  await expect(refused).rejects.toThrow(/thesis\.txt/)
  await expect(packRun(run, run, { force: true })).rejects.toThrow(/other things/)
})
