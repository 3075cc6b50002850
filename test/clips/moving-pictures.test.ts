/** Pictures that move, folders of pictures, and folders in folders are clips; what is none is refused with a way out. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { describeMedia, listClips, openClip, readSource } from '../../src/clips/source.ts'
import { pixelAt } from '../../src/media/clip.ts'
import { InputError, PantinError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { bars, collect, expectFailure, scratch, writeOddVideo } from '../media/support.ts'

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
    const apng = put('stands-still.apng', await picture(1))
    await expectFailure(() => openClip(apng), InputError, 'this is a picture', 'ffmpeg -i')
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

  test('a WebP that is cut off has its whole frames; without one, it is called damaged', async () => {
    const bytes = readFileSync(await writeAnimation('whole.webp', Array(6).fill(100)))
    await using whole = await openClip(path('whole.webp'))
    const all = await collect(whole.frames())
    const fourth = [...Array(4)].reduce((at: number) => bytes.indexOf('ANMF', at + 1), 0)
    await using clip = await openClip(put('cut.webp', bytes.subarray(0, fourth + 30)))
    expect(clip).toMatchObject({ ...size, frameCount: 3, duration: expect.closeTo(0.3, 6) })
    const read = await collect(clip.frames())
    expect(read.map(({ data }) => data)).toEqual(all.slice(0, 3).map(({ data }) => data))
    expect((await readSource(path('cut.webp'))).data).toEqual(all[0]!.data)
    const none = put('none.webp', bytes.subarray(0, bytes.indexOf('ANMF') + 30))
    const still = await sharp(await picture(3))
      .webp()
      .toBuffer()
    for (const file of [none, put('still-cut.webp', still.subarray(0, still.length - 10))])
      for (const open of [openClip, readSource])
        await expectFailure(
          () => open(file),
          InputError,
          'the picture is damaged',
          'save or download it again',
        )
  })

  test('brackets at the end of a name are no options', async () => {
    const gif = readFileSync(await writeAnimation('plain.gif', [100, 100]))
    await using clip = await openClip(put('moves [1]', gif))
    expect((await collect(clip.frames())).map((frame) => pixelAt(frame, 20, 20)[0])).toEqual([0, 20])
    const png = put('photo [page=1]', await picture(4))
    expect(pixelAt(await readSource(png), 20, 20)).toEqual([80, 80, 80])
    expect(await describeMedia(png)).toMatchObject({ ...size, kind: 'png', frames: 1 })
    await expectFailure(() => openClip(put('text [1]', 'no picture')), InputError, 'not a video')
  })
})

describe('animated PNG', () => {
  /** A frame: a square part of one colour at a place, how it is disposed of (0, 1, 2), and whether it is laid over. */
  interface Part {
    readonly at: readonly [left: number, top: number, side: number]
    readonly colour: string
    readonly dispose?: number
    readonly over?: boolean
    readonly delay?: readonly [number, number]
  }
  const side = 16
  const chunk = (kind: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(kind, 'latin1'), data])
    const ends = [Buffer.alloc(4), Buffer.alloc(4)] as const
    ends[0].writeUInt32BE(data.length)
    ends[1].writeUInt32BE(crc32(body))
    return Buffer.concat([ends[0], body, ends[1]])
  }
  const numbers = (...values: number[]) => {
    const bytes = Buffer.alloc(4 * values.length)
    for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i)
    return bytes
  }
  async function animatedPng(parts: readonly Part[]): Promise<Buffer> {
    const chunks = [chunk('acTL', numbers(parts.length, 0))]
    let [sequence, header] = [0, Buffer.alloc(0)]
    for (const [i, { at, colour, dispose = 0, over = false, delay = [1, 10] }] of parts.entries()) {
      const [left, top, size] = at
      const create = { width: size, height: size, channels: 4, background: colour } as const
      const png = await sharp({ create }).png().toBuffer()
      if (i === 0) header = png.subarray(8, 33)
      const times = Buffer.from([0, delay[0], 0, delay[1], dispose, over ? 1 : 0])
      chunks.push(chunk('fcTL', Buffer.concat([numbers(sequence++, size, size, left, top), times])))
      const data = png.subarray(png.indexOf('IDAT') + 4, png.indexOf('IEND') - 8)
      chunks.push(i === 0 ? chunk('IDAT', data) : chunk('fdAT', Buffer.concat([numbers(sequence++), data])))
    }
    const signature = Buffer.from('89504e470d0a1a0a', 'hex')
    return Buffer.concat([signature, header, ...chunks, chunk('IEND', Buffer.alloc(0))])
  }
  const whole = [0, 0, side] as const
  const parts: Part[] = [
    { at: whole, colour: '#ff0000' },
    { at: [4, 4, 8], colour: '#00ff00', dispose: 2 },
    { at: [0, 0, 4], colour: '#0000ff', dispose: 1, delay: [1, 4] },
    { at: [8, 8, 8], colour: 'rgba(0,0,0,0.5)', over: true },
    { at: whole, colour: 'rgba(0,0,0,0)' },
  ]

  test('frames change a part of the picture, and what they leave behind is as they say', async () => {
    await using clip = await openClip(put('parts.apng', await animatedPng(parts)))
    expect(clip).toMatchObject({ width: side, height: side, frameCount: 5, variableRate: true })
    const frames = await collect(clip.frames())
    expect(frames.map(({ time }) => time)).toEqual([0, 0.1, 0.2, 0.45, 0.55])
    const [red, green, blue, white] = [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [255, 255, 255],
    ]
    const seen = frames.map((frame) => [pixelAt(frame, 1, 1), pixelAt(frame, 6, 6), pixelAt(frame, 14, 14)])
    expect(seen[0]).toEqual([red, red, red])
    expect(seen[1]).toEqual([red, green, red])
    expect(seen[2]).toEqual([blue, red, red])
    expect(seen[3]!.slice(0, 2)).toEqual([white, red])
    expect(Math.abs(seen[3]![2]![0] - 127)).toBeLessThanOrEqual(1)
    expect(seen[4]).toEqual([white, white, white])
    const some = await collect(clip.frames({ fromFrame: 2, toFrame: 4 }))
    expect(some.map(({ data }) => data)).toEqual(frames.slice(2, 4).map(({ data }) => data))
  })

  const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0
  test.skipIf(!hasFfmpeg)(
    `has FFmpeg's frames${hasFfmpeg ? '' : ': skipped, FFmpeg is not here'}`,
    async () => {
      const random = new Random(5)
      const made = Array.from({ length: 40 }, (_, i): Part => {
        const part = 1 + random.integer(side)
        const at = [random.integer(side - part + 1), random.integer(side - part + 1), part] as const
        const [red, green, blue] = [0, 0, 0].map(() => random.integer(256))
        const colour = `rgba(${red},${green},${blue},${random.pick([0, 0.2, 0.6, 1])})`
        // FFmpeg 5 clears a first frame wrongly.
        const dispose = i === 0 ? 0 : random.integer(3)
        return { at: i === 0 ? whole : at, colour, dispose, over: random.uniform() < 0.6, delay: [1, 10] }
      })
      const file = put('random.apng', await animatedPng(made))
      await using clip = await openClip(file)
      const frames = await collect(clip.frames())
      const { stdout } = spawnSync('ffmpeg', [
        ...['-v', 'error', '-f', 'apng', '-i', file, '-vsync', 'passthrough'],
        ...['-f', 'rawvideo', '-pix_fmt', 'rgba', '-'],
      ])
      expect(stdout).toHaveLength(made.length * side * side * 4)
      for (const [number, { data }] of frames.entries()) {
        for (let i = 0; i < side * side; i++) {
          const pixel = stdout.subarray((number * side * side + i) * 4)
          for (const c of [0, 1, 2]) {
            const expected = 255 + ((pixel[c]! - 255) * pixel[3]!) / 255
            expect(Math.abs(data[3 * i + c]! - expected), `frame ${number}, pixel ${i}`).toBeLessThanOrEqual(
              3,
            )
          }
        }
      }
    },
  )

  test('cut off, it has its whole frames; a damaged frame is refused', async () => {
    const file = await animatedPng(parts)
    const cut = put('cut.apng', file.subarray(0, file.lastIndexOf('fdAT') + 8))
    await using clip = await openClip(cut)
    expect(clip.frameCount).toBe(4)
    const odd = await animatedPng(parts.map((part, i) => (i === 1 ? { ...part, at: [12, 12, 8] } : part)))
    await expectFailure(() => openClip(put('odd.apng', odd)), InputError, 'this is a picture')
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
    // A recording may begin inside a packet.
    const film = readFileSync(path('mixed/film.ts'))
    put('mixed/part.ts', Buffer.concat([film.subarray(100, 188), film, film]))
    expect(await listClips([path('mixed')])).toEqual([path('mixed/film.ts'), path('mixed/part.ts')])
  })

  test('without numbered pictures are no clips', async () => {
    put('loose/a.png', await picture(0))
    put('loose/b.png', await picture(1))
    await expectFailure(() => openClip(path('loose')), InputError, 'not one of numbered pictures')
  })
})

