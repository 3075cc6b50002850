import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openClip, readSource } from '../../src/clips/source.ts'
import { type Clip, frameAt, framePsnr, pixelAt } from '../../src/media/clip.ts'
import { openVideo } from '../../src/media/codecs.ts'
import { fitClip, subjectCrop } from '../../src/media/fit.ts'
import { createVideoWriter } from '../../src/media/video-out.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { InputError } from '../../src/util/errors.ts'
import { collect, expectFailure, gradientFrame, scratch, writeClip, writeFrames } from './support.ts'

const path = scratch()

describe('a round trip through a video file', () => {
  for (const ending of ['mp4', 'webm', 'mov', 'mkv']) {
    test(`${ending} keeps frame count, rate, size, times and looks`, async () => {
      const puppet = puppetClip({ seed: 5, frames: 20, size: 128, frameRate: 30 })
      const clip = await openVideo(await writeClip(path(`round.${ending}`), puppet))
      expect(clip).toMatchObject({ width: 128, height: 128, frameRate: 30, frameCount: 20 })
      expect(clip.duration).toBeCloseTo(20 / 30, 2)
      const frames = await collect(clip.frames())
      const originals = await collect(puppet.frames())
      expect(frames).toHaveLength(20)
      frames.forEach((frame, i) => {
        expect(frame.time).toBeCloseTo(i / 30, 2)
        expect(framePsnr(frame, originals[i]!)).toBeGreaterThan(31)
      })
      await clip.close()
    })
  }

  test('colours keep their values, so the matrix and range are tagged and read right', async () => {
    const frame = gradientFrame(64, 64)
    for (let i = 0; i < frame.data.length; i += 3) frame.data.set([200, 40, 30], i)
    const clip = await openVideo(await writeFrames(path('red.mp4'), [frame, frame]))
    const [r, g, b] = pixelAt(await frameAt(clip, 0), 30, 30)
    expect(Math.abs(r - 200) + Math.abs(g - 40) + Math.abs(b - 30)).toBeLessThan(8)
  })

  test('an odd size is stored one pixel larger, the border repeated', async () => {
    const clip = await openVideo(await writeFrames(path('odd.mp4'), [gradientFrame(65, 33)]))
    expect(clip).toMatchObject({ width: 66, height: 34, frameCount: 1 })
    const frame = await frameAt(clip, 0)
    const [r] = pixelAt(frame, 65, 10)
    expect(r).toBeGreaterThan(245)
  })
})

describe('choosing frames', () => {
  test('a frame is the same however it is reached', async () => {
    const frames = Array.from({ length: 130 }, (_, i) => gradientFrame(64, 64, i))
    const clip = await openVideo(await writeFrames(path('range.mp4'), frames))
    const all = await collect(clip.frames())
    const part = await collect(clip.frames({ fromFrame: 61, toFrame: 65 }))
    expect(part.map(({ data }) => data)).toEqual(all.slice(61, 65).map(({ data }) => data))
    const sparse = await collect(clip.frames({ fromFrame: 3, step: 40 }))
    expect(sparse.map(({ time }) => time)).toEqual([3, 43, 83, 123].map((i) => all[i]!.time))
    expect(sparse.map(({ data }) => data)).toEqual([3, 43, 83, 123].map((i) => all[i]!.data))
    expect((await frameAt(clip, 129)).data).toEqual(all[129]!.data)
  })

  test('frames outside the clip are refused', async () => {
    const clip = puppetClip({ seed: 1, frames: 10, size: 32 })
    for (const range of [{ fromFrame: -1 }, { toFrame: 11 }, { fromFrame: 5, toFrame: 5 }, { step: 0 }]) {
      await expectFailure(() => clip.frames(range).next(), InputError, 'no such frames', /<= 10/)
    }
  })

  test('a closed clip says so', async () => {
    const clip = await openVideo(await writeFrames(path('closed.mp4'), [gradientFrame(64, 64)]))
    const frame = await frameAt(clip, 0)
    await clip.close()
    await clip.close()
    expect(frame.data).toHaveLength(64 * 64 * 3)
    await expectFailure(() => frameAt(clip, 0), InputError, 'closed.mp4', 'closed')
  })

  test('leaving early frees the decoder and lets the process end', async () => {
    const file = await writeClip(path('early.mp4'), puppetClip({ seed: 2, frames: 60, size: 64 }))
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    for (let i = 0; i < 40; i++) {
      const clip = await openVideo(file)
      for await (const frame of clip.frames()) if (frame.time > 0.1) break
      await clip.close()
    }
    expect(timers()).toBeLessThanOrEqual(before)
  })

  test('memory does not grow with the length of a clip', async () => {
    function* many() {
      for (let i = 0; i < 900; i++) yield gradient
    }
    const gradient = gradientFrame(320, 240)
    const clip = await openVideo(await writeFrames(path('long.mp4'), many()))
    for await (const frame of clip.frames({ toFrame: 200 })) expect(frame.width).toBe(320)
    const before = process.memoryUsage().rss
    let peak = before
    for await (const _ of clip.frames()) peak = Math.max(peak, process.memoryUsage().rss)
    // All frames together would be 207 MB.
    expect((peak - before) / 2 ** 20).toBeLessThan(100)
  })
})

