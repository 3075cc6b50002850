// Tracking: frames, files, memory, and the square that keypoints are in.
import { existsSync, linkSync, readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type TrackedFrame, type TrackHeader, track, writeTrack } from '../../src/animate/track.ts'
import { openClip } from '../../src/clips/source.ts'
import { blankFrame, fromPixel } from '../../src/media/clip.ts'
import { createFitter, seenSquare, videoPosition } from '../../src/media/fit.ts'
import { openModel } from '../../src/model/open-model.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { InputError } from '../../src/util/errors.ts'
import { expectFailure } from '../media/support.ts'
import { randomRun, scratch } from './support.ts'

const at = scratch()
const run = await randomRun(at('run'))
const files = () => readdirSync(dirname(run)).filter((name) => name !== 'run')

describe('track', () => {
  it('gives points and maps for every frame', async () => {
    const found: TrackedFrame[] = []
    for await (const frame of track(run, 'puppet:3,frames=5,size=64', { device: 'cpu' })) found.push(frame)
    expect(found.map(({ frame }) => frame)).toEqual([0, 1, 2, 3, 4])
    expect(found[3]!.time).toBeCloseTo(3 / 25, 6)
    expect(found[0]!.value).toHaveLength(5)
    expect(found[0]!.value[0]).toHaveLength(2)
    expect(found[0]!.jacobian).toHaveLength(5)
    expect(found[0]!.jacobian![0]).toMatchObject([{ length: 2 }, { length: 2 }])
  })

  it('closes what it opened when its reader stops early, and leaves open what was given', async () => {
    const model = await openModel(run, { device: 'cpu' })
    for await (const _ of track(model, puppetClip({ seed: 1, frames: 9, size: 64 }))) break
    expect((await model.detect(blankFrame(64, 64).data)).value).toHaveLength(10)
    await model.close()
  })

  it('keeps its memory flat over a long clip', async () => {
    const clip = puppetClip({ seed: 3, frames: 600, size: 64 })
    let [start, most] = [0, 0]
    for await (const { frame } of track(run, clip, { device: 'cpu' })) {
      const { rss } = process.memoryUsage()
      if (frame === 100) start = rss
      if (frame > 100) most = Math.max(most, rss)
    }
    expect((most - start) / 2 ** 20).toBeLessThan(30)
  })
})

