/** Sound is copied beside the frames, packet by packet, where the container takes it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { describeMedia } from '../../src/clips/source.ts'
import { openVideo } from '../../src/media/codecs.ts'
import type { Sound, SoundPacket } from '../../src/media/sound.ts'
import { soundFor } from '../../src/media/video-out.ts'
import { fileWord } from '../../src/util/errors.ts'
import {
  collect,
  collectPackets,
  gradientFrame,
  madeSound,
  scratch,
  soundOf,
  soundStep,
  writeFrames,
  writePcm,
} from './support.ts'

const path = scratch()
const frames = Array.from({ length: 25 }, (_, i) => gradientFrame(64, 64, i))
test('the packets keep their bytes and times, up to the end of the pictures', async () => {
  const first = await writeFrames(path('first.mp4'), frames, { sound: await madeSound() })
  const made = await soundOf(first)
  expect(made.map(({ time }) => time)).toEqual(made.map((_, i) => Number(((i - 1) * soundStep).toFixed(3))))
  expect(made.at(-1)!.time).toBeLessThan(1)
  expect(made.at(-1)!.time).toBeGreaterThan(0.95)
  await using clip = await openVideo(first)
  const kept = await soundFor(path('second.mp4'), clip)
  expect(kept.words).toBe('copied (aac)')
  const second = await writeFrames(path('second.mp4'), frames, { sound: kept.sound })
  expect(await soundOf(second)).toEqual(made)
  expect(await collect(clip.frames())).toHaveLength(25)
})

test('what is not copied is said, with the reason', async () => {
  await using clip = await openVideo(await writeFrames(path('aac.mp4'), frames, { sound: await madeSound() }))
  expect(await soundFor('m.webm', clip)).toMatchObject({
    sound: undefined,
    words: expect.stringMatching(
      /^left out: a \.webm file cannot hold aac; write a \.mkv file, or .*ffmpeg -i/,
    ),
  })
  expect(await soundFor('m.mp4', clip, false)).toEqual({ sound: undefined, words: 'left out: as asked' })
  // The command by hand has its paths in quotes.
  expect((await soundFor('my film.webm', clip)).words).toContain(fileWord('my film.webm'))
  await using silent = await openVideo(await writeFrames(path('silent.mp4'), frames))
  expect(await soundFor('m.mp4', silent)).toEqual({ sound: undefined, words: 'none (the video has none)' })
})

test('a container without times before zero begins with the first frame', async () => {
  const file = await writeFrames(path('opus.webm'), frames, { sound: await madeSound('opus') })
  const made = await soundOf(file)
  expect(made[0]!.time).toBe(0)
  expect(made.length).toBeGreaterThan(40)
})

test('sound whose header is damaged is left out, and the pictures are read', async () => {
  const file = await writeFrames(path('header.mp4'), frames, { sound: await madeSound() })
  const bytes = readFileSync(file)
  // The descriptor 4 of the box esds ends with the codec's own header. With this length it ends before.
  const at = bytes.indexOf(Buffer.from([4, 17, 0x40]), bytes.indexOf('esds'))
  expect(at).toBeGreaterThan(0)
  bytes[at + 1] = 13
  writeFileSync(path('short.mp4'), bytes)
  await using clip = await openVideo(path('short.mp4'))
  const found = await soundFor(path('out.mp4'), clip)
  expect(found).toMatchObject({ sound: undefined, words: expect.stringMatching(/^left out: it is damaged/) })
  const facts = await describeMedia(path('short.mp4'))
  expect(facts).toMatchObject({ kind: 'MP4', sound: undefined, frames: 25 })
  expect(await collect(clip.frames())).toHaveLength(25)
})

describe('sound never ends the film', () => {
  /** The sound of `madeSound`, whose packets are changed. */
  async function changed(change: (packet: SoundPacket, number: number) => SoundPacket): Promise<Sound> {
    const sound = await madeSound()
    return {
      ...sound,
      async *packets() {
        let number = 0
        for await (const packet of sound.packets()) yield change(packet, number++)
      },
    }
  }

  test('a clock that begins again: packets that are earlier than the latest are left out', async () => {
    const sound = await changed((packet, i) => ({
      ...packet,
      timestamp: i < 10 ? packet.timestamp : packet.timestamp - 10 * soundStep,
    }))
    const file = await writeFrames(path('again.mp4'), frames, { sound })
    const made = await soundOf(file)
    expect(made.map(({ time }) => time)).toEqual(made.map(({ time }) => time).toSorted((a, b) => a - b))
    expect(made.length).toBeGreaterThan(30)
    await using clip = await openVideo(file)
    expect(clip.frameCount).toBe(25)
  })

  test('sound that begins without a key packet, and a header that the container does not take', async () => {
    const later = await changed((packet, i) => ({ ...packet, type: i < 3 ? 'delta' : 'key' }))
    const file = await writeFrames(path('later.mp4'), frames, { sound: later })
    expect((await soundOf(file))[0]!.time).toBeCloseTo(2 * soundStep, 3)
    const { config, ...sound } = await madeSound('opus')
    const headless: Sound = { ...sound, config: { ...config, codec: 'no codec' } }
    await using clip = await openVideo(await writeFrames(path('headless.mp4'), frames, { sound: headless }))
    expect(clip.frameCount).toBe(25)
    expect(clip.notices).toEqual([])
  })
})

describe('uncompressed sound', () => {
  test('is cut at both ends of the pictures, in the middle of a packet', async () => {
    // 1 s of pictures from 0.5 s on; a sample at n / 8000 s has the bytes of n.
    const file = await writePcm(path('pcm.mkv'), frames, { start: 0.5, seconds: 4 })
    await using clip = await openVideo(file)
    const { sound } = await soundFor(path('cut.mov'), clip)
    const packets = await collectPackets(sound!)
    expect(packets).toHaveLength(1)
    const [{ data, timestamp, duration } = packets[0]!] = packets
    expect({ timestamp, duration }).toEqual({ timestamp: 0, duration: expect.closeTo(1, 3) })
    expect(data).toHaveLength(16_000)
    expect([data[0]! + 256 * data[1]!, data.at(-2)! + 256 * data.at(-1)!]).toEqual([4000, 11_999])
    for (const ending of ['mov', 'mkv', 'mp4']) {
      const copy = await writeFrames(path(`cut.${ending}`), frames, { sound })
      expect((await soundOf(copy)).map(({ bytes }) => bytes).join('')).toBe(Buffer.from(data).toString('hex'))
    }
  })
})
