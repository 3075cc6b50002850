/** Ctrl-C in a demo whose training is over, without the training. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { Reporter } from '../../src/cli/context.ts'
import { type DemoOptions, demo } from '../../src/cli/demo/demo.ts'

const world = vi.hoisted(() => ({ films: () => {} }))
vi.mock('../../src/train/train.ts', () => ({
  train: async () => ({ path: 'run', steps: 5, seconds: 9, loss: 1, device: 'cpu', interrupted: false }),
}))
vi.mock('../../src/model/open-model.ts', () => ({ openModel: async () => world.films() }))

const folder = mkdtempSync(join(tmpdir(), 'pantin-demo-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const reporter = new Reporter({ json: false, quiet: true }, () => Promise.reject(new Error('no progress')))
const asked = (signal: AbortSignal): DemoOptions => ({
  ...{ out: folder, minutes: 1, seed: 1, force: true, signal, reporter },
})

it('is a stopped demo: the run is there', async () => {
  const stop = new AbortController()
  world.films = () => {
    stop.abort()
    stop.signal.throwIfAborted()
  }
  const made = await demo(asked(stop.signal))
  expect(made).toMatchObject({ out: folder, steps: 5, interrupted: true })
  expect(made).not.toHaveProperty('strangers')
})

it('is a failure where nobody stopped it', async () => {
  world.films = () => {
    throw new TypeError('x is undefined')
  }
  await expect(demo(asked(new AbortController().signal))).rejects.toThrow(TypeError)
})
