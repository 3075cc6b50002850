/** Ctrl-C in each part of a demo, without the work. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, it, vi } from 'vitest'
import { Reporter } from '../../src/cli/context.ts'
import { type DemoOptions, demo } from '../../src/cli/demo/demo.ts'

const nothing = async () => {}
const world = vi.hoisted(() => ({ film: async () => {}, train: async () => {}, compare: async () => {} }))
vi.mock('../../src/train/train.ts', () => ({
  train: async () => {
    await world.train()
    return { path: 'run', steps: 5, seconds: 9, loss: 1, device: 'cpu', interrupted: false }
  },
}))
vi.mock('../../src/model/open-model.ts', () => ({ openModel: async () => ({ close: async () => {} }) }))
vi.mock('../../src/cli/demo/films.ts', () => ({
  chooseCast: () => ({ face: { source: 'head:1' }, puppet: { source: 'puppet:1' }, own: 'puppet:2,size=32' }),
  filmAnimation: () => world.film(),
  filmBeforeAndAfter: () => world.compare(),
  keepFrames: async () => {},
  writeSheet: async () => {},
  heldOutFrom: 0.8,
}))

const folder = mkdtempSync(join(tmpdir(), 'pantin-demo-'))
const page = join(folder, 'index.html')
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(() => Object.assign(world, { film: nothing, train: nothing, compare: nothing }))

const reporter = new Reporter({ json: false, quiet: true }, () => Promise.reject(new Error('no progress')))
const asked = (signal: AbortSignal): DemoOptions => ({
  ...{ out: folder, minutes: 1, seed: 1, force: true, mark: true, signal, reporter },
})

/** Stops in one part. */
function stopIn(part: keyof typeof world): AbortSignal {
  const stop = new AbortController()
  world[part] = async () => {
    stop.abort()
    stop.signal.throwIfAborted()
  }
  return stop.signal
}

it('before the page is there: nothing is', async () => {
  const signal = stopIn('film')
  await expect(demo(asked(signal))).rejects.toThrow(/aborted/)
  expect(existsSync(page)).toBe(false)
})

it.each(['train', 'compare'] as const)('in the part "%s": the page is there, and says so', async (part) => {
  let waiting = ''
  const signal = stopIn(part)
  const stop = world[part]
  world[part] = () => {
    waiting = readFileSync(page, 'utf8')
    return stop()
  }
  const made = await demo(asked(signal))
  expect(made).toMatchObject({ out: folder, page, interrupted: true })
  expect(made).not.toHaveProperty('after')
  expect(waiting).toMatch(/is now trained on a clip of one person for 1 min/)
  expect(readFileSync(page, 'utf8')).toContain('The training was stopped')
})

it('is a failure where nobody stopped it', async () => {
  world.train = async () => {
    throw new TypeError('x is undefined')
  }
  await expect(demo(asked(new AbortController().signal))).rejects.toThrow(TypeError)
})
