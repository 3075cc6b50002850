import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openClip, readSource } from '../../../src/clips/source.ts'
import { exportFolder, packRun } from '../../../src/convert/export-folder.ts'
import { readSafetensors } from '../../../src/formats/safetensors/safetensors.ts'
import { writePicture } from '../../../src/media/picture.ts'
import { openDetector } from '../../../src/model/open-detector.ts'
import { openModel } from '../../../src/model/open-model.ts'
import type { MotionConfig } from '../../../src/motion/config.ts'
import { resolveDistil } from '../../../src/train/distil/config.ts'
import { labelLayout, PairTeacher, pairLayout } from '../../../src/train/distil/labels.ts'
import { labelledPool } from '../../../src/train/distil/pool.ts'
import { type DistilOptions, distil, train } from '../../../src/train/train.ts'
import { InputError } from '../../../src/util/errors.ts'
import { Random } from '../../../src/util/random.ts'
import { tinyModel } from '../tiny.ts'
import { clip, withTeacher } from './support.ts'

const { folder, teacher, weightsOf, metricsOf } = withTeacher(20)

/** A student with a light generator, and motion on another grid than its teacher's. */
const student = (): MotionConfig => {
  const { denseMotion, generator, ...base } = tinyModel()
  return {
    ...base,
    denseMotion: { ...denseMotion, scaleFactor: 0.25 },
    generator: {
      ...{ kind: 'light', blockExpansion: 4, maxFeatures: 8, downBlocks: 2, bottleneckBlocks: 1, kernel: 3 },
      ...{ skips: 'coarse', atRest: 'source' },
    },
  }
}
const options = (out: string, more: Partial<DistilOptions> = {}): DistilOptions => ({
  ...{ out: join(folder, out), teacher, model: student(), what: 'model' },
  ...{ batch: 2, steps: 8, logEvery: 2, seed: 7, device: 'cpu', variants: 1, replicas: 1 },
  ...more,
})

test('a student learns to drive pictures as its teacher does', { timeout: 240_000 }, async () => {
  const kinds = new Set<string>()
  let labelled = 0
  const run = await distil(clip, {
    // The teacher's pictures are far from the true frames after so few steps.
    ...options('near', { steps: 60, batch: 4, losses: { reconstruction: 0 } }),
    onEvent(event) {
      kinds.add(event.kind)
      if (event.kind === 'label') labelled = event.total
    },
  })
  expect([...kinds]).toEqual(['decode', 'label', 'step', 'saved', 'preview', 'finished'])
  // 5 frames are held out; 19 are driven, and 19 variants.
  expect(labelled).toBe(5 + 2 * 19)
  const records = await metricsOf('near')
  for (const term of ['distance', 'picture', 'flow', 'occlusion']) {
    const values = records.flatMap((record) => (typeof record[term] === 'number' ? [record[term]] : []))
    const mean = (part: readonly number[]) => part.reduce((sum, value) => sum + value, 0) / part.length
    expect(mean(values.slice(-5)), term).toBeLessThan(0.95 * mean(values.slice(0, 5)))
  }
  const measures = records.at(-1)!.preview!
  expect(Object.keys(measures)).toEqual(['distance', 'jacobian', 'l1', 'teacher', 'still'])
  expect(await readdir(join(run.path, 'previews'))).toEqual(['step-00000060.png'])
  // The whole model is the student's own, and nothing of the training is in it.
  const { tensors } = await readSafetensors(join(run.path, 'weights.safetensors'))
  expect(tensors.has('generator.final.weight')).toBe(true)
  expect(Array.from(tensors.keys()).filter((name) => /^(distil|label)\./.test(name))).toEqual([])
  await using model = await openModel(run.path, { device: 'cpu' })
  expect(model.config).toEqual(student())
  expect(model.hasGenerator).toBe(true)
  await train(clip, { out: join(folder, 'finer'), from: run.path, steps: 1, batch: 2, device: 'cpu' })
})

test('a run that was stopped and resumed ends as one that was not', { timeout: 240_000 }, async () => {
  const cache = join(folder, 'cache')
  await distil(clip, options('whole', { cache }))
  const abort = new AbortController()
  let labelled = 0
  await distil(clip, {
    ...options('halves', { cache, signal: abort.signal }),
    onEvent(event) {
      if (event.kind === 'label') labelled++
      if (event.kind === 'step' && event.step === 3) abort.abort()
    },
  })
  // The pairs are the kept ones.
  expect(labelled).toBe(0)
  await distil(clip, { out: join(folder, 'halves'), teacher, resume: true })
  expect((await weightsOf('halves')).equals(await weightsOf('whole'))).toBe(true)
  expect((await metricsOf('whole'))[0]).toMatchObject({ reconstruction: expect.any(Number) })
  const other = distil(clip, options('halves', { resume: true, what: 'detector' }))
  await expect(other).rejects.toThrow(/another what/)
})

