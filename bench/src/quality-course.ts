// The part `quality`: how good a model became with the minutes of its training, and the figure that two such courses give.
import { toCsv } from '../../src/report/format.ts'
import type { Figure } from './figure.ts'

/** One evaluation in the course of a training. */
export interface QualityPoint {
  readonly steps: number
  /** Minutes of steps. Evaluations and checkpoints do not count. */
  readonly minutes: number
  /** Mean absolute difference of held-out frames to the first frame that they drive, values in [0, 1]. */
  readonly l1: number
  /** The same for the first frame as it is. */
  readonly still: number
  /** `l1` over `still`. */
  readonly ratio: number
}

/** When a training ends. */
export interface QualityRule {
  /** The ratio to reach. */
  readonly target: number
  /** Minutes of steps after which a training that has not reached it is given up. */
  readonly limit: number
}

/** The first evaluation at which the target was reached; undefined if none was. */
export const reachedAt = (
  course: readonly QualityPoint[],
  { target }: QualityRule,
): QualityPoint | undefined => course.find(({ ratio }) => ratio <= target)

/** Whether a training is over: its target is reached, or its time. */
export function isOver(course: readonly QualityPoint[], rule: QualityRule): boolean {
  return reachedAt(course, rule) !== undefined || (course.at(-1)?.minutes ?? 0) >= rule.limit
}

/** A training that was followed. */
export interface FollowedTraining {
  readonly name: string
  readonly course: readonly QualityPoint[]
  /** Sizes, batch, threads. */
  readonly how: string
}

/** How many times sooner than its peer pantin is to reach the target. */
const timesSooner = 5

/**
 * Minutes until the target, beside the peer's. If the peer never reached it, the ratio is a lower bound. If pantin did not,
 * the ratio is 0.
 */
export function qualityFigure(
  ours: FollowedTraining,
  peer: FollowedTraining | undefined,
  rule: QualityRule,
): Figure {
  const [own, other] = [ours, peer].map((side) => side && end(side.course, rule))
  const value = own!.minutes
  const how = [ours, ...(peer === undefined ? [] : [peer])].map((side) => outcome(side, rule)).join('; ')
  const begin = { name: 'quality.minutes', value, unit: 'min', how } as const
  if (peer === undefined || other === undefined) return begin
  return {
    ...begin,
    peer: { name: peer.name, value: other.minutes },
    ratio: reachedAt(ours.course, rule) === undefined ? 0 : other.minutes / value,
    target: { atLeast: timesSooner },
  }
}

/** The evaluation that counts: the one that reached the target, or the last one. */
const end = (course: readonly QualityPoint[], rule: QualityRule): QualityPoint =>
  reachedAt(course, rule) ?? course.at(-1)!

function outcome({ name, course, how }: FollowedTraining, rule: QualityRule): string {
  const { ratio, steps, minutes } = end(course, rule)
  const reached = reachedAt(course, rule) !== undefined
  const said = `L1 ${ratio.toFixed(3)} of the still picture's after ${minutes.toFixed(2)} minutes and ${steps} steps`
  return `${name} (${how}): ${said}${reached ? '' : `, and ${rule.target} not reached`}`
}

/** All evaluations, one line for each. */
export const qualityCsv = (sides: readonly FollowedTraining[]): string =>
  toCsv(
    sides.flatMap(({ name, course, how }) =>
      course.map(({ steps, minutes, l1, still, ratio }) => ({
        ...{ side: name, steps, minutes: rounded(minutes) },
        ...{ l1: rounded(l1), still: rounded(still), ratio: rounded(ratio), how },
      })),
    ),
  )

const rounded = (value: number) => Number(value.toPrecision(5))
