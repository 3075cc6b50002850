import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { writePicture } from '../../src/media/picture.ts'
import { suitingStarter } from '../../src/train/setup.ts'
import { InputError } from '../../src/util/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-suiting-'))
const [faces, toys] = [join(folder, 'faces'), join(folder, 'toys')]

/** A made clip as a folder of numbered pictures: what was filmed, as far as anybody can tell. */
async function filmed(spec: string, path: string): Promise<void> {
  mkdirSync(path)
  const clip = await openClip(spec)
  let number = 100
  for await (const frame of clip.frames()) await writePicture(join(path, `${number++}.png`), frame)
  await clip.close()
}

beforeAll(async () => {
  await filmed('head:100007,frames=3,size=256,framing=portrait', faces)
  await filmed('puppet:7,frames=3,size=256', toys)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('clips that all show a face begin with the starter of faces, and others with nothing', async () => {
  expect(await suitingStarter([faces], {})).toBe('face')
  expect(await suitingStarter([faces, faces], {})).toBe('face')
  expect(await suitingStarter([faces, toys], {})).toBeUndefined()
  expect(await suitingStarter([toys], {})).toBeUndefined()
  // The whole picture is kept, which may show more than a head.
  expect(await suitingStarter([faces], { fit: 'letterbox' })).toBeUndefined()
  expect(await suitingStarter(['head:3', faces], {})).toBeUndefined()
  await expect(suitingStarter([join(folder, 'none.mp4')], {})).rejects.toThrow(InputError)
})
