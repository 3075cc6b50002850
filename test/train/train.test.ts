import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { blankFrame } from '../../src/media/clip.ts'
import { createVideoWriter } from '../../src/media/video-out.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { describeDevices } from '../../src/runtime/node.ts'
import { finetuning } from '../../src/train/config.ts'
import { trainLosses } from '../../src/train/losses.ts'
import { type TrainOptions, train } from '../../src/train/train.ts'
import { InputError, TrainingError } from '../../src/util/errors.ts'
import { tinyModel } from './tiny.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pantin-train-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const clip = 'puppet:3,frames=24,size=48'
const options = (out: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
  out: join(folder, out),
  model: tinyModel(),
  batch: 2,
  steps: 12,
  logEvery: 5,
  seed: 7,
  device: 'cpu',
  ...more,
})
const weightsOf = (out: string) => readFile(join(folder, out, 'weights.safetensors'))

/** Loss of the first step of `whole`. */
let firstLoss: number | undefined

test('a run has everything that its folder promises', async () => {
  const kinds = new Set<string>()
  const run = await train(
    clip,
    options('whole', {
      onEvent(event) {
        kinds.add(event.kind)
        if (event.kind === 'step') firstLoss ??= event.loss
      },
    }),
  )
  expect(run).toMatchObject({ steps: 12, interrupted: false, device: 'cpu' })
  expect([...kinds]).toEqual(['decode', 'step', 'saved', 'preview', 'finished'])
  const names = await readdir(run.path)
  expect(names.sort()).toEqual(
    ['config.json', 'env.json', 'last', 'metrics.jsonl', 'previews', 'weights.safetensors'].sort(),
  )
  const lines = (await readFile(join(run.path, 'metrics.jsonl'), 'utf8')).trim().split('\n')
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(records.map(({ step }) => step)).toEqual([5, 10, 12])
  expect(records[0]).toMatchObject({ loss: expect.any(Number), learningRate: expect.any(Number) })
  expect(records[2]).toMatchObject({ preview: { l1: expect.any(Number), still: expect.any(Number) } })
  expect(await readdir(join(run.path, 'previews'))).toEqual(['step-00000012.png'])
})

test('training waits for what is done when it has saved', async () => {
  let [waiting, saved] = [false, 0]
  await train(
    clip,
    options('looked-at', {
      // It saves after each step, and at the end.
      ...{ checkpointSeconds: 1e-6, steps: 2 },
      onEvent({ kind }) {
        expect(waiting).toBe(false)
        if (kind !== 'saved' || saved++ > 0) return undefined
        waiting = true
        return new Promise<void>((resolve) =>
          setTimeout(() => {
            waiting = false
            resolve()
          }, 500),
        )
      },
    }),
  )
  expect(saved).toBe(3)
})

test('a run of the same seed that was interrupted and resumed ends as one that was not', async () => {
  const abort = new AbortController()
  const kinds: string[] = []
  const stopped = await train(
    clip,
    options('stopped', {
      signal: abort.signal,
      onEvent(event) {
        kinds.push(event.kind)
        // Between two lines of metrics.
        if (event.kind === 'step' && event.step === 7) abort.abort()
      },
    }),
  )
  expect(stopped).toMatchObject({ interrupted: true, steps: 7 })
  expect(kinds.slice(-2)).toEqual(['saved', 'paused'])
  const resumed = await train(clip, options('stopped', { resume: true }))
  expect(resumed).toMatchObject({ interrupted: false, steps: 12 })
  expect((await weightsOf('whole')).equals(await weightsOf('stopped'))).toBe(true)

  // The lines of metrics too, but for the time and the preview.
  const lines = async (out: string) => {
    const text = await readFile(join(folder, out, 'metrics.jsonl'), 'utf8')
    return text
      .trim()
      .split('\n')
      .map((line) => ({ ...(JSON.parse(line) as object), elapsed: 0 }))
  }
  expect(await lines('stopped')).toEqual(await lines('whole'))
})

test('resuming with other options is refused, and says which', async () => {
  const again = train(clip, options('whole', { resume: true, seed: 9 }))
  await expect(again).rejects.toThrow(/another seed[\s\S]*got: +9[\s\S]*expected: +7/)
  const slower = train(clip, options('whole', { resume: true, learningRate: 1e-3 }))
  await expect(slower).rejects.toThrow(/another learningRate/)
  await expect(train('puppet:4', options('whole', { resume: true }))).rejects.toThrow(/another clips/)
})

