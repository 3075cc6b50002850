/** A logarithmic axis. */
export interface Scale {
  /** Where a value stands, in pixels. */
  at(value: number): number
  readonly ticks: readonly number[]
}

/** An axis shows at least this ratio where nothing else is said, so that differences of a few percent look like that. */
const defaultRatio = 6
/** Part of the axis that stays free on each side. */
const margin = 0.07

/**
 * @param values above 0
 * @param range pixels of the axis' beginning and end; the end may be smaller
 * @param mostTicks that there is room for
 * @param leastRatio that the axis shows, of its end to its beginning
 */
export function logScale(
  values: readonly number[],
  range: readonly [number, number],
  mostTicks: number,
  leastRatio = defaultRatio,
): Scale {
  const logs = values.map(Math.log10)
  const middle = (Math.min(...logs) + Math.max(...logs)) / 2
  const least = Math.log10(leastRatio) / 2
  const half = Math.max(least, (Math.max(...logs) - Math.min(...logs)) / 2) / (1 - 2 * margin)
  const [low, high] = [middle - half, middle + half]
  const [from, to] = range
  return {
    at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from),
    ticks: ticksBetween(10 ** low, 10 ** high, mostTicks, leastRatio < defaultRatio),
  }
}

/** 1, 2 and 5 times powers of ten; the powers alone where that would be too many. @param narrow others where those are few */
function ticksBetween(low: number, high: number, most: number, narrow: boolean): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))]
  const powers = Array.from({ length: last - first + 1 }, (_, i) => first + i)
  const multiples = (factors: readonly number[]) =>
    powers
      .flatMap((power) => factors.map((factor) => Number((factor * 10 ** power).toPrecision(1))))
      .filter((tick) => tick >= low && tick <= high)
  const fine = multiples([1, 2, 5])
  if (narrow && fine.length < 3) return evenTicks(low, high, most)
  return fine.length <= most ? fine : multiples([1])
}

/** Whole multiples of 1, 2 or 5 times a power of ten: where the axis spans less than three of those themselves. */
function evenTicks(low: number, high: number, most: number): number[] {
  const power = Math.floor(Math.log10(high - low)) - 1
  const steps = [1, 2, 5, 10, 20, 50].map((factor) => Number((factor * 10 ** power).toPrecision(1)))
  const step = steps.find((one) => (high - low) / one < most) ?? high
  const first = Math.ceil(low / step)
  const count = Math.floor(high / step) - first + 1
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * step).toPrecision(6)))
}
