/** Which frames of a video are shown, and when: edit lists, clocks that begin again, uneven rates, damaged packets. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { describeMedia } from '../../src/clips/source.ts'
import { type Frame, frameAt, framePsnr } from '../../src/media/clip.ts'
import { loadCodecs, openVideo } from '../../src/media/codecs.ts'
import { packetsIn, readBoxes } from '../../src/media/container.ts'
import { InputError } from '../../src/util/errors.ts'
import {
  alter,
  collect,
  expectFailure,
  gradientFrame,
  packetsOf,
  scratch,
  writeFrames,
  writeOddVideo,
  writePcm,
} from './support.ts'

const path = scratch()
/** Comparing all pixels with `toEqual` takes seconds. */
const digest = ({ data }: Frame) => createHash('sha1').update(data).digest('hex')
const frames = Array.from({ length: 50 }, (_, i) => gradientFrame(96, 64, i))
const times = (count: number) => Array.from({ length: count }, (_, i) => i / 25)

async function read(file: string) {
  await using clip = await openVideo(file)
  return { clip, frames: await collect(clip.frames()), notices: clip.notices }
}

/** A box of an mp4: its size, its kind and numbers of 32 bits. */
function box(kind: string, ...content: readonly (Uint8Array | number)[]): Buffer {
  const body = Buffer.concat(
    content.map((part) => {
      if (typeof part !== 'number') return part
      const bytes = Buffer.alloc(4)
      bytes.writeInt32BE(part)
      return bytes
    }),
  )
  const head = Buffer.alloc(8)
  head.writeUInt32BE(body.length + 8)
  head.write(kind, 4, 'latin1')
  return Buffer.concat([head, body])
}

/** Puts an edit list of [duration in seconds, start in seconds] into the only track of an mp4 whose index is at its end. */
function withEdits(file: string, to: string, edits: readonly (readonly [number, number])[]): string {
  return alter(file, to, (bytes) => {
    const scaleOf = (kind: string) => bytes.readUInt32BE(bytes.indexOf(kind) + 4 + 12)
    const [movie, media] = [scaleOf('mvhd'), scaleOf('mdhd')]
    const entries = edits.flatMap(([duration, start]) => [
      Math.round(duration * movie),
      start < 0 ? -1 : Math.round(start * media),
      0x10000,
    ])
    const edts = box('edts', box('elst', 0, edits.length, ...entries))
    const at = bytes.indexOf('mdia') - 4
    for (const kind of ['moov', 'trak']) {
      const size = bytes.indexOf(kind) - 4
      bytes.writeUInt32BE(bytes.readUInt32BE(size) + edts.length, size)
    }
    return Buffer.concat([bytes.subarray(0, at), edts, bytes.subarray(at)])
  })
}

describe('edit lists', () => {
  const whole = () => writeFrames(path('edited.mp4'), frames, { overwrite: true })

  test('an end: nothing after it is shown, and times stay', async () => {
    const file = await whole()
    const { frames: all } = await read(file)
    const { clip, frames: shown } = await read(withEdits(file, path('end.mp4'), [[1.2, 0]]))
    expect(clip).toMatchObject({ frameCount: 30, frameRate: 25, duration: expect.closeTo(1.2, 6) })
    expect(shown.map(digest)).toEqual(all.slice(0, 30).map(digest))
  })

  test('a beginning and an end, with a pause before them', async () => {
    const file = await whole()
    const { frames: all } = await read(file)
    const edits = [
      [0.5, -1],
      [0.8, 0.4],
    ] as const
    const { frames: shown } = await read(withEdits(file, path('middle.mp4'), edits))
    expect(shown.map(digest)).toEqual(all.slice(10, 30).map(digest))
    expect(shown[19]!.time).toBeCloseTo(19 / 25, 6)
  })

  test('several parts, in another order than in the file', async () => {
    const file = await whole()
    const { frames: all } = await read(file)
    const edits = [
      [0.4, 1.2],
      [0.8, 0],
    ] as const
    const { clip, frames: shown } = await read(withEdits(file, path('parts.mp4'), edits))
    const expected = [...all.slice(30, 40), ...all.slice(0, 20)]
    expect(shown.map(digest)).toEqual(expected.map(digest))
    expect(shown.map(({ time }) => Number(time.toFixed(4)))).toEqual(times(30))
    expect(clip.frameRate).toBe(25)
  })

  test('bytes of any kind give facts or none, and no error', async () => {
    const whole = readFileSync(await writeFrames(path('boxes.mp4'), frames.slice(0, 2)))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.nat(whole.length - 1), fc.nat(255))
        .map(([at, byte]) => whole.map((b, i) => (i === at ? byte : b))),
      fc.nat(whole.length).map((length) => Uint8Array.from(whole.subarray(0, length))),
    )
    const readMemory = (file: Uint8Array) =>
      readBoxes({
        ...{ size: file.length, close: async () => {} },
        read: async (start, end) => {
          expect(0 <= start && start < end && end <= file.length).toBe(true)
          return file.subarray(start, end)
        },
      })
    await fc.assert(fc.asyncProperty(bytes, async (file) => void (await readMemory(Uint8Array.from(file)))))
  })
})

