// Animation: files, frames, errors, and what an abort leaves.
import { linkSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { animate } from '../../src/animate/animate.ts'
import { type AnimateFramesOptions, animateFrames, moveFrames } from '../../src/animate/animate-frames.ts'
import { compareSheet } from '../../src/animate/preview.ts'
import { openClip } from '../../src/clips/source.ts'
import { fitSource } from '../../src/faces/node.ts'
import { blankFrame, frameAt, pixelAt } from '../../src/media/clip.ts'
import { writePicture } from '../../src/media/picture.ts'
import { createVideoWriter } from '../../src/media/video-out.ts'
import { OneEuroFilter } from '../../src/model/one-euro.ts'
import { openModel } from '../../src/model/open-model.ts'
import { puppetClip, stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { InputError } from '../../src/util/errors.ts'
import { expectFailure } from '../media/support.ts'
import { randomRun, scratch } from './support.ts'

const at = scratch()
const run = await randomRun(at('run'))
const driving = 'puppet:3,frames=12,size=96,rate=12.5'

/** The files of the scratch folder that are not the run's. */
const files = () => readdirSync(dirname(run)).filter((name) => name !== 'run')

describe('animate', () => {
  it('writes a video with the frames and the rate of the driving clip', async () => {
    const out = at('moved.mp4')
    const progress: string[] = []
    const result = await animate(run, {
      source: 'puppet:5,size=96',
      driving,
      out,
      device: 'cpu',
      onProgress: ({ phase, done, total }) => progress.push(`${phase} ${done}/${total}`),
    })
    expect(result).toMatchObject({ out, frames: 12, frameRate: 12.5, device: 'cpu' })
    expect(result.referenceFrame).toBeGreaterThanOrEqual(0)
    expect(result.seconds).toBeGreaterThan(0)
    expect(progress).toHaveLength(24)
    expect(progress[11]).toBe('align 12/12')
    expect(progress[23]).toBe('animate 12/12')
    const clip = await openClip(out)
    expect(clip).toMatchObject({ frameCount: 12, width: 64, height: 64 })
    expect(clip.frameRate).toBeCloseTo(12.5, 3)
    await clip.close()
  })

  it('enlarges on request, and takes a video as source and absolute keypoints', async () => {
    const out = at('large.webm')
    const options = { source: driving, driving, out, size: 128, absolute: true, device: 'cpu' } as const
    expect((await animate({ path: run }, options)).referenceFrame).toBeUndefined()
    const clip = await openClip(out)
    expect(clip).toMatchObject({ frameCount: 12, width: 128, height: 128 })
    await clip.close()
  })

  it('puts the moved square back into the whole picture, and says which squares it took', async () => {
    const out = at('pasted.mp4')
    const picture = blankFrame(130, 200, [90, 120, 60])
    const options = {
      source: picture,
      driving,
      out,
      device: 'cpu',
      crop: '20,60,80,80',
      paste: true,
    } as const
    const { squares } = await animate(run, options)
    expect(squares.source).toEqual({ by: 'given', square: { left: 20, top: 60, side: 80 }, faces: undefined })
    // A square in pixels is the picture's alone.
    expect(squares.driving.by).toBe('motion')
    const clip = await openClip(out)
    expect(clip).toMatchObject({ frameCount: 12, width: 130, height: 200 })
    const [red, green, blue] = pixelAt(await frameAt(clip, 5), 5, 100)
    expect(Math.hypot(red - 90, green - 120, blue - 60)).toBeLessThan(12)
    await clip.close()
  })

  it('refuses an existing file, and replaces it where it may', async () => {
    const out = at('there.mp4')
    writeFileSync(out, 'kept')
    const options = { source: 'puppet:5,size=64', driving, out, device: 'cpu' } as const
    await expectFailure(() => animate(run, options), InputError, /exists already/)
    expect(readFileSync(out, 'utf8')).toBe('kept')
    expect((await animate(run, { ...options, overwrite: true })).frames).toBe(12)
    expect(readFileSync(out).length).toBeGreaterThan(100)
  })

  it('leaves nothing behind when it is aborted', async () => {
    const before = files()
    for (const [phase, count] of [
      ['align', 3],
      ['animate', 5],
      ['animate', 12],
    ] as const) {
      const controller = new AbortController()
      const work = animate(run, {
        source: 'puppet:5,size=64',
        driving,
        out: at('aborted.mp4'),
        device: 'cpu',
        signal: controller.signal,
        onProgress: (at) => {
          if (at.phase === phase && at.done === count) controller.abort()
        },
      })
      await expect(work).rejects.toThrow(/abort/i)
      expect(files()).toEqual(before)
    }
  })

  it('refuses sources and clips that cannot serve, before there is an output', async () => {
    const model = await openModel(run, { device: 'cpu' })
    const small = at('small.png')
    await writePicture(small, blankFrame(40, 80))
    const before = files()
    const good = { source: 'puppet:5,size=64', driving, out: at('none.mp4'), device: 'cpu' } as const
    const refused = (options: object, ...parts: RegExp[]) =>
      expectFailure(() => animate(model, { ...good, ...options }), InputError, ...parts)
    await refused({ source: at('missing.png') }, /no such file/)
    await refused({ driving: small }, /this is a picture/)
    await refused({ driving: 'puppet:3,frames=1' }, /one frame/)
    await refused({ out: at('none.gif') }, /file ending/)
    await refused({ out: at('no/such/folder.mp4') }, /no such file or folder/)
    await refused({ size: 8 }, /of this size/)
    expect(files()).toEqual(before)
    await model.close()
  })
})

describe('what the user may not expect', () => {
  it('is a small picture or clip, which is enlarged, and a clip in which nothing moves', async () => {
    const [source, out] = [at('tiny.png'), at('tiny.mp4')]
    await writePicture(source, blankFrame(40, 80))
    const options = { source, driving: 'puppet:3,size=32,frames=4', out, device: 'cpu' } as const
    const { notices: notes } = await animate(run, options)
    expect(notes).toHaveLength(2)
    expect(notes[0]).toMatch(/tiny\.png: enlarged from 40 x 80 pixels.*64 x 64; detail is missing/)
    expect(notes[1]).toMatch(/puppet:3.*enlarged from 32 x 32/)
    const film = await openClip(out)
    expect(film).toMatchObject({ width: 64, height: 64, frameCount: 4 })
    await film.close()

    const still = at('still.mp4')
    const writer = await createVideoWriter(still, { width: 64, height: 64, frameRate: 10, overwrite: false })
    for (let i = 0; i < 5; i++)
      await writer.write({ ...blankFrame(64, 64, [9, 99, 200]), time: i / 10, duration: 0.1 })
    await writer.close()
    const moved = await animate(run, {
      source: 'puppet:5,size=64',
      driving: still,
      out: at('s.mp4'),
      device: 'cpu',
    })
    expect(moved.notices).toEqual([`${still}: nothing moves in this clip`])
    const good = await animate(run, { source: 'puppet:5,size=64', driving, out: at('g.mp4'), device: 'cpu' })
    expect(good.notices).toEqual([])
  })

  it('never replaces the driving clip or the source, under whatever name', async () => {
    const clip = at('clip.mp4')
    await animate(run, { source: 'puppet:5,size=64', driving, out: clip, device: 'cpu' })
    symlinkSync(clip, at('symbolic.mp4'))
    linkSync(clip, at('hard.mp4'))
    const before = readFileSync(clip)
    for (const out of [clip, join(dirname(clip), '.', 'clip.mp4'), at('symbolic.mp4'), at('hard.mp4')]) {
      for (const inputs of [
        { source: 'puppet:5,size=64', driving: clip },
        { source: clip, driving },
      ]) {
        await expectFailure(
          () => animate(run, { ...inputs, out, overwrite: true, device: 'cpu' }),
          InputError,
          /the output is one of the inputs/,
        )
      }
    }
    expect(readFileSync(clip).equals(before)).toBe(true)
  })
})

describe('animateFrames', () => {
  it('smooths the keypoints of the driving clip, whichever reference is taken', async () => {
    const model = await openModel(run, { device: 'cpu' })
    const clip = puppetClip({ seed: 3, frames: 6, size: 64 })
    const { pixels } = await fitSource(stillPuppet({ seed: 5, size: 64 }), 64, 'crop')
    const points = async (options: AnimateFramesOptions) => {
      const found: Float32Array[] = []
      for await (const { kpDriving } of moveFrames(model, pixels, clip, options)) found.push(kpDriving.value)
      return found
    }
    const raw = await points({ reference: 'first' })
    const smooth = await points({ reference: 'first', smooth: true })
    const filter = new OneEuroFilter()
    expect(smooth).toEqual(raw.map((value, i) => filter.filter(value, i / 25)))
    expect(smooth[5]).not.toEqual(raw[5])
    for (const options of [{ reference: 'best' }, { absolute: true }] as const) {
      expect(await points({ ...options, smooth: true })).toEqual(smooth)
    }
    await model.close()
  })

  it('gives every frame with its keypoints; the reference frame leaves the source as it stands', async () => {
    const model = await openModel(run, { device: 'cpu' })
    const clip = puppetClip({ seed: 3, frames: 6, size: 64 })
    const { pixels } = await fitSource(stillPuppet({ seed: 5, size: 64 }), 64, 'crop')
    const rows = []
    for await (const made of animateFrames(model, pixels, clip, { reference: 'first' })) {
      expect(made).toMatchObject({ frame: rows.length, referenceFrame: 0 })
      expect(made.result.time).toBeCloseTo(rows.length / 25, 6)
      if (made.frame === 0) {
        made.kpTransferred.value.forEach((v, i) => {
          expect(v).toBeCloseTo(made.kpSource.value[i]!, 5)
        })
      }
      rows.push({ source: blankFrame(64, 64), driving: made.driving, result: made.result })
    }
    expect(rows).toHaveLength(6)
    const best = { reference: 'best' } as const
    const [seen, moved] = [animateFrames(model, pixels, clip, best), moveFrames(model, pixels, clip, best)]
    for await (const { driving, ...made } of seen) {
      expect(driving).toMatchObject({ width: 64, height: 64 })
      expect((await moved.next()).value).toEqual(made)
    }
    expect((await moved.next()).done).toBe(true)
    expect(compareSheet(rows, { cell: 32, groups: 2 })).toMatchObject({ width: 208, height: 112 })
    await model.close()
  })
})
