import { describe, expect, it } from 'vitest'
import { evaluate, firstDrivingFrame } from '../../src/evaluate/evaluate.ts'
import { openModel } from '../../src/model/open-model.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { trainingFrames } from '../../src/train/frames.ts'
import { InputError } from '../../src/util/errors.ts'
import { randomRun, scratch } from '../animate/support.ts'
import { expectFailure } from '../media/support.ts'

const at = scratch()
const run = await randomRun(at('run'))

describe('evaluate', () => {
  it('measures the held-out frames of all clips, beside the still picture', async () => {
    const seen: string[] = []
    const clips = ['puppet:1,frames=10,size=64', 'puppet:2,frames=5,size=96']
    const onProgress = (done: number, total: number) => seen.push(`${done}/${total}`)
    const result = await evaluate(run, clips, { from: 0.8, device: 'cpu', onProgress })
    expect(seen).toEqual(['1/3', '2/3', '3/3'])
    expect(result.frames).toBe(3)
    if (result.still === undefined) throw new Error('the run has a generator')
    for (const { l1, psnr, ssim } of [result, result.still]) {
      expect(l1).toBeGreaterThan(0)
      expect(l1).toBeLessThan(1)
      expect(psnr).toBeGreaterThan(3)
      expect(psnr).toBeLessThan(60)
      expect(Math.abs(ssim)).toBeLessThan(1)
    }
    expect(result.equivariance.value).toBeGreaterThan(0)
    expect(result.equivariance.jacobian).toBeGreaterThan(0)
    expect(result.akd).toMatchObject({ by: 'own', pixels: expect.any(Number) })
    // The frames before the driving ones: 8 and 4.
    expect(result.landmarks).toMatchObject({ fitted: 12, frames: 3 })
    // No clip has three driving frames.
    expect(result).toMatchObject({ jitter: undefined, teacher: undefined, transfer: undefined })
  })

  it('gives the same numbers again, and for a model that is open', async () => {
    const model = await openModel(run, { device: 'cpu' })
    const clip = puppetClip({ seed: 1, frames: 4, size: 64 })
    const first = await evaluate(model, [clip])
    expect(first.frames).toBe(4)
    expect(await evaluate(model, [clip])).toEqual(first)
    await model.close()
  })

  it('rebuilds no first frame from itself: the still picture is not compared with what it is', async () => {
    const [all, others] = [0, 0.3].map((from) =>
      evaluate(run, ['puppet:1,frames=4,size=64'], { from, device: 'cpu' }),
    )
    const [whole, rest] = [await all!, await others!]
    expect([whole.frames, rest.frames]).toEqual([4, 3])
    for (const measure of ['l1', 'psnr', 'ssim', 'still', 'akd'] as const) {
      expect(whole[measure]).toEqual(rest[measure])
    }
    expect(whole.still!.psnr).toBeLessThan(60)
  })

  it('begins right where training ends, at every length and holdout', () => {
    for (let percent = 1; percent < 100; percent++) {
      for (let count = 2; count < 1200; count++) {
        const [holdout, from] = [percent / 100, 1 - percent / 100]
        // As a user types the two: 0.2 and 0.8.
        const typed = Number(from.toFixed(2))
        if (firstDrivingFrame(count, typed) === trainingFrames(count, holdout)) continue
        throw new Error(`${count} frames, holdout ${holdout}, from ${typed}`)
      }
    }
  })

  it('refuses what it cannot evaluate', async () => {
    const model = await openModel(run, { device: 'cpu' })
    const refused = (clips: string[], from: number, ...parts: RegExp[]) =>
      expectFailure(() => evaluate(model, clips, { from }), InputError, ...parts)
    await refused(['puppet:1'], 1, /not a fraction/)
    await refused(['puppet:1'], Number.NaN, /not a fraction/)
    await refused([], 0, /no clip/)
    await refused(['puppet:1,frames=1'], 0, /too few frames/)
    await model.close()
  })

  it('enlarges small clips, and says so', async () => {
    const { notices, frames } = await evaluate(run, ['puppet:1,size=32,frames=3'], { device: 'cpu' })
    expect(frames).toBe(3)
    expect(notices).toEqual([expect.stringMatching(/enlarged from 32 x 32/)])
  })
})
