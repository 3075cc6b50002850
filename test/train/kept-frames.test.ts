// Frames that are kept in a folder: a second run takes them from there, and other clips or sizes do not.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { afterAll, expect, test } from 'vitest'
import { openClips } from '../../src/clips/source.ts'
import { drawBatch } from '../../src/train/frames.ts'
import { type KeptOptions, keptFrames } from '../../src/train/kept-frames.ts'
import { Random } from '../../src/util/random.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-kept-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const specs = ['puppet:3,frames=5,size=32', 'puppet:4,frames=4,size=32']
const options: KeptOptions = { size: 32, fit: 'crop', holdout: 0.2, labels: 8 }

/** A batch of the frames, and the number of frames that were decoded for it. */
async function batch(changes: Partial<KeptOptions> = {}, names = specs, kept: string | null = folder) {
  let decoded = 0
  const clips = await openClips(names)
  const onFrame = () => decoded++
  const cache = await keptFrames(clips, names, kept ?? undefined, { ...options, ...changes, onFrame })
  try {
    return {
      decoded,
      drawn: drawBatch(new Random(1), cache, 6, { flip: true, colour: 0 }),
      clips: cache.clips,
    }
  } finally {
    cache.close()
  }
}

test('are decoded once, and are the same as frames that are not kept', async () => {
  const first = await batch()
  expect(first.decoded).toBe(9)
  const second = await batch()
  expect(second.decoded).toBe(0)
  expect(second.drawn).toEqual(first.drawn)
  expect(second.clips).toEqual(first.clips)
  const { decoded, drawn } = await batch({}, specs, null)
  expect(decoded).toBe(9)
  expect(drawn).toEqual(first.drawn)
})

test('are decoded again for another size, part, grid or clip, and if a file is not whole', async () => {
  expect((await batch({ size: 16 })).decoded).toBe(9)
  expect((await batch({ holdout: 0 })).decoded).toBe(9)
  expect((await batch({ labels: undefined })).decoded).toBe(9)
  expect((await batch({}, [specs[1]!, specs[0]!])).decoded).toBe(9)
  expect((await batch()).decoded).toBe(0)
  for (const name of readdirSync(folder)) if (name.endsWith('.frames')) truncateSync(join(folder, name), 100)
  expect((await batch()).decoded).toBe(9)
})

test('are decoded again if a picture of a folder has changed in its place', async () => {
  const pictures = join(folder, 'pictures')
  mkdirSync(pictures)
  const paint = (name: string, red: number) =>
    sharp({ create: { width: 32, height: 32, channels: 3, background: { r: red, g: 0, b: 0 } } })
      .png()
      .toFile(join(pictures, name))
  for (const [i, name] of ['1.png', '2.png', '3.png', '4.png'].entries()) await paint(name, 60 * i)
  const [first, again] = [await batch({}, [pictures]), await batch({}, [pictures])]
  expect(first.decoded).toBeGreaterThan(0)
  expect(again.decoded).toBe(0)
  await sleep(20)
  await paint('2.png', 255)
  expect((await batch({}, [pictures])).decoded).toBe(first.decoded)
  rmSync(pictures, { recursive: true })
})

test('are decoded again if a clip has too few of them to train on, as some versions kept it', async () => {
  await batch()
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.json')) continue
    const text = readFileSync(join(folder, name), 'utf8')
    writeFileSync(join(folder, name), text.replaceAll(/"training":\d+/g, '"training":1'))
  }
  expect((await batch()).decoded).toBe(9)
})

test('leave nothing behind if the preparation is stopped', async () => {
  const before = readdirSync(folder).length
  const stop = AbortSignal.abort(new Error('stopped'))
  await expect(batch({ signal: stop, size: 24 })).rejects.toThrow('stopped')
  expect(readdirSync(folder).length).toBe(before)
})
