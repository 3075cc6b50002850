import { readFile, writeFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeMedia, openClip } from '../../src/clips/source.ts'
import { framePsnr } from '../../src/media/clip.ts'
import type { WriterCodec } from '../../src/media/video-out.ts'
import { createVideoWriter } from '../../src/media/video-out.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { scratch } from '../animate/support.ts'
import { alter, gradientFrame, madeSound, packetsOf, soundOf, writeFrames } from '../media/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { fromBase64, inPage, openSite, type Site, toBase64 } from './browser.ts'

/** Clips and recordings of a page. */

const title = chromium === undefined ? `media: skipped, ${withoutChromium}` : 'clips and recordings in a page'

/** In a page: all frames of a clip, as lists of RGB bytes. */
const framesOf = `
const framesOf = async (clip) => {
  const frames = []
  for await (const { time, duration, picture } of clip.frames()) {
    const canvas = new OffscreenCanvas(picture.width, picture.height)
    const context = canvas.getContext('2d')
    context.drawImage(picture, 0, 0)
    picture.close()
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
    frames.push({ time, duration, width: canvas.width, height: canvas.height, data: Array.from(data).filter((_, i) => i % 4 !== 3) })
  }
  return frames
}
`

interface PageFrame {
  readonly time: number
  readonly duration: number
  readonly width: number
  readonly height: number
  readonly data: number[]
}

