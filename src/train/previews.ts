import { drawKeypoints } from '../animate/preview.ts'
import type { Frame } from '../media/frame.ts'
import { contactSheet } from '../media/sheet.ts'
import { resized } from '../model/pixels.ts'
import type { FrameCache } from './frame-cache.ts'
import type { Reconstructor } from './reconstruction.ts'
import type { TrainingState } from './step-runner.ts'
import type { Preview } from './task.ts'

/** Rows of a preview at most, and the least side that frames are shown at, in pixels. */
const rows = 6
const shownSide = 128

/** One pair of frames that a preview shows: indices into the cache. */
interface Pair {
  readonly source: number
  readonly driving: number
}

/**
 * Pairs that are the same all through a run: the first frame of each clip, driven by its held-out frames
 * (by its last ones, where none are held out).
 */
export function previewPairs(cache: FrameCache): Pair[] {
  const perClip = Math.max(1, Math.floor(rows / cache.clips.length))
  return cache.clips.slice(0, rows).flatMap(({ first, training, count }) => {
    const from = training < count ? training : Math.floor(count / 2)
    return Array.from({ length: perClip }, (_, i) => ({
      source: first,
      driving: first + from + Math.floor(((i + 0.5) * (count - from)) / perClip),
    }))
  })
}

/**
 * One picture: a row a pair, with source, driving frame, result, and the driving frame's keypoints. Its measures
 * are `l1`, the mean absolute difference of the results to their driving frames, values in [0, 1], and `still`,
 * that of the sources themselves.
 */
export async function makePreview(
  reconstructor: Reconstructor,
  cache: FrameCache,
  state: TrainingState,
): Promise<Preview> {
  const { size } = cache
  const cells: Frame[] = []
  let [l1, still] = [0, 0]
  const pairs = previewPairs(cache)
  for (const pair of pairs) {
    const [source, driving] = [pair.source, pair.driving].map((index) => {
      const data = new Uint8Array(cache.frameBytes)
      cache.read(index, data)
      return data
    }) as [Uint8Array, Uint8Array]
    const { prediction, kpDriving } = await reconstructor.run(state, source, driving)
    l1 += meanDifference(prediction, driving) / pairs.length
    still += meanDifference(source, driving) / pairs.length
    const shown = [source, driving, prediction].map((data) => enlarged(data, size))
    cells.push(...shown, drawKeypoints(enlarged(driving, size), kpDriving))
  }
  return { picture: contactSheet(cells, 4), measures: { l1, still } }
}

function enlarged(data: Uint8Array, size: number): Frame {
  return resized({ width: size, height: size, data, time: 0, duration: 0 }, Math.max(size, shownSide))
}

/** Mean absolute difference of two pictures of 8 bits, in [0, 1]. */
function meanDifference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!)
  return sum / a.length / 255
}
