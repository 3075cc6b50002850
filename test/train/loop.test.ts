import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import type { Checkpoint } from '../../src/run/checkpoint.ts'
import { settingsSchema } from '../../src/train/config.ts'
import { trainTask } from '../../src/train/loop.ts'
import type { RunStore, Task } from '../../src/train/task.ts'

/** Runs whose length is a time, with steps and disks of known speed. */

const empty = { entries: [], size: 0 }
const task: Task = {
  step: { graph: new Graph(), weights: empty, buffers: empty, fixed: new Map(), reports: ['loss'] },
  draw: () => ({}),
  preview: async () => {
    await sleep(200)
    return { picture: { width: 1, height: 1, data: new Uint8Array(3), time: 0, duration: 0 }, measures: {} }
  },
  close: async () => {},
}
const none = () => new Float32Array(0)
const state = { weights: none(), buffers: none(), firstMoment: none(), secondMoment: none() }

class SlowStore implements RunStore {
  readonly path = 'memory'
  saved: Required<Checkpoint> | undefined
  saves = 0

  hasCheckpoint = async () => this.saved !== undefined
  loadCheckpoint = async () => this.saved!
  async saveCheckpoint(checkpoint: Checkpoint) {
    await sleep(100)
    this.saves++
    this.saved = { extra: new Map(), ...checkpoint }
  }
  saveWeights = async () => {}
  appendMetrics = () => {}
  truncateMetrics = async () => {}
  savePreview = async () => {}
}

/** Steps of 10 ms, after half a second to get ready. */
const train = (store: RunStore, seconds: number, failsAt = Number.POSITIVE_INFINITY) =>
  trainTask(store, {
    ...{ task, start: undefined },
    settings: settingsSchema.parse({
      ...{ clips: ['none'], minutes: seconds / 60, checkpointSeconds: 0.05, previewSeconds: 0.2 },
    }),
    openStep: async () => {
      await sleep(500)
      return {
        device: 'cpu',
        run: async (number) => {
          await sleep(10)
          if (number === failsAt) throw new Error('the device is lost')
          return { report: { loss: 1 }, taken: true }
        },
        read: async () => state,
        close: async () => {},
      }
    },
  })

test('a time is that of steps: getting ready, checkpoints and previews do not count', async () => {
  const store = new SlowStore()
  const run = await train(store, 0.6)
  expect(run.interrupted).toBe(false)
  expect(run.seconds).toBeGreaterThan(0.5)
  expect(run.seconds).toBeLessThan(0.9)
  // Saving alone took longer than that, so steps that shared the time with it would be few.
  expect(store.saves).toBeGreaterThan(6)
  expect(run.steps).toBeGreaterThan(20)
})

test('there is a step, however short the time', async () => {
  const run = await train(new SlowStore(), 1e-3)
  expect(run).toMatchObject({ steps: 1, interrupted: false })
})

test('what a lost device leaves goes on with the time that is left', async () => {
  const store = new SlowStore()
  await expect(train(store, 0.8, 30)).rejects.toThrow('lost')
  const before = store.saved!
  expect(before.step).toBeGreaterThan(5)
  const run = await train(store, 0.8)
  expect(run.seconds).toBeGreaterThan(0.75)
  expect(run.seconds).toBeLessThan(1.1)
  expect(run.steps - before.step).toBeGreaterThan(10)
})