describe('writeTrack', () => {
  it('writes one line a frame, and the clip with its keypoints drawn on it', async () => {
    const [out, overlay] = [at('track.json'), at('track.mp4')]
    const result = await writeTrack(run, 'puppet:3,frames=7,size=96', { out, overlay, device: 'cpu' })
    expect(result).toMatchObject({ out, overlay, frames: 7, keypoints: 5, device: 'cpu' })
    const text = readFileSync(out, 'utf8')
    const { frames, ...header } = JSON.parse(text) as TrackHeader & { frames: TrackedFrame[] }
    expect(header).toEqual({
      pantin: { format: 1, version: expect.any(String) },
      net: 'lednet',
      keypoints: 5,
      size: 64,
      width: 96,
      height: 96,
      frameRate: 25,
      crop: { left: 0, top: 0, side: 96 },
      cropBy: 'motion',
    })
    expect(frames.map(({ frame }) => frame)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(text.trimEnd().split('\n')).toHaveLength(9)
    const clip = await openClip(overlay)
    expect(clip).toMatchObject({ frameCount: 7, width: 96, height: 96 })
    await clip.close()
  })

  it('writes CSV in pixels of the video, also of a video that is smaller than the network', async () => {
    const options = { device: 'cpu', smooth: true } as const
    const [csv, json] = [at('k.csv'), at('k.JSON')]
    const made = await writeTrack(run, 'puppet:3,frames=4,size=40', { ...options, out: csv })
    expect(made.notices).toEqual([expect.stringMatching(/enlarged from 40 x 40/)])
    const lines = readFileSync(csv, 'utf8').trimEnd().split('\n')
    expect(lines[0]).toBe('frame,time,x0,y0,x1,y1,x2,y2,x3,y3,x4,y4')
    await writeTrack(run, 'puppet:3,frames=4,size=40', { ...options, out: json })
    const { frames, crop, size } = JSON.parse(readFileSync(json, 'utf8')) as TrackHeader & {
      frames: TrackedFrame[]
    }
    const place = videoPosition(crop, size)
    expect(crop.side).toBe(40)
    for (const [i, { frame, time, value }] of frames.entries()) {
      const expected = [frame, time, ...value.flatMap(([x, y]) => place(x!, y!))]
      const found = lines[i + 1]!.split(',').map(Number)
      expect(found).toHaveLength(expected.length)
      for (const [j, number] of found.entries()) expect(number).toBeCloseTo(expected[j]!, 3)
    }
    expect(lines).toHaveLength(5)
  })

  it('never replaces the video', async () => {
    const clip = at('clip.mp4')
    await writeTrack(run, 'puppet:3,frames=3,size=64', { out: at('c.json'), overlay: clip, device: 'cpu' })
    linkSync(clip, at('linked.mp4'))
    linkSync(clip, at('linked.json'))
    const before = readFileSync(clip)
    const options = { overwrite: true, device: 'cpu' } as const
    for (const files of [
      { out: at('x.json'), overlay: clip },
      { out: at('x.json'), overlay: at('linked.mp4') },
      { out: at('linked.json') },
    ]) {
      await expectFailure(
        () => writeTrack(run, clip, { ...options, ...files }),
        InputError,
        /the output is one of the inputs/,
      )
    }
    expect(readFileSync(clip).equals(before)).toBe(true)
  })

  it('leaves neither file when it fails or is aborted', async () => {
    const before = files()
    const controller = new AbortController()
    const options = { out: at('a.json'), overlay: at('a.mp4'), device: 'cpu' } as const
    const aborted = writeTrack(run, 'puppet:3,frames=9,size=64', {
      ...options,
      signal: controller.signal,
      onProgress: (done) => done === 4 && controller.abort(),
    })
    await expect(aborted).rejects.toThrow(/abort/i)
    const failing = (more: object, ...parts: RegExp[]) =>
      expectFailure(() => writeTrack(run, 'puppet:3', { ...options, ...more }), InputError, ...parts)
    for (const out of [at('k'), at('k.txt'), at('json')]) {
      await failing({ out }, /not written in a file of this kind/, /\.json or \.csv/)
    }
    await failing({ overlay: options.out }, /cannot be the same file/)
    await failing({ overlay: at('a.txt') }, /file ending/)
    await failing({ out: at('no/a.json') }, /no such file or folder/)
    expect(files()).toEqual(before)
    expect(existsSync(options.out)).toBe(false)
  })
})

describe('the square that keypoints are in', () => {
  const size = 32

  /** A soft green spot on black, found again in the fitted picture as a keypoint is, and led back. */
  function seen(width: number, height: number, mode: 'crop' | 'letterbox', x: number, y: number) {
    const frame = blankFrame(width, height)
    for (let i = 0; i < width * height; i++) {
      const square = ((i % width) - x) ** 2 + (Math.floor(i / width) - y) ** 2
      frame.data[3 * i + 1] = 255 * Math.exp(-square / 32)
    }
    const fitter = createFitter(frame, size, { mode, crop: { left: 20, top: 0, side: 64 } })
    const pixels = fitter(frame)
    let [sum, sx, sy] = [0, 0, 0]
    for (let i = 0; i < size * size; i++) {
      // Bars are grey; the picture has no red.
      const light = pixels[3 * i] === 0 ? pixels[3 * i + 1]! : 0
      sum += light
      sx += light * (i % size)
      sy += light * Math.floor(i / size)
    }
    const coordinate = (total: number) => fromPixel(total / sum, size)
    return videoPosition(seenSquare(fitter), size)(coordinate(sx), coordinate(sy))
  }

  it.each([
    ['crop', 128, 64, 0.1],
    ['letterbox', 128, 64, 0.1],
    // A quarter of a network pixel.
    ['letterbox', 100, 64, 0.25 * (100 / size)],
    ['letterbox', 64, 100, 0.25 * (100 / size)],
  ] as const)('leads back to the pixel of the video: %s of %d x %d', (mode, width, height, tolerance) => {
    for (const [x, y] of [
      [40, 20],
      [51, 45],
      [36, 33],
    ] as const) {
      const [px, py] = seen(width, height, mode, x, y)
      expect(Math.abs(px - x)).toBeLessThan(tolerance)
      expect(Math.abs(py - y)).toBeLessThan(tolerance)
    }
  })
})
