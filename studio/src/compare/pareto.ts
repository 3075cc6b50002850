import type { Measure } from './facts.ts'

export interface Spot {
  readonly name: string
  readonly title: string
  readonly x: number
  readonly y: number
}

/** Of the measures, only how far a network sees is better the larger it is. */
export const isGain = (measure: Measure): boolean => measure === 'receptiveField'

/**
 * Names of those that no other beats: none is at least as good in both measures and better in one.
 *
 * @param gains whether larger x, and larger y, are better
 */
export function front(
  spots: readonly Spot[],
  gains: { readonly x: boolean; readonly y: boolean },
): Set<string> {
  const cost = ({ x, y }: Spot): readonly [number, number] => [gains.x ? -x : x, gains.y ? -y : y]
  const isBeaten = (spot: Spot) => {
    const [x, y] = cost(spot)
    return spots.some((other) => {
      const [ox, oy] = cost(other)
      return ox <= x && oy <= y && (ox < x || oy < y)
    })
  }
  return new Set(spots.filter((spot) => !isBeaten(spot)).map(({ name }) => name))
}
