// Choosing candidates: designs are made and timed until enough of them are fast enough. The report of a search.
import { isDeepStrictEqual } from 'node:util'
import { detectorGraph } from '../../motion/model.ts'
import { paretoFront } from '../../profile/costs.ts'
import { profile } from '../../profile/profile.ts'
import { EnvironmentError, InputError } from '../../util/errors.ts'
import type { Random } from '../../util/random.ts'
import type { Design } from '../../zoo/design.ts'
import { problemOf } from '../attempt.ts'
import {
  type Candidate,
  type CandidateCost,
  candidateFolder,
  type RungResult,
  readCost,
  readDesign,
  rungRun,
  type SearchTask,
  type Training,
  writeDesign,
} from './candidate.ts'
import { detectorOf, rungsOfPlan, type SearchPlan } from './plan.ts'
import type { Limits } from './space.ts'

/** A candidate that is fast enough to be trained, with its cost. */
export interface Chosen extends Candidate {
  /** What it costs. */
  readonly cost: CandidateCost
}

/** What every part of a search needs. */
export interface SearchContext {
  readonly folder: string
  readonly plan: SearchPlan
  readonly signal: AbortSignal | undefined
  /** Trainings at a time, at most and now. */
  readonly lanes: number
  width(): number
  /** Whether trainings share the teacher's labels, so that the first one should make them alone. */
  readonly shares: boolean
  /** Does a task, as `runTaskApart`. */
  readonly perform: (task: SearchTask, onProgress?: (part: number) => void) => Promise<undefined>
}

/** Designs that are made for each that is to be chosen, before a search gives up. */
const mostAttempts = 40

export interface ChooseOptions {
  readonly count: number
  /** Beginning of the names of the candidates. */
  readonly prefix: string
  readonly random: Random
  /** Designs that are candidates already. */
  readonly known: readonly Design[]
  make(random: Random, attempt: number): { readonly design: Design; readonly parent?: string }
  onChosen(done: number, dropped: number): void
}

/**
 * Makes designs and times them until `count` of them are fast enough. Earlier ones are read from the folder.
 *
 * @throws InputError where too few designs keep to the limits; EnvironmentError where timing fails. The signal's reason,
 * if it is aborted.
 */
export async function choose(context: SearchContext, options: ChooseOptions): Promise<Chosen[]> {
  const { count, prefix, random, known, make, onChosen } = options
  const { folder, plan } = context
  const chosen: Chosen[] = []
  const seen = [...known]
  let dropped = 0
  for (let attempt = 0; chosen.length < count; attempt++) {
    if (attempt === mostAttempts * count) throw tooFew(chosen.length, attempt, plan)
    const id = `${prefix}${String(attempt).padStart(3, '0')}`
    // Each attempt has its own random numbers, so that the draws of one attempt never shift those of the next.
    const made = make(random.fork(), attempt)
    const own = candidateFolder(folder, id)
    const design = (await readDesign(own)) ?? made.design
    if (seen.some((other) => isDeepStrictEqual(other, design))) continue
    seen.push(design)
    const cost = await costOf(context, { id, design })
    if (cost.ratio <= plan.latency) chosen.push({ ...made, id, design, cost })
    else dropped++
    onChosen(chosen.length, dropped)
  }
  return chosen
}

/** The cost of a candidate: from disk if it was measured before, or else measured now. @throws as `choose`. */
export async function costOf(
  { folder, plan, signal, perform }: SearchContext,
  { id, design }: Candidate,
): Promise<CandidateCost> {
  const own = candidateFolder(folder, id)
  const before = await readCost(own)
  if (before !== undefined) return before
  signal?.throwIfAborted()
  await writeDesign(own, design)
  let problem: unknown
  await perform({ kind: 'cost', plan, design, folder: own, cache: folder }).catch((error: unknown) => {
    problem = error
  })
  const cost = await readCost(own)
  if (cost !== undefined) return cost
  signal?.throwIfAborted()
  throw noResult('a detector could not be timed', own, problem)
}

/** The error for a process that left no result. */
export const noResult = (what: string, where: string, problem: unknown): EnvironmentError =>
  new EnvironmentError({
    ...{ what, where, got: problem === undefined ? 'it ended without a result' : problemOf(problem) },
    remedy: 'the same command goes on with the search',
  })

/** The limits that a plan sets to designs, except latency. */
export function limitsOf(plan: SearchPlan): Limits {
  const { size, detector } = detectorOf(plan, plan.reference)
  const { macs } = plan
  return {
    side: size * detector.scaleFactor,
    ...(macs !== undefined && {
      allows: (design: Design) => profile(detectorGraph(detectorOf(plan, design))).macs <= macs,
    }),
  }
}

function tooFew(found: number, attempts: number, { latency }: SearchPlan): InputError {
  return new InputError({
    what: 'too few designs are as fast as asked for',
    where: '--latency',
    got: `${found} of ${attempts} at ${latency} times the reference's latency`,
    remedy: 'allow more latency, or fewer multiply-adds, among which more are fast',
  })
}

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

/** How far a search is: trainings, their steps, and the best design so far. */
export interface TrainingCounts {
  /** Trainings of the whole search, as far as this is known. Where some fail, fewer go on to the next rung. */
  readonly total: number
  /** Steps of trainings that are yet to be done. */
  readonly stepsLeft: number
  /** The nearest to the teacher on the highest rung that has any. */
  readonly best: (Pick<Training, 'id'> & { readonly steps: number; readonly distance: number }) | undefined
}

/** @param trainings all trainings that have results */
export function countTrainings(plan: SearchPlan, trainings: readonly Training[]): TrainingCounts {
  let [total, stepsLeft] = [0, 0]
  let mostToCome = Number.POSITIVE_INFINITY
  for (const [bracket, rungs] of rungsOfPlan(plan).entries()) {
    for (const [rung, { count, steps }] of rungs.entries()) {
      const ended = trainings.filter((one) => one.bracket === bracket && one.rung === rung)
      const expected = Math.min(count, mostToCome)
      total += expected
      stepsLeft += steps * Math.max(0, expected - ended.length)
      const measured = ended.filter(({ result }) => result.status === 'done').length
      // None that failed goes on. If none is left on the last rung, there is nothing to make mutations of.
      mostToCome = ended.length < expected ? Number.POSITIVE_INFINITY : measured
    }
    if (mostToCome > 0) mostToCome = Number.POSITIVE_INFINITY
  }
  const measured = trainings.flatMap(({ id, rung, result }) =>
    result.status === 'done' ? [{ id, rung, steps: result.steps, distance: result.distance }] : [],
  )
  const best = measured.toSorted((a, b) => b.rung - a.rung || a.distance - b.distance)[0]
  return { total, stepsLeft, best: best && { id: best.id, steps: best.steps, distance: best.distance } }
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
