// The pool of rendered heads that the face networks learn from: frames of `head:SEED` with their labels, in one file for
// each seed, so that a pool that was interrupted is continued.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { headMesh } from '../../src/clips/source.ts'
import { frameAt } from '../../src/media/clip.ts'
import { headClip } from '../../src/synthetic/head/head.ts'
import { landmarkCount } from '../../src/synthetic/made-clips.ts'
import { Random } from '../../src/util/random.ts'

/** Side of a frame, in pixels. */
export const poolSize = 160

/** A frame of a head that nobody is. */
export interface PooledHead {
  readonly seed: number
  /** RGB [160, 160, 3]. */
  readonly pixels: Uint8Array
  /** [160, 160]: as `HeadLabels.mask`. */
  readonly mask: Uint8Array
  /** [66, 2], pixels; (0, 0) is the centre of the first one. */
  readonly landmarks: Float32Array
  /** [66] */
  readonly visible: Uint8Array
}

const area = poolSize ** 2
const recordBytes = 8 * landmarkCount + landmarkCount + 2 + 4 * area

/** Renders `frames` frames of each seed that `folder` lacks. */
export async function renderPool(folder: string, seeds: readonly number[], frames: number): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const mesh = headMesh()
  for (const seed of seeds) {
    const file = join(folder, `${seed}.heads`)
    if (existsSync(file)) continue
    const clip = headClip({ seed, size: poolSize }, mesh)
    const random = new Random(seed)
    const bytes = new Uint8Array(frames * recordBytes)
    for (let i = 0; i < frames; i++) {
      const number = random.integer(clip.frameCount)
      const frame = await frameAt(clip, number)
      const at = i * recordBytes
      const pixels = frame.landmarks.map((v) => ((v + 1) / 2) * (poolSize - 1))
      bytes.set(new Uint8Array(pixels.buffer), at)
      bytes.set(frame.visible, at + 8 * landmarkCount)
      bytes.set(frame.data, at + recordBytes - 4 * area)
      bytes.set(clip.labels(number).mask, at + recordBytes - area)
    }
    writeFileSync(`${file}.part`, bytes)
    renameSync(`${file}.part`, file)
    if (seed % 50 === 0) process.stderr.write(`rendered up to seed ${seed}\n`)
  }
}

/** The frames of the seeds that a folder has. */
export function readPool(folder: string, seeds: readonly number[]): PooledHead[] {
  return seeds.flatMap((seed) => {
    const file = join(folder, `${seed}.heads`)
    if (!existsSync(file)) return []
    const bytes = new Uint8Array(readFileSync(file))
    return Array.from({ length: bytes.length / recordBytes }, (_, i) => {
      const record = bytes.subarray(i * recordBytes, (i + 1) * recordBytes)
      const pictures = record.subarray(recordBytes - 4 * area)
      return {
        seed,
        landmarks: new Float32Array(record.slice(0, 8 * landmarkCount).buffer),
        visible: record.subarray(8 * landmarkCount, 9 * landmarkCount),
        pixels: pictures.subarray(0, 3 * area),
        mask: pictures.subarray(3 * area),
      }
    })
  })
}
