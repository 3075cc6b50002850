/**
 * Frames and times of 20 clips stay as they are, bit for bit: recordings of people, synthetic heads, and the files of `formats`
 * that are neither HDR nor refused. `unchanged.json` has a hash of each. A file that comes out differently on purpose gets its
 * new hash there, in the change that says why.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { openVideo } from '../../src/media/codecs.ts'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const hashes = JSON.parse(readFileSync(at('unchanged.json'), 'utf8')) as Readonly<Record<string, string>>

/** Of the first 50 frames. */
async function hashOf(path: string): Promise<string> {
  await using clip = await openVideo(path)
  const { width, height, frameCount, frameRate, duration } = clip
  const hash = createHash('sha256')
  hash.update([width, height, frameCount, frameRate.toFixed(3), duration.toFixed(3)].join(' '))
  for await (const { time, data } of clip.frames({ toFrame: Math.min(50, frameCount) }))
    hash.update(time.toFixed(4)).update(data)
  return hash.digest('hex')
}

describe('unchanged clips', () => {
  for (const [path, hash] of Object.entries(hashes)) {
    const file = at(path)
    test.skipIf(!existsSync(file))(path, async () => expect(await hashOf(file)).toBe(hash), 120_000)
  }
})