test('a finished run says that it is finished, and how to train further', async () => {
  const before = await weightsOf('whole')
  expect(await train(clip, options('whole', { resume: true }))).toMatchObject({
    steps: 12,
    finishedBefore: true,
  })
  expect((await weightsOf('whole')).equals(before)).toBe(true)
  const longer = train(clip, options('whole', { resume: true, steps: 24 }))
  await expect(longer).rejects.toThrow(/another steps[\s\S]*--from .*whole.*learning rate/)
})

test('a run whose checkpoint was removed is not trained from its beginning over its weights', async () => {
  const run = join(folder, 'without-last')
  await train(clip, options('without-last', { steps: 2 }))
  await rm(join(run, 'last'), { recursive: true })
  const before = await weightsOf('without-last')
  const kinds: string[] = []
  const onEvent: TrainOptions['onEvent'] = ({ kind }) => void kinds.push(kind)
  const resumed = train(clip, options('without-last', { steps: 2, resume: true, onEvent }))
  await expect(resumed).rejects.toThrow(InputError)
  await expect(resumed).rejects.toThrow(/no checkpoint to resume from[\s\S]*--from[\s\S]*--force/)
  expect(kinds).toEqual([])
  expect((await weightsOf('without-last')).equals(before)).toBe(true)
  // As a kill before the first checkpoint leaves it, it begins.
  await rm(join(run, 'weights.safetensors'))
  expect(await train(clip, options('without-last', { steps: 2, resume: true }))).toMatchObject({ steps: 2 })
  expect((await weightsOf('without-last')).equals(before)).toBe(true)
})

test('a run that is stopped before it goes on says what it has', async () => {
  const controller = new AbortController()
  const onEvent = ({ kind, step }: { kind: string; step?: number }) => {
    if (kind === 'step' && step === 3) controller.abort()
  }
  const first = await train(clip, options('reached', { signal: controller.signal, onEvent }))
  expect(first.steps).toBe(3)
  const again = await train(clip, options('reached', { resume: true, signal: AbortSignal.abort() }))
  expect(again).toMatchObject({ steps: 3, interrupted: true })
  expect(again.seconds).toBeGreaterThan(0)
})

test('training in which no loss counts is refused, and nothing is written', async () => {
  const losses = Object.fromEntries(trainLosses.names.map((name) => [name, 0]))
  await expect(train(clip, options('no-loss', { losses }))).rejects.toThrow(/have weight 0/)
  expect(await readdir(folder)).not.toContain('no-loss')
})

test('a clip in which nothing moves is named', async () => {
  const still = join(folder, 'still.mp4')
  const writer = await createVideoWriter(still, { width: 64, height: 64, frameRate: 10, overwrite: false })
  for (let i = 0; i < 6; i++) {
    await writer.write({ ...blankFrame(64, 64, [90, 30, 200]), time: i / 10, duration: 0.1 })
  }
  await writer.close()
  const { notices } = await train([still, clip], options('moved', { steps: 1 }))
  expect(notices).toEqual([`${still}: nothing moves in this clip`])
})

test('an existing run is not overwritten', async () => {
  await expect(train(clip, options('whole'))).rejects.toThrow(/--resume/)
})

test('nor one that training begins from, and nothing is made for a device that is not there', async () => {
  const whole = join(folder, 'whole')
  const before = await weightsOf('whole')
  for (const own of [{ init: whole }, { init: join(whole, '..', 'whole') }]) {
    const again = train(clip, options('whole', { ...own, force: true }))
    await expect(again).rejects.toThrow(/named by init would be replaced/)
  }
  const { model: _, ...rest } = options('whole', { from: whole, force: true })
  await expect(train(clip, rest)).rejects.toThrow(/would be replaced/)
  expect((await weightsOf('whole')).equals(before)).toBe(true)

  const [missing] = (await describeDevices()).filter(({ available }) => !available)
  if (missing === undefined) return
  const nowhere = train(clip, options('nowhere', { device: missing.device }))
  await expect(nowhere).rejects.toThrow(/is not there/)
  expect(await readdir(folder)).not.toContain('nowhere')
})

test('ten steps and more lower the loss', async () => {
  const losses: number[] = []
  await train(
    clip,
    options('learns', {
      steps: 40,
      onEvent: (event) => {
        if (event.kind === 'step') losses.push(event.loss)
      },
    }),
  )
  const mean = (part: number[]) => part.reduce((a, b) => a + b) / part.length
  expect(mean(losses.slice(-10))).toBeLessThan(0.8 * mean(losses.slice(0, 10)))
})

