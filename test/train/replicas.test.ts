import { afterAll, beforeAll, expect, test } from 'vitest'
import { floats } from '../../src/graph/tensor.ts'
import { adamDefaults } from '../../src/train/adam.ts'
import type { ReplicaSteps as Steps } from '../../src/train/replicas.ts'
import type { TrainingState } from '../../src/train/state.ts'
import { initialState } from '../../src/train/state.ts'
import type { StepRunner } from '../../src/train/step.ts'
import { StepSession } from '../../src/train/training-run.ts'
import { Random } from '../../src/util/random.ts'
import { type Compiled, compile } from '../support/compile.ts'
import { smallBatch, smallStep } from './small-step.ts'

/** Threads run JavaScript, and not TypeScript. */
let compiled: Compiled
let ReplicaSteps: typeof Steps
beforeAll(async () => {
  compiled = compile('src/train/replicas.ts')
  ReplicaSteps = (await import(compiled.url('src/train/replicas.ts'))).ReplicaSteps
})
afterAll(() => compiled.remove())

const adam = adamDefaults
const fresh = () => initialState(smallStep(2), new Random(3))
const two = () => ReplicaSteps.create(smallStep(2), { adam, replicas: 2, threads: 1 }, fresh())
const rate = 1e-2

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
/** The largest difference of two vectors, as a part of the largest number of the first. */
const apart = (a: Float32Array, b: Float32Array) => largest(a.map((value, i) => value - b[i]!)) / largest(a)

async function stateAfter(runner: StepRunner, steps: number): Promise<TrainingState> {
  try {
    for (let i = 1; i <= steps; i++) {
      const all = smallBatch(i, 4).frames!.data as Float32Array<ArrayBuffer>
      const parts = [0, 1].map((part) => ({
        frames: floats(all.slice(part * 384, (part + 1) * 384), [2, 3, 8, 8]),
      }))
      await runner.run(i, rate, runner.replicas === 2 ? parts : [{ frames: floats(all, [4, 3, 8, 8]) }])
    }
    const { weights, buffers, firstMoment, secondMoment } = await runner.read()
    const copy = (vector: Float32Array) => new Float32Array(vector)
    return {
      weights: copy(weights),
      buffers: copy(buffers),
      firstMoment: copy(firstMoment),
      secondMoment: copy(secondMoment),
    }
  } finally {
    await runner.close()
  }
}

test("two replicas have the whole batch's gradient, and take the same steps", async () => {
  const whole = () => StepSession.create(smallStep(4), { device: 'cpu', adam, threads: 1 }, fresh())
  const [one, parts] = [await stateAfter(await whole(), 1), await stateAfter(await two(), 1)]
  // After one step the first moment is the gradient, scaled.
  expect(apart(one.firstMoment, parts.firstMoment)).toBeLessThan(1e-6)
  const [after, afterParts] = [await stateAfter(await whole(), 8), await stateAfter(await two(), 8)]
  expect(apart(after.weights, fresh().weights)).toBeGreaterThan(0.01)
  expect(apart(after.weights, afterParts.weights)).toBeLessThan(1e-4)
})

test('the running statistics are the mean of those of the replicas', async () => {
  const whole = await StepSession.create(smallStep(4), { device: 'cpu', adam, threads: 1 }, fresh())
  const [one, parts] = [await stateAfter(whole, 3), await stateAfter(await two(), 3)]
  // running_mean comes first. The mean of two parts' means is the whole's; their variances are their own.
  expect(apart(one.buffers.slice(0, 3), parts.buffers.slice(0, 3))).toBeLessThan(1e-5)
  expect(apart(one.buffers, parts.buffers)).toBeGreaterThan(1e-6)
})

test('the same batches give the same bits', async () => {
  const [a, b] = [await stateAfter(await two(), 12), await stateAfter(await two(), 12)]
  expect(a).toEqual(b)
})

test('a step whose numbers are not finite changes nothing', async () => {
  const runner = await two()
  const bad = { frames: floats(new Float32Array(384).fill(Number.NaN), [2, 3, 8, 8]) }
  const { taken, report } = await runner.run(1, rate, [smallBatch(1, 2), bad])
  expect(taken).toBe(false)
  expect(report.loss).toBeNaN()
  expect((await runner.read()).weights).toEqual(fresh().weights)
  expect((await runner.run(1, rate, [smallBatch(1, 2), smallBatch(2, 2)])).taken).toBe(true)
  expect((await runner.read()).weights).not.toEqual(fresh().weights)
  await runner.close()
})

test('what a replica throws has its class and its words', async () => {
  const runner = await two()
  await expect(runner.run(1, rate, [smallBatch(1, 2), {}])).rejects.toThrow(/the input "frames" is not fed/)
  await runner.close()
})

test('replicas that are closed while they compute end in peace', async () => {
  // A thread that is ended meanwhile aborts the process, in about every fourth try.
  for (let i = 0; i < 8; i++) {
    const runner = await two()
    const running = runner.run(1, rate, [smallBatch(1, 2), {}])
    await Promise.all([expect(running).rejects.toThrow(/not fed/), runner.close()])
  }
})

test('a replica that ended ends the step', async () => {
  const runner = await two()
  await runner.close()
  await expect(runner.run(1, rate, [smallBatch(1, 2), smallBatch(2, 2)])).rejects.toThrow(
    /a thread of the training ended/,
  )
})
