/** Sound is copied beside the frames, packet by packet, where the container takes it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openVideo } from '../../src/media/codecs.ts'
import { soundFor } from '../../src/media/video-out.ts'
import { collect, gradientFrame, madeSound, scratch, soundOf, soundStep, writeFrames } from './support.ts'

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
  expect(await collect(clip.frames())).toHaveLength(25)
})