describe('the frames that an index claims', () => {
  const sound = 0x736f756e
  const video = 0x76696465
  const claimed = async (
    kind: number,
    { size = 4, count = 7e6, more = [] }: { size?: number; count?: number; more?: readonly Buffer[] } = {},
  ) => {
    const sizes = box('stsz', 0, size, count)
    const tables = box('stbl', box('stts', 0, 1, count, 1), sizes, ...more)
    const track = box('trak', box('mdia', box('hdlr', 0, 0, kind, 0), box('minf', tables)))
    const file = Buffer.concat([box('ftyp', 0, 0), box('moov', track)])
    const facts = await readBoxes({
      ...{ size: file.length, close: async () => {} },
      read: async (start, end) => Uint8Array.from(file.subarray(start, end)),
    })
    return facts.claimed
  }

  test('are those of pictures; samples of uncompressed sound are not counted', async () => {
    expect(await claimed(video)).toBe(7e6)
    expect(await claimed(sound)).toBe(0)
  })

  test('count for sound too, if the library makes a list of them', async () => {
    expect(await claimed(sound, { size: 0 })).toBe(7e6)
    expect(await claimed(sound, { more: [box('ctts', 0, 1, 8e6, 1)] })).toBe(8e6)
    expect(await claimed(sound, { more: [box('stsz', 0, 0, 9e6)] })).toBe(9e6)
  })

  test('two minutes and more of uncompressed sound are no reason to refuse a video', async () => {
    const file = await writePcm(path('long.mov'), frames.slice(0, 3), { start: 0, seconds: 1 })
    // Samples of one byte: the sizes are not read for uncompressed sound.
    const long = alter(file, path('longer.mov'), (bytes) => {
      const at = bytes.lastIndexOf('stsz')
      expect(bytes.readUInt32BE(at + 12)).toBe(8000)
      bytes.writeUInt32BE(7e6, at + 12)
      return bytes
    })
    await using clip = await openVideo(long)
    expect(clip.frameCount).toBe(3)
  })
})

describe('frames of one time', () => {
  /** The video with these times, in milliseconds, undecoded. */
  async function retimed(file: string, to: string, milliseconds: readonly number[]): Promise<string> {
    const m = await loadCodecs()
    using input = new m.Input({ source: new m.FilePathSource(file), formats: m.ALL_FORMATS })
    const output = new m.Output({ format: new m.MkvOutputFormat(), target: new m.FilePathTarget(to) })
    const source = new m.EncodedVideoPacketSource('avc')
    output.addVideoTrack(source)
    await output.start()
    const track = (await input.getPrimaryVideoTrack())!
    const decoderConfig = (await track.getDecoderConfig())!
    let count = 0
    for await (const packet of new m.EncodedPacketSink(track).packets()) {
      const timestamp = milliseconds[count]! / 1000
      await source.add(packet.clone({ timestamp, sequenceNumber: count++ }), { decoderConfig })
    }
    await output.finalize()
    return to
  }

  test.each([
    ['in the middle', [0, 40, 80, 80, 160, 200], [0, 40, 80, 120, 160, 200]],
    ['at both ends', [0, 0, 0, 120, 160, 160], [0, 40, 80, 120, 160, 200]],
    ['all', [0, 0, 0, 0, 0, 0], [0, 40, 80, 120, 160, 200]],
  ] as const)('%s: their times grow, and the film can be written again', async (name, stored, shown) => {
    const whole = await writeOddVideo(path('grow.mp4'), frames.slice(0, 6))
    const { frames: before } = await read(whole)
    const { clip, frames: after } = await read(await retimed(whole, path(`${name}.mkv`), stored))
    expect(after.map(({ time }) => Math.round(1000 * time))).toEqual(shown)
    expect(after.map(digest)).toEqual(before.map(digest))
    expect(clip).toMatchObject({ frameCount: 6, frameRate: 25, duration: expect.closeTo(0.24, 6) })
    const again = await writeFrames(path(`${name}-again.mp4`), after, { variableRate: true })
    expect((await read(again)).frames).toHaveLength(6)
  })
})

