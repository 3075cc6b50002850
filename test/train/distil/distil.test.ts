import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openClip, readSource } from '../../../src/clips/source.ts'
import { exportFolder } from '../../../src/convert/export-folder.ts'
import { readSafetensors } from '../../../src/formats/safetensors/safetensors.ts'
import { writePicture } from '../../../src/media/picture.ts'
import { openDetector } from '../../../src/model/open-detector.ts'
import { openModel } from '../../../src/model/open-model.ts'
import { smallConfig } from '../../../src/motion/config.ts'
import { resolveDistil } from '../../../src/train/distil/config.ts'
import { labelLayout } from '../../../src/train/distil/labels.ts'
import { labelledPool } from '../../../src/train/distil/pool.ts'
import { type DistilOptions, distil, train } from '../../../src/train/train.ts'
import { FormatError, InputError } from '../../../src/util/errors.ts'
import { tinyModel } from '../tiny.ts'
import { clip, withTeacher } from './support.ts'

const { folder, teacher, weightsOf, metricsOf } = withTeacher(6)

/** A student of another make than its teacher. */
const student = () => {
  const base = tinyModel()
  const detector = smallConfig({ net: 'hourglass-small', size: 32, keypoints: 3, skip: 'none' }).detector
  return { ...base, detector: { ...detector, hourglass: { blockExpansion: 4, maxFeatures: 16, blocks: 2 } } }
}
const options = (out: string, more: Partial<DistilOptions> = {}): DistilOptions => ({
  ...{ out: join(folder, out), teacher, model: student() },
  ...{ batch: 4, steps: 12, logEvery: 5, seed: 7, device: 'cpu', variants: 1 },
  ...more,
})

test('a student comes nearer to its teacher, and has its generator', { timeout: 240_000 }, async () => {
  const kinds = new Set<string>()
  const run = await distil(clip, options('near', { steps: 50, onEvent: ({ kind }) => kinds.add(kind) }))
  expect(run).toMatchObject({ steps: 50, interrupted: false, device: 'cpu' })
  expect([...kinds]).toEqual(['decode', 'label', 'step', 'saved', 'preview', 'finished'])
  const records = await metricsOf('near')
  const distances = records.flatMap(({ distance }) => (typeof distance === 'number' ? [distance] : []))
  expect(distances.at(-1)).toBeLessThan(0.5 * distances[0]!)
  expect(records.at(-1)!.preview).toMatchObject({
    distance: expect.any(Number),
    jacobian: expect.any(Number),
  })
  expect(await readdir(join(run.path, 'previews'))).toEqual(['step-00000050.png'])

  const [own, taught] = await Promise.all(
    [run.path, teacher].map(
      async (path) => (await readSafetensors(join(path, 'weights.safetensors'))).tensors,
    ),
  )
  const names = Array.from(taught!.keys()).filter((name) => name.startsWith('generator.'))
  expect(names.length).toBeGreaterThan(10)
  for (const name of names) expect(own!.get(name)?.data).toEqual(taught!.get(name)!.data)
  const model = await openModel(run.path, { device: 'cpu' })
  expect(model.hasGenerator).toBe(true)
  await model.close()

  const finer = await train(clip, {
    out: join(folder, 'finer'),
    from: run.path,
    steps: 2,
    batch: 2,
    device: 'cpu',
  })
  const begun = JSON.parse(await readFile(join(finer.path, 'config.json'), 'utf8')) as { model: unknown }
  expect(begun.model).toEqual(student())
  await expect(train(clip, { out: join(folder, 'no'), from: run.path, net: 'lednet' })).rejects.toThrow(
    /keeps its model/,
  )
})

test('a run that was interrupted and resumed ends as one that was not', { timeout: 240_000 }, async () => {
  const cache = join(folder, 'shared')
  await distil(clip, options('whole', { cache }))
  const abort = new AbortController()
  const kinds = new Set<string>()
  const onEvent: DistilOptions['onEvent'] = (event) => {
    kinds.add(event.kind)
    if (event.kind === 'step' && event.step === 5) abort.abort()
  }
  const stopped = await distil(clip, options('halves', { cache, signal: abort.signal, onEvent }))
  expect(stopped).toMatchObject({ steps: 5, interrupted: true })
  // The labels are those that were kept.
  expect([...kinds]).toEqual(['step', 'saved', 'paused'])
  // Nothing but where it is, its teacher and its clips: all else is as it was begun.
  await distil(clip, { out: join(folder, 'halves'), teacher, resume: true })
  expect((await weightsOf('halves')).equals(await weightsOf('whole'))).toBe(true)
  await expect(distil(clip, options('halves', { resume: true, variants: 2 }))).rejects.toThrow(
    /another variants/,
  )
  await expect(train(clip, { out: join(folder, 'halves'), model: student(), resume: true })).rejects.toThrow(
    FormatError,
  )
})

test('every loss can be asked for, and what only training needs is not kept', {
  timeout: 240_000,
}, async () => {
  const losses = { value: 1, distance: 1, jacobian: 1, heatmap: 1, divergence: 1, attention: 1, features: 1 }
  await distil(clip, options('all', { losses, soften: 2, steps: 5 }))
  const [record] = await metricsOf('all')
  expect(record).toMatchObject(
    Object.fromEntries(Object.keys(losses).map((name) => [name, expect.any(Number)])),
  )
  const { tensors } = await readSafetensors(join(folder, 'all', 'weights.safetensors'))
  expect(Array.from(tensors.keys()).filter((name) => name.startsWith('distil.'))).toEqual([])
})