describe.skipIf(chromium === undefined)(title, () => {
  const at = scratch()
  let site: Site
  let page: Page

  beforeAll(async () => {
    site = await openSite()
    page = await site.open()
  }, 240_000)
  afterAll(() => site?.close())

  for (const [name, codec] of [
    ['vp8.webm', 'vp8'],
    ['vp9.webm', 'vp9'],
    ['h264.mp4', 'avc'],
  ] as const satisfies [string, WriterCodec][]) {
    test(`${name} is decoded as in Node`, async () => {
      const path = at(name)
      const writer = await createVideoWriter(path, { width: 64, height: 48, frameRate: 20, codec })
      for await (const frame of puppetClip({ seed: 4, frames: 5, size: 64 }).frames()) {
        await writer.write({ ...frame, height: 48, data: frame.data.subarray(0, 64 * 48 * 3) })
      }
      await writer.close()
      site.files.set(name, await readFile(path))
      const { frames, ...facts } = await inPage<{ frames: PageFrame[]; skipped?: string }>(
        page,
        `${framesOf}
        const file = new File([await (await fetch(input)).blob()], input)
        const clip = await pantin.openClip(file, place, { fit: 'whole' })
        const { name, width, height, frameCount, frameRate } = clip
        const frames = await framesOf(clip)
        const again = await framesOf(clip)
        if (again.length !== frames.length) throw new Error('a second pass has other frames')
        clip.close()
        return { frames, name, width, height, frameCount, frameRate }
        `,
        name,
      )
      expect(facts).toMatchObject({ name, width: 64, height: 48, frameCount: 5 })
      const clip = await openClip(path)
      let i = 0
      for await (const frame of clip.frames()) {
        const got = frames[i++]!
        expect(got.time).toBeCloseTo(frame.time, 3)
        const psnr = framePsnr(frame, { ...frame, data: Uint8Array.from(got.data) })
        expect(psnr, `frame ${i}`).toBeGreaterThan(40)
      }
      await clip.close()
      expect(i).toBe(frames.length)
    }, 240_000)
  }

  for (const [name, codec, numbers] of [
    ['first.webm', 'vp8', [0]],
    ['middle.webm', 'vp8', [30, 31, 55]],
    ['middle.mp4', 'avc', [30]],
  ] as const satisfies [string, WriterCodec, number[]][]) {
    test(`a damaged packet costs its own frame, which is marked: ${name}`, async () => {
      const pictures = Array.from({ length: 60 }, (_, i) => gradientFrame(64, 48, i))
      const whole = await writeFrames(at(name), pictures, { codec })
      const packets = await packetsOf(whole)
      alter(whole, at(`damaged-${name}`), (bytes) => {
        for (const number of numbers) {
          const start = bytes.indexOf(packets[number]!)
          bytes.fill(codec === 'vp8' ? 0xff : 0, start, start + packets[number]!.length)
        }
        return bytes
      })
      const files = [name, `damaged-${name}`]
      for (const file of files) site.files.set(file, await readFile(at(file)))
      const read = await inPage<
        { times: number[]; passes: number[][]; before: string[]; notices: string[] }[]
      >(
        page,
        `
        const read = []
        for (const name of input) {
          const file = new File([await (await fetch(name)).blob()], name)
          const clip = await pantin.openClip(file, place, { fit: 'whole' })
          const { notices: before } = clip
          let times
          const passes = []
          for (let pass = 0; pass < 2; pass++) {
            times = []
            const marked = []
            for await (const { time, damaged, picture } of clip.frames()) {
              if (damaged) marked.push(times.length)
              times.push(time)
              picture.close()
            }
            passes.push(marked)
          }
          read.push({ times, passes, before, notices: clip.notices })
          clip.close()
        }
        return read
        `,
        files,
      )
      const [good, bad] = [read[0]!, read[1]!]
      expect(good).toMatchObject({ passes: [[], []], notices: [] })
      expect(good.times).toHaveLength(pictures.length)
      expect(bad.times).toEqual(good.times)
      expect(bad.before).toEqual([])
      const [marked] = bad.passes
      expect(bad.passes).toEqual([marked, marked])
      const clip = await openClip(at(`damaged-${name}`))
      const inNode: number[] = []
      let i = 0
      for await (const { damaged } of clip.frames()) {
        if (damaged) inNode.push(i)
        i++
      }
      expect(marked).toEqual(inNode)
      expect(bad.notices).toEqual(clip.notices)
      await clip.close()
    }, 240_000)
  }

  test('a clip is fitted to a square, read in part, and left in the middle without harm', async () => {
    const result = await inPage<{ frames: PageFrame[]; times: number[]; first: number; size: number[] }>(
      page,
      `${framesOf}
      const clip = await pantin.openClip('puppet:4,frames=6,size=64', place, { size: 32 })
      let first = 0
      for await (const { picture } of clip.frames()) {
        first = picture.width
        picture.close()
        break
      }
      const frames = await framesOf(clip)
      const times = []
      for await (const { time, picture } of clip.frames({ fromFrame: 1, toFrame: 6, step: 2 })) {
        times.push(time)
        picture.close()
      }
      clip.close()
      return { frames, times, first, size: [clip.width, clip.height] }
      `,
    )
    expect(result.size).toEqual([32, 32])
    expect(result.first).toBe(32)
    expect(result.frames).toHaveLength(6)
    expect(result.times).toEqual([1, 3, 5].map((i) => result.frames[i]!.time))
  })

  for (const format of ['mp4', 'webm'] as const) {
    test(`a recording as ${format} is a video of the pictures that were added`, async () => {
      const made = await inPage<{ format: string; codec: string; type: string; file: string }>(
        page,
        `${toBase64}
        const clip = await pantin.openClip('puppet:4,frames=8,size=63', place)
        const writer = await pantin.createVideoWriter({ width: 63, height: 63, format: input, mark: 'trainedAlgorithmicMedia' }, place)
        for await (const { time, picture } of clip.frames()) {
          await writer.write(picture, 100 + 2 * time)
          picture.close()
        }
        const late = await writer.write(new ImageData(63, 63), 100).then(() => 'taken', (error) => error.message)
        if (!/later than/.test(late)) throw new Error(late)
        const file = await writer.close()
        await writer.abort()
        clip.close()
        return { format: writer.format, codec: writer.codec, type: file.type, file: await toBase64(file) }
        `,
        format,
      )
      expect(made).toMatchObject({ format, type: `video/${format}` })
      const path = at(`recorded.${format}`)
      await writeFile(path, fromBase64(made.file))
      expect(await describeMedia(path)).toMatchObject({ mark: 'trainedAlgorithmicMedia', frames: 8 })
      const clip = await openClip(path)
      expect(clip).toMatchObject({ width: 64, height: 64, frameCount: 8 })
      expect(clip.frameRate).toBeCloseTo(12.5, 1)
      const truth = puppetClip({ seed: 4, frames: 8, size: 64 })
      const expected = truth.frames()
      for await (const frame of clip.frames()) {
        const { value } = await expected.next()
        expect(framePsnr(frame, value!)).toBeGreaterThan(18)
      }
      await clip.close()
    }, 240_000)
  }

  test('a recording has the sound of a video where its file can hold it', async () => {
    const pictures = Array.from({ length: 10 }, (_, i) => gradientFrame(64, 64, i))
    const sounding = await writeFrames(at('opus.webm'), pictures, {
      codec: 'vp8',
      sound: await madeSound('opus'),
    })
    site.files.set('opus.webm', await readFile(sounding))
    const aac = await writeFrames(at('aac.mp4'), pictures, { sound: await madeSound() })
    site.files.set('aac.mp4', await readFile(aac))
    const made = await inPage<{ file: string; words: string[] }>(
      page,
      `${toBase64}
      const words = []
      const record = async (name) => {
        const sound = await (await fetch(name)).blob()
        const writer = await pantin.createVideoWriter({ width: 64, height: 64, format: 'webm', sound }, place)
        for (let i = 0; i < 10; i++) await writer.write(new ImageData(64, 64), i / 25)
        words.push(writer.sound)
        return writer.close()
      }
      const file = await toBase64(await record('opus.webm'))
      await record('aac.mp4')
      return { file, words }
      `,
    )
    expect(made.words).toEqual(['copied (opus)', 'left out: a .webm file cannot hold aac'])
    await writeFile(at('again.webm'), fromBase64(made.file))
    const [copied, given] = [await soundOf(at('again.webm')), await soundOf(sounding)]
    // As long as the pictures.
    expect(copied.length).toBeGreaterThan(10)
    expect(copied).toEqual(given.slice(0, copied.length))
    expect(copied.at(-1)!.time).toBeGreaterThan(0.33)
  }, 240_000)

  test('what cannot be read or recorded is refused with the reason', async () => {
    const said = await inPage<string[]>(
      page,
      `
      const attempts = [
        () => pantin.openClip('puppet:x', place),
        () => pantin.openClip(new Blob(['<html>this is not a video']), place),
        () => pantin.createVideoWriter({ width: 8, height: 8 }, place),
        async () => (await pantin.createVideoWriter({ width: 64, height: 64 }, place)).close(),
        () => pantin.openClip('puppet:1', { workerUrl: 'no-such-worker.js' }),
      ]
      const said = []
      for (const attempt of attempts) {
        said.push(await attempt().then(() => 'done', (error) => (pantin.isPantinError(error) ? '' : 'UNTYPED ') + error.message))
      }
      return said
      `,
    )
    const expected = [
      /no such puppet/,
      /not a video/,
      /of this size/,
      /at least one picture/,
      /worker failed/,
    ]
    for (const [i, pattern] of expected.entries()) expect(said[i]).toMatch(pattern)
    expect(said.filter((text) => text.startsWith('UNTYPED'))).toEqual([])
  })

  test('a file whose reading never ends is refused within seconds, and the page stays usable', async () => {
    // An element that ends eight bytes before the file does.
    const never = Buffer.from(
      [
        '1a45dfa39f4286810142f70000ffff810442f381084282847765626d4287810242858102185380670100c01254',
        'c36753ac82012a4dbb8c53ab841c53bb6b',
      ].join(''),
      'hex',
    )
    const hostile = ['never-ends.webm', 'huge-stts.mp4', 'slow-71.mp4']
    const files = ['never.webm']
    site.files.set('never.webm', never)
    for (const name of hostile) {
      const bytes = await readFile(new URL(`../../../shared/cases/hostile/${name}`, import.meta.url)).catch(
        () => undefined,
      )
      if (bytes === undefined) continue
      site.files.set(name, bytes)
      files.push(name)
    }
    const said = await inPage<{ what: string; message: string; seconds: number; ticks: number }[]>(
      page,
      `
      const said = []
      for (const name of input) {
        const file = new File([await (await fetch(name)).blob()], name)
        const attempts = [
          ['openClip', () => pantin.openClip(file, place)],
          ['record', () => pantin.createVideoWriter({ width: 64, height: 64, sound: file }, place)],
          ['train', () => pantin.Trainer.start([file], {}, { ...place, name: 'hostile', onEvent() {} })],
        ]
        for (const [what, attempt] of name === 'never.webm' ? attempts : attempts.slice(0, 1)) {
          const begun = performance.now()
          let ticks = 0
          const timer = setInterval(() => ticks++, 100)
          const message = await attempt().then(() => 'done', (error) => error.constructor.name + ' ' + error.message)
          clearInterval(timer)
          said.push({ what: what + ' ' + name, message, seconds: (performance.now() - begun) / 1000, ticks })
        }
      }
      return said
      `,
      files,
    )
    expect(said).toHaveLength(files.length + 2)
    for (const { what, message, seconds, ticks } of said) {
      expect(message, what).toMatch(/^FormatError/)
      expect(seconds, what).toBeLessThan(20)
      if (!what.endsWith('never.webm')) continue
      expect(message, what).toMatch(/hold the program up.*no progress within 5\.0 s/s)
      expect(message, what).toContain('never.webm')
      expect(ticks, what).toBeGreaterThan(10)
    }
  }, 240_000)

  test('no page complains on its console', () => {
    expect(site.complaints.filter((text) => !/404/.test(text))).toEqual([])
  })
})
