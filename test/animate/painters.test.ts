// Frames painted by threads are the model's own, in order; threads end with the animation, whatever ends it.
import { existsSync, renameSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { animate as Animate } from '../../src/animate/animate.ts'
import type { Painters as PaintersClass } from '../../src/animate/painters.ts'
import { openClip } from '../../src/clips/source.ts'
import { openModel } from '../../src/model/open-model.ts'
import { type Compiled, compile } from '../support/compile.ts'
import { randomKeypoints, randomRun, scratch } from './support.ts'

const inFolder = scratch()
const size = 64
const source = Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 7919) % 256)
const kpSource = randomKeypoints(1, 5)

/** Threads run JavaScript, and not TypeScript. */
let compiled: Compiled
let Painters: typeof PaintersClass
let animate: typeof Animate
let run: string
beforeAll(async () => {
  compiled = compile('src/animate/animate.ts', 'src/animate/painters.ts')
  ;({ Painters } = await import(compiled.url('src/animate/painters.ts')))
  ;({ animate } = await import(compiled.url('src/animate/animate.ts')))
  run = await randomRun(inFolder('run'), { size })
})
afterAll(() => compiled.remove())

beforeAll(() => vi.stubEnv('PANTIN_THREADS', '2'))
afterAll(() => vi.unstubAllEnvs())

const meanDifference = (a: Uint8Array, b: Uint8Array) =>
  a.reduce((sum, level, i) => sum + Math.abs(level - b[i]!), 0) / a.length

async function framesOf(path: string): Promise<Uint8Array[]> {
  await using clip = await openClip(path)
  const frames: Uint8Array[] = []
  for await (const { data } of clip.frames()) frames.push(data.slice())
  return frames
}

/** Threads of this process that are not closed. */
const threads = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length

describe('threads', () => {
  it("paint what the model paints, each frame's own", async () => {
    const poses = Array.from({ length: 7 }, (_, i) => randomKeypoints(i + 2, 5))
    await using model = await openModel(run, { device: 'cpu' })
    const encoded = await model.encode(source)
    await using painters = await Painters.open(run, 3, source, kpSource)
    const painted = await Promise.all(poses.map((pose) => painters.paint(pose)))
    for (const [i, pose] of poses.entries()) {
      const own = await model.generate(encoded, kpSource, pose)
      expect(painted[i]!.length).toBe(own.length)
      expect(Math.max(...own.map((level, at) => Math.abs(level - painted[i]![at]!)))).toBeLessThanOrEqual(1)
    }
    expect(painted[0]).not.toEqual(painted[1])
  })

  it('that cannot open the model say why, and end', async () => {
    const before = threads()
    await expect(Painters.open(inFolder('none'), 2, source, kpSource)).rejects.toMatchObject({
      name: 'InputError',
    })
    expect(threads()).toBe(before)
  })
})

describe('an animation', () => {
  const options = { source: 'puppet:1', driving: 'puppet:2,frames=60,size=64', overwrite: true }

  it('is painted by threads, in order', async () => {
    const [alone, together] = [inFolder('alone.mp4'), inFolder('together.mp4')]
    let seen = 0
    const onProgress = ({ phase }: { phase: string }) => {
      if (phase === 'animate') seen = Math.max(seen, threads())
    }
    await animate('puppet', { ...options, out: together, device: 'cpu', onProgress })
    expect(seen).toBe(2)
    expect(threads()).toBe(0)
    await using model = await openModel('puppet', { device: 'cpu' })
    expect(
      (await animate(model, { ...options, out: alone, onProgress: () => expect(threads()).toBe(0) })).frames,
    ).toBe(60)
    const [own, theirs] = [await framesOf(alone), await framesOf(together)]
    expect(theirs.length).toBe(60)
    const apart = own.map((frame, i) => meanDifference(frame, theirs[i]!))
    expect(Math.max(...apart)).toBeLessThan(1)
    // Frames in another order would differ.
    expect(meanDifference(own[0]!, own[30]!)).toBeGreaterThan(1)
  })

  it('whose threads cannot be opened fails, and nothing else does', async () => {
    const gone = await randomRun(inFolder('gone'), { size })
    const out = inFolder('gone.mp4')
    let isGone = false
    const onProgress = () => {
      if (!isGone) renameSync(gone, `${gone}-elsewhere`)
      isGone = true
    }
    const moved = animate(gone, {
      ...options,
      driving: 'puppet:2,frames=300,size=64',
      out,
      device: 'cpu',
      onProgress,
    })
    await expect(moved).rejects.toMatchObject({ name: 'InputError' })
    expect(threads()).toBe(0)
  })

  it('that is stopped ends its threads and leaves no file', async () => {
    const controller = new AbortController()
    const out = inFolder('stopped.mp4')
    const onProgress = ({ phase, done }: { phase: string; done: number }) => {
      if (phase === 'animate' && done === 5) controller.abort(new Error('enough'))
    }
    const stopped = animate(run, { ...options, out, device: 'cpu', signal: controller.signal, onProgress })
    await expect(stopped).rejects.toThrow('enough')
    expect(existsSync(out)).toBe(false)
    expect(threads()).toBe(0)
  })
})