test('labels are kept, told apart by what decides them, and made again where they are torn', async () => {
  const cache = join(folder, 'cache')
  await using detector = await openDetector(teacher, { details: true, device: 'cpu' })
  const opened = await openClip(clip)
  const grids = { heatmap: [8, 8], features: [4, 4] } as const
  /** Frames that the teacher labels for a student. */
  const labelled = async (more: Partial<DistilOptions> = {}) => {
    const config = resolveDistil([clip], detector, undefined, options('unused', { cache, ...more }))
    let frames = 0
    const pool = await labelledPool([opened], {
      ...{ config, teacher: detector, grids, keepIn: cache, signal: undefined },
      layout: labelLayout(detector, config.distillation.losses, grids),
      onEvent(event) {
        if (event.kind === 'label') frames = event.done
      },
    })
    pool.close()
    return frames
  }
  // 24 frames, of which 19 are trained on, and a variant of each.
  expect(await labelled()).toBe(43)
  expect(await labelled({ learningRate: 1e-3, seed: 8 })).toBe(0)
  expect(await labelled({ mix: 0.5 })).toBe(43)
  expect(await labelled({ variants: 0 })).toBe(24)
  const [torn] = (await readdir(cache)).filter((name) => name.endsWith('.pool'))
  const { size } = await stat(join(cache, torn!))
  await writeFile(join(cache, torn!), new Uint8Array(size - 1))
  let again = 0
  for (const more of [{}, { variants: 0 }, { mix: 0.5 }]) again += await labelled(more)
  expect(again).toBeGreaterThan(20)
  expect(again).toBeLessThan(44)
  await opened.close()
}, 240_000)

test('an ONNX file teaches as the run that it was exported from', { timeout: 240_000 }, async () => {
  const file = join(folder, 'teacher.onnx')
  await exportFolder(teacher, file)
  const frame = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 7919) % 256)
  const [run, onnx] = [await openDetector(teacher), await openDetector(file)]
  const two = new Uint8Array([...frame, ...frame.toReversed()])
  const [expected, found] = [await run.detect(two), await onnx.detect(two)]
  expect(found.value).toHaveLength(12)
  for (const part of ['value', 'jacobian'] as const) {
    found[part]!.forEach((number, i) => {
      expect(number).toBeCloseTo(expected[part]![i]!, 4)
    })
  }
  await Promise.all([run.close(), onnx.close()])
  await distil(clip, options('of-onnx', { teacher: file, steps: 2, logEvery: 1 }))
  const [record] = (await metricsOf('of-onnx')).filter((line) => 'loss' in line)
  expect(record).toMatchObject({ distance: expect.any(Number), jacobian: expect.any(Number) })
  expect(record).not.toHaveProperty('divergence')
  const model = await openModel(join(folder, 'of-onnx'), { device: 'cpu' })
  expect(model.hasGenerator).toBe(false)
  await expect(model.encode(frame)).rejects.toThrow(/a detector alone/)
  await model.close()
  const maps = { losses: { divergence: 1 } }
  await expect(distil(clip, options('no-maps', { teacher: file, ...maps }))).rejects.toThrow(
    /gives no heatmaps/,
  )
})

test('teachers, options and files that cannot serve are refused, and nothing is written', async () => {
  const broken = join(folder, 'broken.onnx')
  await writeFile(broken, 'not a model')
  const refused: [Partial<DistilOptions>, RegExp][] = [
    [{ teacher: join(folder, 'nothing') }, /not a run/],
    [{ teacher: join(folder, 'nothing.onnx') }, /no such file|cannot be read/],
    [{ teacher: broken }, /no ONNX model/],
    [{ model: { ...student(), keypoints: 4 } }, /do not see the same/],
    [{ variants: -1 }, /variants/],
    [{ losses: { distance: -1 } }, /losses/],
    [{ losses: { distance: 0, jacobian: 0, divergence: 0 } }, /have weight 0/],
    [{ steps: 3, minutes: 1 }, /not both/],
  ]
  for (const [more, message] of refused) {
    const refusal = distil(clip, options('refused', more))
    await expect(refusal).rejects.toThrow(InputError)
    await expect(refusal).rejects.toThrow(message)
  }
  expect(await readdir(folder)).not.toContain('refused')
  const taught = await weightsOf('teacher')
  await expect(distil(clip, options('teacher', { force: true }))).rejects.toThrow(/named by teacher would be/)
  expect((await weightsOf('teacher')).equals(taught)).toBe(true)
})

test('pictures are learned from too, and copies are of all clips alike', { timeout: 240_000 }, async () => {
  const picture = join(folder, 'picture.png')
  const frame = await readSource('puppet:9,size=48')
  await writePicture(picture, frame)
  let total = 0
  const run = await distil([clip, picture], {
    ...options('pictures', { steps: 2, variants: 2, mix: 0.5 }),
    onEvent: (event) => {
      if (event.kind === 'label') total = event.total
    },
  })
  // 24 frames, of which 19 are trained on, and the picture; then two copies of each.
  expect(total).toBe(24 + 1 + 2 * (19 + 1))
  expect(run.steps).toBe(2)
  await expect(train([clip, picture], { out: join(folder, 'still'), model: tinyModel() })).rejects.toThrow(
    /this is a picture, and a video is needed here/,
  )
})
