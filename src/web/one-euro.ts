/** Numbers of the filter. */
export interface Smoothing {
  /** Hz: lower is smoother where little moves (default 1.5). */
  readonly minCutoff?: number
  /** Higher follows fast motion sooner (default 0.3). */
  readonly beta?: number
}

/** Hz at which the speed itself is smoothed; the published value. */
const speedCutoff = 1

/** For coordinates in [-1, 1] of heads and hands before a webcam. */
export const smoothingDefaults = { minCutoff: 1.5, beta: 0.3 } as const

/**
 * The one-euro filter (Casiez, Roussel and Vogel, CHI 2012) over a vector: a low-pass whose cutoff rises with
 * speed, so that what rests does not tremble and what moves does not lag.
 */
export class OneEuroFilter {
  private value: Float32Array | undefined
  private speed = new Float32Array(0)
  private time = 0

  /**
   * @param next as long as those before.
   * @param time seconds; one that is not later than the last counts as a sixtieth of a second later.
   * @returns the smoothed vector, the caller's to keep.
   */
  filter(next: Float32Array, time: number, smoothing: Smoothing = {}): Float32Array {
    const { minCutoff, beta } = { ...smoothingDefaults, ...smoothing }
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

/** How much of the new value counts, for a cutoff in Hz and a step in seconds: 0 to 1. */
function weight(cutoff: number, step: number): number {
  const ratio = 2 * Math.PI * cutoff * step
  return ratio / (ratio + 1)
}