test('above the highest rate, frames keep their own times', async () => {
  const fast = frames.slice(0, 10).map((frame, i) => ({ ...frame, time: i / 2560, duration: 1 / 2560 }))
  const [file, again] = [path('fast.mp4'), path('fast-again.mp4')]
  await expectFailure(() => writeFrames(file, fast, { frameRate: 2560 }), InputError, 'at most 1000')
  await writeFrames(file, fast, { frameRate: 2560, variableRate: true })
  const { clip, frames: shown } = await read(file)
  expect(clip).toMatchObject({ frameCount: 10, variableRate: true })
  expect(clip.frameRate).toBeGreaterThan(1000)
  const { frameRate } = clip
  await writeFrames(again, shown, { frameRate, variableRate: clip.variableRate ?? false })
  expect((await read(again)).frames[9]!.time).toBeCloseTo(9 / 2560, 4)
})

describe('MPEG-TS', () => {
  test('a file that begins inside a packet is read from the next packet on', async () => {
    const whole = await writeOddVideo(path('aligned.ts'), frames)
    const { frames: all } = await read(whole)
    for (const part of [1, 137, 187]) {
      const file = alter(whole, path(`part${part}.ts`), (bytes) =>
        Buffer.concat([bytes.subarray(5 * 188 - part, 5 * 188), bytes]),
      )
      const { frames: shown, notices } = await read(file)
      expect(notices).toEqual([])
      expect(shown.map(digest)).toEqual(all.map(digest))
    }
  })

  test('packets are found by their marks, and not in other files', () => {
    const bytes = (size: number, from: number) =>
      Uint8Array.from({ length: 2048 }, (_, i) => (i >= from && (i - from) % size === 0 ? 0x47 : 1))
    expect(packetsIn(bytes(188, 0))).toEqual({ size: 188, markAt: 0, from: 0 })
    expect(packetsIn(bytes(188, 100))).toEqual({ size: 188, markAt: 0, from: 100 })
    expect(packetsIn(bytes(192, 9))).toEqual({ size: 192, markAt: 4, from: 5 })
    expect(packetsIn(bytes(204, 203))).toEqual({ size: 204, markAt: 0, from: 203 })
    expect(packetsIn(bytes(187, 3))).toBeUndefined()
    for (const head of ['1a45dfa3', '0000001066747970']) {
      const other = Uint8Array.from([...Buffer.from(head, 'hex'), ...new Uint8Array(2000).fill(0x47)])
      expect(packetsIn(other)).toBeUndefined()
    }
    expect(packetsIn(new Uint8Array(0))).toBeUndefined()
  })

  test('with a damaged place: its facts are told, as its frames are read', async () => {
    const whole = await writeOddVideo(path('sound.ts'), frames)
    const file = alter(whole, path('junk.ts'), (bytes) => {
      const at = 3 * 188
      expect(bytes.length).toBeGreaterThan(at)
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(77, 9), bytes.subarray(at)])
    })
    expect(await describeMedia(file)).toMatchObject({
      ...{ kind: 'MPEG Transport Stream', width: 96, height: 64, sound: undefined, mark: undefined },
      ...{ codec: expect.stringContaining('avc1'), notices: [expect.stringContaining('a damaged place')] },
    })
  })

  test('a clock that begins again goes on after the frames before', async () => {
    const once = readFileSync(await writeOddVideo(path('once.ts'), frames))
    const { frames: first } = await read(path('once.ts'))
    expect(first).toHaveLength(50)
    writeFileSync(path('again.ts'), Buffer.concat([once, once]))
    const { clip, frames: both } = await read(path('again.ts'))
    expect(clip).toMatchObject({ frameCount: 100, frameRate: 25, variableRate: false })
    expect(both.map(({ time }) => Number(time.toFixed(3)))).toEqual(times(100))
    expect(both.map(digest)).toEqual([...first, ...first].map(digest))
  })

  test('a clock of 33 bits that wraps loses no frame', async () => {
    // 2^33 ticks of 1/90000 s are 95443.7 s.
    await writeOddVideo(path('wrap.ts'), frames, { start: 95442.7 })
    const { clip, frames: shown } = await read(path('wrap.ts'))
    expect(clip).toMatchObject({ frameCount: 50, frameRate: 25 })
    expect(shown.map(({ time }) => Number(time.toFixed(3)))).toEqual(times(50))
    for (const [i, frame] of shown.entries()) expect(framePsnr(frame, frames[i]!)).toBeGreaterThan(25)
  })
})