describe('HEIC', () => {
  const given = (name: string) => fileURLToPath(new URL(`../media/formats/${name}`, import.meta.url))

  test('is read', async () => {
    const { width, height, ...frame } = await readSource(given('gradient.heic'))
    expect([width, height]).toEqual([320, 240])
    // From red at the top to blue at the bottom.
    const colours = [0, 120, 239].map((y) => pixelAt({ ...frame, width, height }, 160, y))
    expect(colours.map(([r, , b]) => r - b)).toEqual([
      expect.closeTo(254, -1),
      expect.closeTo(0, -1),
      expect.closeTo(-254, -1),
    ])
  })

  test('has the colours of its profile: bars that are stored in Display P3', async () => {
    const frame = await readSource(given('bars-p3.heic'))
    for (const [i, x] of [5, 15, 25, 33, 42, 51, 60].entries()) {
      const colour = pixelAt(frame, x, 8)
      for (const c of [0, 1, 2])
        expect(Math.abs(colour[c]! - bars[i]![c]!), `${x}: ${colour}`).toBeLessThanOrEqual(9)
    }
  })

  test('that is damaged or cut short is refused', async () => {
    const whole = readFileSync(given('bars-p3.heic'))
    for (const length of [300, 900, 1500])
      await expectFailure(
        () => readSource(put('cut.heic', whole.subarray(0, length))),
        PantinError,
        'cut.heic',
      )
    const noise = Buffer.from(whole)
    noise.fill(0xa5, 1000, 1800)
    const made = await readSource(put('noise.heic', noise)).catch((error: unknown) => error)
    if (made instanceof Error) expect(made).toBeInstanceOf(PantinError)
  })
})

test('a container that is not read is refused with the ffmpeg line', async () => {
  const avi = put('lab.avi', Buffer.concat([Buffer.from('RIFF\0\0\0\0AVI LIST'), Buffer.alloc(300)]))
  await expectFailure(() => openClip(avi), InputError, /ffmpeg -i \S*lab\.avi -c:v libx264/)
})
