// Models: opening, results, rewriting, disposal, and run folders that cannot be used.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import type { KeypointDetector } from '../../src/model/keypoint-detector.ts'
import { openDetector } from '../../src/model/open-detector.ts'
import { type MotionModel, openModel } from '../../src/model/open-model.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { FormatError, InputError } from '../../src/util/errors.ts'
import { randomRun, scratch } from '../animate/support.ts'
import { expectFailure } from '../media/support.ts'

const at = scratch()
const run = await randomRun(at('run'))

describe('a model', () => {
  it('finds keypoints in range and makes a picture of its own size', async () => {
    const model = await openModel({ path: run }, { device: 'cpu' })
    const { data } = stillPuppet({ seed: 4, size: 64 })
    const kp = await model.detect(data)
    expect(kp.value).toHaveLength(10)
    expect(kp.jacobian).toHaveLength(20)
    expect(kp.value.every((v) => Math.abs(v) <= 1)).toBe(true)
    const made = await model.generate(data, kp, kp)
    expect(made).toHaveLength(64 * 64 * 3)
    expect(model).toMatchObject({ device: 'cpu', fit: 'crop', config: { net: 'lednet', size: 64 } })
    await expectFailure(() => model.detect(new Uint8Array(12)), InputError, /not of the size/, /12 bytes/)
    await expectFailure(
      () => model.generate(data, kp, { ...kp, jacobian: undefined }),
      InputError,
      /kpDriving/,
    )
    await model.close()
    await model.close()
    await expectFailure(() => model.detect(data), InputError, /closed/)
    await expectFailure(() => model.encode(data), InputError, /closed/)
  })

  it('makes the same picture of an encoded source, and of rewritten networks', async () => {
    const plain = await openModel(run, { device: 'cpu', rewrite: false })
    const exact = await openModel(run, { device: 'cpu' })
    const { data } = stillPuppet({ seed: 4, size: 64 })
    const [from, to] = [await plain.detect(data), await plain.detect(stillPuppet({ seed: 5, size: 64 }).data)]
    const made = await plain.generate(data, from, to)
    expect(await plain.generate(await plain.encode(data), from, to)).toEqual(made)
    const rewritten = await exact.generate(await exact.encode(data), from, to)
    expect(Math.max(...rewritten.map((v, i) => Math.abs(v - made[i]!)))).toBeLessThanOrEqual(1)
    const found = await exact.detect(data)
    expect(Math.max(...found.value.map((v, i) => Math.abs(v - from.value[i]!)))).toBeLessThan(1e-4)
    await plain.close()
    await exact.close()
  })

  it('is closed at the end of the block that binds it', async () => {
    const { data } = stillPuppet({ seed: 4, size: 64 })
    let kept: MotionModel
    let detector: KeypointDetector
    {
      await using model = await openModel(run, { device: 'cpu' })
      await using teacher = await openDetector(run, { device: 'cpu' })
      kept = model
      detector = teacher
      expect((await model.detect(data)).value).toHaveLength(10)
      expect((await teacher.detect(data)).value).toHaveLength(10)
    }
    await expectFailure(() => kept.detect(data), InputError, /closed/)
    await expectFailure(() => detector.detect(data), InputError, /closed/)
  })

  it('is not opened if the signal is aborted before or during the opening', async () => {
    const reason = new Error('enough')
    await expect(openModel(run, { device: 'cpu', signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const opening = openModel(run, { device: 'cpu', signal: controller.signal })
    controller.abort(reason)
    await expect(opening).rejects.toBe(reason)
    await expect(openDetector(run, { signal: controller.signal })).rejects.toBe(reason)
  })

  it('answers calls that overlap as it does one by one', async () => {
    const model = await openModel(run, { device: 'cpu' })
    const pictures = [1, 2, 3].map((seed) => stillPuppet({ seed, size: 64 }).data)
    const together = await Promise.all(pictures.map((data) => model.detect(data)))
    for (const [i, data] of pictures.entries()) expect(await model.detect(data)).toEqual(together[i])
    await model.close()
  })
})

describe('a run folder that cannot serve', () => {
  const weights = () => readFileSync(join(run, 'weights.safetensors'))

  /** A copy of the run, to break. */
  function copy(name: string): string {
    mkdirSync(at(name))
    for (const file of ['config.json', 'weights.safetensors'])
      copyFileSync(join(run, file), join(at(name), file))
    return at(name)
  }

  function changeConfig(path: string, change: (config: string) => string): string {
    const file = join(path, 'config.json')
    writeFileSync(file, change(readFileSync(file, 'utf8')))
    return path
  }

  it('is not there, or is no run', async () => {
    await expectFailure(() => openModel(at('nowhere')), InputError, /not a run/, /no such folder/)
    mkdirSync(at('empty'))
    await expectFailure(() => openModel(at('empty')), InputError, /without config.json/)
  })

  it('has no weights yet', async () => {
    mkdirSync(at('early'))
    copyFileSync(join(run, 'config.json'), join(at('early'), 'config.json'))
    await expectFailure(() => openModel(at('early')), InputError, /no weights yet/)
  })

  it('is from a newer pantin', async () => {
    const path = changeConfig(copy('newer'), (text) => text.replace('"format": 1', '"format": 2'))
    await expectFailure(() => openModel(path), FormatError, /newer pantin/)
  })

  it('has a configuration of another model', async () => {
    const unknown = changeConfig(copy('unknown'), (text) => text.replace('"lednet"', '"ledmet"'))
    await expectFailure(() => openModel(unknown), FormatError, /model.net/)
    const more = changeConfig(copy('more'), (text) => text.replace('"keypoints": 5', '"keypoints": 6'))
    await expectFailure(() => openModel(more), FormatError, /does not fit the model/, /expected: float32/)
  })

  it('works without what only training reads', async () => {
    const path = changeConfig(copy('bare'), (text) => {
      const { pantin, model } = JSON.parse(text) as Record<string, object>
      return JSON.stringify({ pantin, model, more: 1 })
    })
    const model = await openModel(path, { device: 'cpu' })
    expect(model.fit).toBe('crop')
    await model.close()
  })

  it('has weights that are cut short, or no safetensors', async () => {
    const path = copy('cut')
    writeFileSync(join(path, 'weights.safetensors'), weights().subarray(0, 5000))
    await expectFailure(() => openModel(path), FormatError, /weights.safetensors/)
    writeFileSync(join(path, 'weights.safetensors'), 'these are not weights')
    await expectFailure(() => openModel(path), FormatError, /weights.safetensors/)
  })

  it('lacks a weight, or has one that is not finite', async () => {
    const path = copy('lacks')
    const file = join(path, 'weights.safetensors')
    const tensors = new Map((await readSafetensors(file)).tensors)
    const name = 'kp_detector.kp.weight'
    const kept = tensors.get(name)!
    tensors.delete(name)
    await writeSafetensors(file, tensors)
    await expectFailure(() => openModel(path), FormatError, /the weight "kp_detector.kp.weight" is missing/)
    kept.data[0] = Number.NaN
    await writeSafetensors(file, tensors.set(name, kept))
    await expectFailure(() => openModel(path), FormatError, /not finite/, /NaN/)
  })
})