describe('the writer', () => {
  const options = { width: 64, height: 64, frameRate: 25 }
  const frame = gradientFrame(64, 64)
  const left = (name: string) => readdirSync(dirname(path(name))).filter((f) => f.includes(name.slice(0, -4)))

  test('leaves an existing file alone unless told to overwrite it', async () => {
    writeFileSync(path('kept.mp4'), 'mine')
    await expectFailure(() => createVideoWriter(path('kept.mp4'), options), InputError, 'kept.mp4', 'exists')
    expect(readFileSync(path('kept.mp4'), 'utf8')).toBe('mine')
    await writeFrames(path('kept.mp4'), [frame], { overwrite: true })
    expect((await openVideo(path('kept.mp4'))).frameCount).toBe(1)
  })

  test('shows nothing under the final name before close, and nothing at all after abort', async () => {
    const writer = await createVideoWriter(path('abort.mp4'), options)
    await writer.write(frame)
    expect(existsSync(path('abort.mp4'))).toBe(false)
    await writer.abort()
    await writer.abort()
    expect(left('abort.mp4')).toEqual([])
    await expectFailure(() => writer.write(frame), InputError, 'finished')
  })

  test('is disposable: an unfinished video leaves nothing, a finished one stays', async () => {
    {
      await using unfinished = await createVideoWriter(path('unfinished.mp4'), options)
      await unfinished.write(frame)
    }
    expect(left('unfinished.mp4')).toEqual([])
    {
      await using finished = await createVideoWriter(path('finished.mp4'), options)
      await finished.write(frame)
      await finished.close()
    }
    await using clip = await openVideo(path('finished.mp4'))
    expect(clip.frameCount).toBe(1)
  })

  test('refuses a frame of another size, a video of no frames, and bad endings, sizes, rates, codecs', async () => {
    const writer = await createVideoWriter(path('sizes.mp4'), options)
    await expectFailure(() => writer.write(gradientFrame(32, 64)), InputError, '32 x 64', '64 x 64')
    await expectFailure(() => writer.close(), InputError, 'at least one frame')
    expect(left('sizes.mp4')).toEqual([])
    const create = (name: string, extra: object) => () =>
      createVideoWriter(path(name), { ...options, ...extra })
    await expectFailure(create('x.avi', {}), InputError, '.avi', '.mp4')
    await expectFailure(create('x', {}), InputError, 'no ending')
    await expectFailure(create('x.mp4', { width: 8 }), InputError, '8 x 64')
    await expectFailure(create('x.mp4', { frameRate: 0 }), InputError, 'frame rate')
    await expectFailure(create('x.webm', { codec: 'avc' }), InputError, 'avc', 'vp9')
    await expectFailure(create('no/where/x.mp4', {}), InputError, basename('x.mp4'), 'ENOENT')
  })
})

describe('opening a clip', () => {
  test('closes it at the end of its block', async () => {
    const file = await writeFrames(path('block.mp4'), [gradientFrame(64, 64), gradientFrame(64, 64, 1)])
    let kept: Clip
    {
      await using clip = await openClip(file)
      kept = clip
      expect(await collect(clip.frames())).toHaveLength(2)
    }
    await expectFailure(() => collect(kept.frames()), InputError, 'closed')
  })

  test('stops with the reason of its signal, and so does the search for its subject', async () => {
    const file = await writeFrames(path('stopped.mp4'), [gradientFrame(96, 64), gradientFrame(96, 64, 1)])
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(openClip(file, { signal })).rejects.toThrow('enough')
    await expect(openVideo(file, { signal })).rejects.toThrow('enough')
    await expect(readSource(file, { signal })).rejects.toThrow('enough')
    await using clip = await openClip(file)
    await expect(subjectCrop(clip, signal)).rejects.toThrow('enough')
    await expect(fitClip(clip, 64, 'crop', signal)).rejects.toThrow('enough')
  })
})