test('pairs hold what the teacher makes of them, in order, and batches have sources first', async () => {
  const taught = {
    config: tinyModel(),
    weights: (await readSafetensors(join(teacher, 'weights.safetensors'))).tensors,
  }
  await using detector = await openDetector(teacher, { details: true, device: 'cpu' })
  await using model = await openModel(teacher, { device: 'cpu' })
  const driver = await PairTeacher.open(teacher, 'cpu')
  const config = resolveDistil([clip], detector, taught, options('unused', { variants: 1 }))
  const grids = { heatmap: [8, 8], features: [4, 4] } as const
  const opened = await openClip(clip)
  const pair = { ...pairLayout(tinyModel(), tinyModel()) }
  expect(pair).toEqual({ size: 32, side: 16, occlusion: true })
  const pool = await labelledPool([opened], {
    ...{ config, teacher: detector, grids, keepIn: undefined, signal: undefined, onEvent() {} },
    layout: labelLayout(detector, config.distillation.losses, grids),
    pairs: { teacher: driver, layout: pair },
  })
  expect(pool.heldOut).toEqual([0, 1, 2, 3, 4])
  expect(pool.trained).toHaveLength(38)
  for (const index of pool.trained) {
    const [source, driving] = pool.read(index).frames
    expect(Buffer.compare(source!, driving!), `record ${index}`).not.toBe(0)
  }
  // A pair of frames, and a variant.
  for (const index of [pool.trained[3]!, pool.trained.at(-1)!]) {
    const { frames, labels, driven } = pool.read(index)
    const [from, to] = [await detector.detect(frames[0]!), await detector.detect(frames[1]!)]
    expect(labels[1]!.subarray(0, 6)).toEqual(to.value)
    expect(frames[0]).not.toEqual(frames[1])
    const expected = await model.generate(frames[0]!, from, to)
    driven!.picture.forEach((byte, i) => {
      expect(Math.abs(byte - expected[i]!)).toBeLessThan(2)
    })
    const exact = await driver.drive(frames[0]!, from, to, pair)
    exact.flow.forEach((place, i) => {
      expect(driven!.flow[i]).toBeCloseTo(place, 3)
    })
    exact.occlusion!.forEach((share, i) => {
      expect(Math.abs(driven!.occlusion![i]! - share)).toBeLessThan(0.003)
    })
    // Where nothing moves, each point comes from itself: x along rows, y along columns.
    const still = await driver.drive(frames[0]!, from, from, pair)
    still.flow.forEach((place, i) => {
      const along = i % 2 === 0 ? (i >> 1) % 16 : i >> 5
      expect(place).toBeCloseTo((2 * along) / 15 - 1, 4)
    })
  }
  const { frames, labels } = pool.draw(new Random(3), 2)
  expect(frames.shape).toEqual([4, 32, 32, 3])
  expect(labels.get('value')!.shape).toEqual([4, 3, 2])
  expect(labels.get('picture')!.shape).toEqual([2, 32, 32, 3])
  expect(labels.get('flow')!.shape).toEqual([2, 16, 16, 2])
  const bytes = 32 * 32 * 3
  const sources = (frames.data as Uint8Array).slice(0, 2 * bytes)
  const found = await detector.detect(sources)
  expect((labels.get('value')!.data as Float32Array).slice(0, 12)).toEqual(found.value)
  pool.close()
  await Promise.all([driver.close(), opened.close()])
})

test('teachers and options that cannot serve are refused in words', { timeout: 240_000 }, async () => {
  const file = join(folder, 'teacher.onnx')
  await exportFolder(teacher, file)
  await distil(clip, { ...options('alone'), what: 'detector', teacher: file, steps: 1 })
  await packRun(join(folder, 'alone'), join(folder, 'detector'))
  const picture = join(folder, 'picture.png')
  await writePicture(picture, await readSource('puppet:9,size=48'))
  const refused: [Partial<DistilOptions>, RegExp][] = [
    [{ teacher: file }, /cannot teach a whole model[\s\S]*an ONNX file/],
    [{ teacher: join(folder, 'detector') }, /cannot teach a whole model[\s\S]*a detector alone/],
    [{ model: { ...student(), size: 64 } }, /do not see the same/],
    [{ mix: 0.5 }, /pairs of frames are not blended/],
    [{ what: 'detector', losses: { flow: 1 } }, /nothing to compare[\s\S]*flow/],
  ]
  for (const [more, message] of refused) {
    const refusal = distil(clip, options('refused', more))
    await expect(refusal).rejects.toThrow(InputError)
    await expect(refusal).rejects.toThrow(message)
  }
  await expect(distil([clip, picture], options('refused'))).rejects.toThrow(/a video is needed here/)
  expect(await readdir(folder)).not.toContain('refused')
})
