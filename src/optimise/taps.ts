/** What a line of a convolution reads, along one axis. */
export interface Line {
  readonly results: number
  readonly taps: number
  readonly pixels: number
  /** Zeros before the first pixel. */
  readonly before: number
  /** How many times each pixel was repeated. */
  readonly scale: 1 | 2
}

/** [result, tap, pixel that it reads], where there is one. */
export function reads({
  results,
  taps,
  pixels,
  before,
  scale,
}: Line): (readonly [result: number, tap: number, pixel: number])[] {
  return Array.from({ length: results * taps }, (_, i) => {
    const [result, tap] = [Math.floor(i / taps), i % taps]
    return [result, tap, Math.floor((result + tap - before) / scale)] as const
  }).filter(([, , pixel]) => pixel >= 0 && pixel < pixels)
}