test('frames keep their own times if the rate varies', async () => {
  const uneven = frames.map((frame, i) => {
    const time = i < 25 ? i / 25 : 1 + (i - 25) / 5
    return { ...frame, time, duration: i < 24 ? 1 / 25 : 1 / 5 }
  })
  for (const ending of ['mp4', 'webm']) {
    const file = await writeFrames(path(`uneven.${ending}`), uneven, { frameRate: 8.4, variableRate: true })
    const { clip, frames: shown } = await read(file)
    expect(clip.variableRate).toBe(true)
    expect(clip.duration).toBeCloseTo(6, 1)
    for (const [i, { time }] of shown.entries()) expect(time).toBeCloseTo(uneven[i]!.time, 2)
  }
  await expectFailure(
    () => writeFrames(path('stuck.mp4'), frames, { variableRate: true }),
    InputError,
    'frame 1 is not later',
  )
})

describe('a damaged packet', () => {
  async function damaged(file: string, to: string, numbers: readonly number[]): Promise<string> {
    const packets = await packetsOf(file)
    return alter(file, to, (bytes) => {
      for (const number of numbers) {
        const at = bytes.indexOf(packets[number]!)
        expect(at).toBeGreaterThan(0)
        bytes.fill(0, at, at + packets[number]!.length)
      }
      return bytes
    })
  }

  test.each([
    [[30], /^one damaged frame: frame 30 at 1\.20 s/],
    [[7, 8, 40], /^3 damaged frames: frame 7 at 0\.28 s, frame 8 at 0\.32 s, frame 40 at 1\.60 s/],
    [[0], /^one damaged frame: frame 0 at 0\.00 s|^\d+ damaged frames: frame 0 /],
  ] as const)('costs its own frame, and holds the one before it: %j', async (numbers, notice) => {
    const whole = await writeOddVideo(path('sound.mp4'), frames)
    const file = await damaged(whole, path('damaged.mp4'), numbers)
    const { frames: shown, notices } = await read(file)
    expect(shown.map(({ time }) => Number(time.toFixed(4)))).toEqual(times(50))
    const marked = shown.flatMap((frame, i) => (frame.damaged ? [i] : []))
    if (numbers[0] !== 0) expect(marked).toEqual(numbers)
    else expect(marked.every((number) => number < 25)).toBe(true)
    for (const i of marked.filter((number) => number > 0)) expect(shown[i]!.data).toEqual(shown[i - 1]!.data)
    expect(notices?.[0]).toMatch(notice)
    // The same picture, if it is asked for alone.
    await using clip = await openVideo(file)
    for (const i of marked.slice(0, 3)) {
      const alone = await frameAt(clip, i)
      expect(alone).toMatchObject({ damaged: true, time: shown[i]!.time })
      expect(Buffer.compare(alone.data, shown[i]!.data), `frame ${i}`).toBe(0)
    }
  })

  test('many in a row cost few decoders, even if each is a key frame, and at most as many frames again', async () => {
    const many = Array.from({ length: 160 }, (_, i) => gradientFrame(64, 64, i))
    const whole = await writeOddVideo(path('keys.mp4'), many, { keyInterval: 0 })
    const broken = Array.from({ length: 70 }, (_, i) => 10 + i)
    const file = await damaged(whole, path('row.mp4'), broken)
    let decoders = 0
    const { VideoDecoder: Real } = globalThis
    vi.stubGlobal(
      'VideoDecoder',
      class extends Real {
        constructor(init: VideoDecoderInit) {
          super(init)
          decoders++
        }
      },
    )
    try {
      const { frames: shown } = await read(file)
      const marked = shown.flatMap((frame, i) => (frame.damaged ? [i] : []))
      expect(marked.slice(0, 70)).toEqual(broken)
      expect(marked.length).toBeLessThan(140)
      expect(
        shown
          .slice(0, 10)
          .concat(shown.slice(150))
          .some((frame) => frame.damaged),
      ).toBe(false)
      // Sixteen one by one, then 17 and 34 at once.
      expect(decoders).toBeLessThan(150)
    } finally {
      vi.unstubAllGlobals()
    }
  })

  test('frames far apart are found beside it', async () => {
    const whole = await writeOddVideo(path('sound.mp4'), frames)
    await using clip = await openVideo(await damaged(whole, path('damaged.mp4'), [30]))
    const some = await collect(clip.frames({ fromFrame: 10, step: 20 }))
    expect(some.map((frame) => frame.damaged ?? false)).toEqual([false, true])
  })

  test('a video without one whole frame is refused', async () => {
    const whole = await writeOddVideo(path('few.mp4'), frames.slice(0, 3))
    await using clip = await openVideo(await damaged(whole, path('nothing.mp4'), [0, 1, 2]))
    await expectFailure(
      () => collect(clip.frames()),
      InputError,
      'frame 0 of 3, at 0.00 s, cannot be decoded',
    )
  })
})
