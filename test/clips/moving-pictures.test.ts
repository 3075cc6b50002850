/** Pictures that move, folders of pictures, and folders in folders are clips; what is none is refused with a way out. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { listClips, openClip, readSource } from '../../src/clips/source.ts'
import { pixelAt } from '../../src/media/clip.ts'
import { InputError } from '../../src/util/errors.ts'
import { collect, expectFailure, scratch, writeOddVideo } from '../media/support.ts'

const path = scratch()
const size = { width: 48, height: 32 }
/** Frame i is of the grey level 20 i, transparent in its left half if `clear`. */
const picture = (i: number, { width, height } = size, clear = false) => {
  const background = { r: 20 * i, g: 20 * i, b: 20 * i, alpha: 1 }
  const image = sharp({ create: { width, height, channels: 4, background } })
  const hole = { create: { width: width / 2, height, channels: 4, background: '#000000' } } as const
  return (clear ? image.composite([{ input: hole, left: 0, top: 0, blend: 'dest-out' }]) : image)
    .png()
    .toBuffer()
}
const pictures = (count: number) => Promise.all(Array.from({ length: count }, (_, i) => picture(i)))

async function writeAnimation(name: string, delay: number[], clear = false): Promise<string> {
  const frames = await Promise.all(delay.map((_, i) => picture(i, size, clear)))
  const image = sharp(frames, { join: { animated: true } })
  await (name.endsWith('.gif') ? image.gif({ delay }) : image.webp({ delay, lossless: true })).toFile(
    path(name),
  )
  return path(name)
}

function put(name: string, bytes: Uint8Array | string): string {
  mkdirSync(dirname(path(name)), { recursive: true })
  writeFileSync(path(name), bytes)
  return path(name)
}

describe('animations', () => {
  test.each(['even.gif', 'even.webp'])('%s: frames at their times', async (name) => {
    await using clip = await openClip(await writeAnimation(name, Array(10).fill(100)))
    expect(clip).toMatchObject({ ...size, frameCount: 10, frameRate: 10, duration: 1, variableRate: false })
    const frames = await collect(clip.frames())
    expect(frames.map((frame) => pixelAt(frame, 20, 20)[0])).toEqual(frames.map((_, i) => 20 * i))
    expect(frames.map(({ time }) => time)).toEqual(frames.map((_, i) => i / 10))
    const some = await collect(clip.frames({ fromFrame: 3, step: 4 }))
    expect(some.map((frame) => pixelAt(frame, 20, 20)[0])).toEqual([60, 140])
  })

  test('delays that differ, and delays that browsers do not show', async () => {
    await using clip = await openClip(await writeAnimation('uneven.gif', [40, 200, 10, 40]))
    expect(clip.variableRate).toBe(true)
    const frames = await collect(clip.frames())
    expect(frames.map(({ time }) => time)).toEqual([0, 0.04, 0.24, 0.34])
    expect(clip.duration).toBeCloseTo(0.38, 6)
  })

  test('transparency is laid over white', async () => {
    await using clip = await openClip(await writeAnimation('clear.webp', [100, 100], true))
    for (const frame of await collect(clip.frames())) expect(pixelAt(frame, 2, 2)).toEqual([255, 255, 255])
  })

  test('a picture that stands still is refused, with the way out', async () => {
    const still = put(
      'still.gif',
      await sharp(await picture(1))
        .gif()
        .toBuffer(),
    )
    await expectFailure(
      () => openClip(still),
      InputError,
      'this is a picture',
      'folder of numbered',
      'ffmpeg -i',
    )
    const apng = put('moves.apng', await picture(1))
    await expectFailure(() => openClip(apng), InputError, 'animated PNG is not read', 'ffmpeg -i')
  })

  test('a damaged animation gives its whole frames, or is refused', async () => {
    const file = await writeAnimation('whole.gif', Array(6).fill(100))
    const bytes = await sharp(file, { pages: -1 }).gif().toBuffer()
    const cut = put('cut.gif', bytes.subarray(0, Math.floor(bytes.length / 2)))
    const read = await openClip(cut)
      .then(async (clip) => collect(clip.frames()))
      .catch((error: unknown) => error)
    if (Array.isArray(read)) expect(read.length).toBeLessThan(6)
    else expect(read).toBeInstanceOf(InputError)
  })
})

describe('folders', () => {
  test('of numbered pictures are clips, in the order of their numbers', async () => {
    for (const [i, bytes] of (await pictures(11)).entries()) put(`frames/f${i + 1}.png`, bytes)
    put('frames/f12.png', await picture(11, { width: 48, height: 64 }))
    expect(await listClips([path('frames')])).toEqual([path('frames')])
    await using clip = await openClip(path('frames'))
    expect(clip).toMatchObject({ ...size, frameCount: 12, frameRate: 10 })
    expect(clip.notices?.join()).toContain('10 frames per second')
    const frames = await collect(clip.frames())
    expect(frames.map((frame) => pixelAt(frame, 24, 16)[0])).toEqual(frames.map((_, i) => 20 * i))
    // The picture of another size is fitted between bars.
    expect(pixelAt(frames[11]!, 4, 16)).toEqual([0, 0, 0])
  })

  test('are searched in folders, for videos first', async () => {
    const [one] = await pictures(1)
    put('data/train/2.mp4', 'x')
    put('data/train/10.mp4', 'x')
    put('data/train/7.jpg', one!)
    put('data/valid/deep/b.webm', 'x')
    put('data/.hidden/c.mp4', 'x')
    for (const i of [1, 2]) put(`data/walk/${i}.png`, one!)
    expect(await listClips([path('data')])).toEqual(
      ['data/train/2.mp4', 'data/train/10.mp4', 'data/valid/deep/b.webm', 'data/walk'].map(path),
    )
    expect(await listClips([path('data')], { pictures: true })).toContain(path('data/walk/1.png'))
  })

  test('may hold MPEG-TS, and programs of the same ending are passed over', async () => {
    put('mixed/program.ts', 'export const Greeting = 1\n'.repeat(20))
    await expectFailure(() => listClips([path('mixed')]), InputError, 'no videos in this folder')
    await writeOddVideo(path('mixed/film.ts'), [
      { ...size, data: new Uint8Array(48 * 32 * 3), time: 0, duration: 0 },
    ])
    expect(await listClips([path('mixed')])).toEqual([path('mixed/film.ts')])
  })

  test('without numbered pictures are no clips', async () => {
    put('loose/a.png', await picture(0))
    put('loose/b.png', await picture(1))
    await expectFailure(() => openClip(path('loose')), InputError, 'not one of numbered pictures')
  })
})

test('HEIC is called by its name, with the way out', async () => {
  copyFileSync(
    fileURLToPath(new URL('../media/formats/gradient.heic', import.meta.url)),
    path('IMG_0001.HEIC'),
  )
  await expectFailure(
    () => readSource(path('IMG_0001.HEIC')),
    InputError,
    'HEIC pictures are not read',
    'heif-convert',
    'Most Compatible',
  )
})

test('a container that is not read is refused with the ffmpeg line', async () => {
  const avi = put('lab.avi', Buffer.concat([Buffer.from('RIFF\0\0\0\0AVI LIST'), Buffer.alloc(300)]))
  await expectFailure(() => openClip(avi), InputError, /ffmpeg -i ".*lab\.avi" -c:v libx264/)
})
