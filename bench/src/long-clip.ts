// Whether training on a clip of an hour takes more memory than training on one of minutes.
import { join } from 'node:path'
import type { Frame } from '../../src/media/clip.ts'
import { createVideoWriter } from '../../src/media/video-out.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { train } from '../../src/train/train.ts'
import type { Figure } from './figure.ts'

export interface LongClipOptions {
  /** Folder for the clip and the run. Other files in it stay. */
  readonly folder: string
  /** Length of the clip (default 3600). */
  readonly seconds?: number
  /** Number of training steps (default 20). */
  readonly steps?: number
  readonly signal?: AbortSignal
  onProgress?(point: MemoryPoint): void
}

/** The memory of the process at one moment. */
export interface MemoryPoint {
  readonly phase: 'encode' | 'decode' | 'train'
  /** Fraction of the phase that is done, 0 to 1. */
  readonly done: number
  /** Resident memory of the process, in MiB. */
  readonly resident: number
}

const size = 64
const frameRate = 25
/** Number of frames that are drawn. The clip repeats them. */
const painted = 250
/** After this fraction of the decoding, codecs, caches and V8's heap have reached their final size. */
const settled = 0.2
/** Change of the heap that is allowed between two garbage collections. */
const allowedMiB = 64

/**
 * Makes a long clip, trains on it, and watches the memory. An hour of 64x64 takes some minutes and 400 MB of disk.
 *
 * @returns the peak memory after the first fifth of the decoding, minus the peak memory before.
 */
export async function longClipFigure(options: LongClipOptions): Promise<Figure> {
  const { folder, seconds = 3600, steps = 20, signal } = options
  const clip = join(folder, `long-${seconds}.mp4`)
  const points: MemoryPoint[] = []
  const look = (phase: MemoryPoint['phase'], done: number) => {
    const point = { phase, done, resident: process.memoryUsage.rss() / 2 ** 20 }
    points.push(point)
    options.onProgress?.(point)
  }
  await writeLongClip(clip, Math.round(seconds * frameRate), look, signal)
  let next = 0
  await train(clip, {
    out: join(folder, `long-${seconds}`),
    size,
    steps,
    batch: 4,
    device: 'cpu',
    force: true,
    ...(signal && { signal }),
    onEvent(event) {
      if (event.kind === 'step') look('train', event.progress)
      if (event.kind !== 'decode') return
      const done = event.done / event.total
      if (done < next) return
      look('decode', done)
      next = done >= 1 ? 0 : done + 0.02
    },
  })
  const decoding = points.filter(({ phase }) => phase === 'decode')
  const most = (list: readonly MemoryPoint[]) => Math.max(...list.map(({ resident }) => resident))
  const early = most(decoding.filter(({ done }) => done <= settled))
  const late = most(decoding.filter(({ done }) => done > settled))
  return {
    name: 'train.memory',
    value: Math.max(0, late - early),
    unit: 'MiB',
    target: { atMost: allowedMiB },
    how:
      `resident memory after the first ${100 * settled}% of decoding ${seconds} s of ${size}x${size} over that ` +
      `before (${early.toFixed(0)} MiB); ${most(points).toFixed(0)} MiB at most, ${steps} steps included`,
  }
}

async function writeLongClip(
  path: string,
  frames: number,
  look: (phase: 'encode', done: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const loop: Frame[] = []
  for await (const frame of puppetClip({ seed: 3, size, frames: painted, frameRate }).frames())
    loop.push(frame)
  const writer = await createVideoWriter(path, { width: size, height: size, frameRate, overwrite: true })
  try {
    for (let i = 0; i < frames; i++) {
      signal?.throwIfAborted()
      // Forward and backward: a jump would become a key frame.
      const at = i % (2 * painted)
      await writer.write(loop[at < painted ? at : 2 * painted - 1 - at]!)
      if (i % Math.ceil(frames / 20) === 0) look('encode', i / frames)
    }
    await writer.close()
  } finally {
    await writer.abort()
  }
}
