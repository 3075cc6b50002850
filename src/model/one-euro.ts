// The one-euro filter (Casiez, Roussel and Vogel, CHI 2012), which smooths keypoints in time.
import { InputError } from '../util/errors.ts'
import type { Keypoints } from './keypoint-detector.ts'

/** The filter's numbers. */
export interface Smoothing {
  /** Hz: a lower cutoff is smoother at low speed (default 1.5). */
  readonly minCutoff?: number
  /** A higher value follows fast motion sooner (default 0.3). */
  readonly beta?: number
}

/** Hz at which the speed itself is smoothed; the published value. */
const speedCutoff = 1

/** For coordinates in [-1, 1] of heads and hands in front of a webcam. */
export const smoothingDefaults = { minCutoff: 1.5, beta: 0.3 } as const

/**
 * The one-euro filter over a vector: a low-pass whose cutoff rises with speed. Points at rest do not tremble, and points
 * that move do not lag.
 */
export class OneEuroFilter {
  private value: Float32Array | undefined
  private speed = new Float32Array(0)
  private time = 0

  /**
   * @param next the next vector. If its length differs from the last one's, the filter starts again.
   * @param time seconds. A time that is not later than the last counts as a sixtieth of a second later.
   * @returns the smoothed vector, the caller's to keep.
   */
  filter(next: Float32Array, time: number, smoothing: Smoothing = {}): Float32Array {
    const { minCutoff, beta } = usable(smoothing)
    if (this.value?.length !== next.length) {
      this.value = next.slice()
      this.speed = new Float32Array(next.length)
      this.time = time
      return next.slice()
    }
    const step = time > this.time ? time - this.time : 1 / 60
    const value = this.value.map((last, i) => {
      const speed = (next[i]! - last) / step
      this.speed[i]! += weight(speedCutoff, step) * (speed - this.speed[i]!)
      return last + weight(minCutoff + beta * Math.abs(this.speed[i]!), step) * (next[i]! - last)
    })
    this.value = value
    this.time = time
    return value.slice()
  }
}

/** Smooths keypoints and their local affine maps, frame after frame. */
export class KeypointFilter {
  private readonly points = new OneEuroFilter()
  private readonly maps = new OneEuroFilter()

  /** @param time seconds, as in `OneEuroFilter`. */
  filter({ value, jacobian }: Keypoints, time: number, smoothing: Smoothing = {}): Keypoints {
    return {
      value: this.points.filter(value, time, smoothing),
      jacobian: jacobian && this.maps.filter(jacobian, time, smoothing),
    }
  }
}

/**
 * The filter for an option `smooth`: none for false. Keypoints stay as they are without one.
 *
 * @throws InputError for numbers that cannot smooth
 */
export function smoother(smooth: boolean | Smoothing | undefined): KeypointFilter['filter'] {
  if (smooth === undefined || smooth === false) return (keypoints) => keypoints
  const filter = new KeypointFilter()
  const smoothing = smooth === true ? {} : usable(smooth)
  return (keypoints, time) => filter.filter(keypoints, time, smoothing)
}

/** The numbers with their defaults. @throws InputError if they would make no numbers of keypoints */
function usable(smoothing: Smoothing): Required<Smoothing> {
  const { minCutoff, beta } = { ...smoothingDefaults, ...smoothing }
  if (Number.isFinite(minCutoff) && minCutoff > 0 && Number.isFinite(beta) && beta >= 0) {
    return { minCutoff, beta }
  }
  throw new InputError({
    what: 'keypoints cannot be smoothed so',
    got: `minCutoff ${minCutoff}, beta ${beta}`,
    expected: 'minCutoff above 0 and beta from 0 on, such as minCutoff 1.5 and beta 0.3',
  })
}

/** The weight of the new value, 0 to 1, for a cutoff in Hz and a step in seconds. */
function weight(cutoff: number, step: number): number {
  const ratio = 2 * Math.PI * cutoff * step
  return ratio / (ratio + 1)
}