test('numbers that stop being finite end the run; the last good weights are kept', async () => {
  const run = train(clip, options('broken', { learningRate: 1e30 }))
  await expect(run).rejects.toThrow(TrainingError)
  await expect(run).rejects.toThrow(/step \d+: a number is not finite/)
  expect((await weightsOf('broken')).length).toBeGreaterThan(1000)
  expect(await readdir(join(folder, 'broken'))).not.toContain('lock')
})

test.each<[string, Partial<TrainOptions>, RegExp]>([
  ['keypoints 0', { keypoints: 0 }, /keypoints[\s\S]*1 to 100/],
  ['an unknown network', { net: 'lednt' }, /lednet/],
  ['steps and minutes', { minutes: 1 }, /not both/],
  ['a batch of 0', { batch: 0 }, /batch/],
  ['a holdout of 1', { holdout: 1 }, /holdout/],
])('%s is refused before anything is written', async (_, more, message) => {
  const { model: _model, ...published } = options('refused', more)
  const run = train(clip, published)
  await expect(run).rejects.toThrow(InputError)
  await expect(run).rejects.toThrow(message)
  expect(await readdir(folder)).not.toContain('refused')
})

test('a clip that is too short is refused; one that is too small is enlarged, with a notice', async () => {
  await expect(train('puppet:3,frames=2,size=48', options('short'))).rejects.toThrow(/too few frames/)
  const { notices } = await train('puppet:3,frames=24,size=24', options('small', { steps: 1 }))
  expect(notices).toEqual([expect.stringMatching(/enlarged from 24 x 24/)])
})

test('another seed begins with other weights, and a run begins with those of another run where they fit', async () => {
  const earlier = join(folder, 'earlier')
  let loss = 0
  const onEvent: TrainOptions['onEvent'] = (event) => {
    if (event.kind === 'step' && event.step === 1) loss = event.loss
  }
  await train(clip, options('earlier', { steps: 2, seed: 8, onEvent }))
  expect(loss).toBeGreaterThan(0)
  expect(loss).not.toBe(firstLoss)
  // A step so small that nothing moves beyond rounding: what is left is where training began.
  await train(clip, options('begun', { init: earlier, steps: 1, learningRate: 1e-12, seed: 99 }))
  const [before, after] = await Promise.all(
    ['earlier', 'begun'].map((out) => readSafetensors(join(folder, out, 'weights.safetensors'))),
  )
  const names = [...before!.tensors.keys()].filter((name) => !name.includes('running_'))
  expect(names.length).toBeGreaterThan(50)
  for (const name of names) {
    const [was, is] = [before!.tensors.get(name)!.data, after!.tensors.get(name)!.data]
    is.forEach((value, i) => {
      expect(Number(value)).toBeCloseTo(Number(was[i]), 6)
    })
  }
  await expect(train(clip, options('nowhere', { init: join(folder, 'none') }))).rejects.toThrow(InputError)
  await expect(readdir(join(folder, 'nowhere'))).rejects.toThrow('ENOENT')
})

test('a run goes on on another device and with other threads, but with no other setting', async () => {
  const before = await weightsOf('whole')
  // It is finished: to go on takes no step, and saves what there is.
  const moved = options('whole', { device: 'auto', threads: 1, resume: true })
  expect(await train(clip, moved)).toMatchObject({ steps: 12, interrupted: false })
  expect((await weightsOf('whole')).equals(before)).toBe(true)
})

test('a model that is trained further has defaults of its own, which can be changed', () => {
  const learned = { equivarianceValue: 0, equivarianceJacobian: 0 }
  const usual = { batch: 4, learningRate: 4e-3, losses: learned }
  const small = smallConfig({ net: 'ficelle', size: 128, generator: 'light' })
  expect(finetuning({}, small)).toEqual({ ...usual, grow: 'none' })
  const large = smallConfig({ net: 'ficelle', size: 256, generator: 'light' })
  expect(finetuning({}, large)).toEqual({ ...usual, grow: '128:0.6', rest: 0.4 })
  const others = { losses: { equivarianceValue: 1, flow: 2 }, grow: '64', rest: 0 }
  const given = { ...others, batch: 8, learningRate: 1e-3 }
  expect(finetuning(given, large)).toEqual({ ...given, losses: { ...learned, ...given.losses } })
})
