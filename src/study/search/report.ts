// The report of a search: its finalists, the best of them, and how the best compares with the reference.
import { paretoFront } from '../../profile/costs.ts'
import { candidateFolder, type RungResult, rungRun } from './candidate.ts'
import type { Chosen } from './choose.ts'
import { rungsOfPlan, type SearchPlan } from './plan.ts'

/** A candidate with what it came to, rung by rung. */
export interface Tried extends Chosen {
  /** 0: drawn; 1: a mutation. */
  readonly bracket: 0 | 1
  /** Its results, rung by rung. */
  readonly results: readonly RungResult[]
}

/** One that was trained on the last rung. */
export interface Finalist extends Tried {
  /** Mean distance of the keypoints to the teacher's, in units of [-1, 1]. */
  readonly distance: number
  /** Mean difference of the jacobians to the teacher's; undefined if one of the two has none. */
  readonly jacobian: number | undefined
  /** Whether no other finalist is both faster and nearer to the teacher. */
  readonly onFront: boolean
  /** Folder of its run, which tracks, and animates where the teacher does. */
  readonly run: string
}

/** What a search came to. */
export interface SearchReport {
  /** Folder of the search, absolute. */
  readonly folder: string
  /** What the search was asked for. */
  readonly plan: SearchPlan
  /** Candidates that were fast enough, in the order in which they were chosen. */
  readonly tried: readonly Tried[]
  /** Designs that were too slow. */
  readonly dropped: number
  /** Nearest to the teacher first. */
  readonly finalists: readonly Finalist[]
  /** The first of these; undefined where there is none yet. */
  readonly best: Finalist | undefined
  /**
   * The best and the reference on the last rung that both were trained on; undefined where the best is the reference, or
   * the limits leave that out.
   */
  readonly against:
    | {
        /** Steps of that rung. */
        readonly steps: number
        /** Distance of the best to the teacher. */
        readonly best: number
        /** Distance of the reference to the teacher. */
        readonly reference: number
      }
    | undefined
  /** Trainings that are done, and all. */
  readonly trainings: {
    /** Trainings that are done. */
    readonly done: number
    /** Trainings of the whole search. */
    readonly total: number
  }
  /** Whether it was stopped: the same call goes on. */
  readonly interrupted: boolean
}

export interface SearchState {
  readonly tried: readonly Tried[]
  readonly dropped: number
  readonly isDone: boolean
}

/** Puts together what is known of a search. */
export function reportOn(
  folder: string,
  plan: SearchPlan,
  { tried, dropped, isDone }: SearchState,
): SearchReport {
  const last = plan.rungs - 1
  const found = tried.flatMap((one) => {
    const result = one.results[last]
    return result?.status === 'done' ? [{ one, result }] : []
  })
  const front = new Set(paretoFront(found, ({ one, result }) => [result.distance, one.cost.ratio]))
  const finalists = found
    .map((entry): Finalist => {
      const { one, result } = entry
      const run = rungRun(candidateFolder(folder, one.id), last)
      const { distance, jacobian } = result
      return { ...one, distance, jacobian, onFront: front.has(entry), run }
    })
    .toSorted((a, b) => a.distance - b.distance || a.cost.ratio - b.cost.ratio)
  const planned = rungsOfPlan(plan)
    .flat()
    .reduce((sum, { count }) => sum + count, 0)
  return {
    ...{ folder, plan, tried, dropped, finalists, best: finalists[0], interrupted: !isDone },
    against: compared(
      finalists[0],
      tried.find(({ id }) => id === 'reference'),
    ),
    trainings: { done: tried.reduce((sum, { results }) => sum + results.length, 0), total: planned },
  }
}

function compared(best: Tried | undefined, reference: Tried | undefined): SearchReport['against'] {
  if (best === undefined || reference === undefined || best.id === reference.id) return undefined
  for (let rung = reference.results.length - 1; rung >= 0; rung--) {
    const [own, other] = [best.results[rung], reference.results[rung]]
    if (own?.status !== 'done' || other?.status !== 'done') continue
    return { steps: own.steps, best: own.distance, reference: other.distance }
  }
  return undefined
}
