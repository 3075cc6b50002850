// Choosing candidates: designs are made and timed until enough of them are fast enough.
import { isDeepStrictEqual } from 'node:util'
import { detectorGraph } from '../../motion/model.ts'
import { profile } from '../../profile/profile.ts'
import { EnvironmentError, InputError } from '../../util/errors.ts'
import type { Random } from '../../util/random.ts'
import type { Design } from '../../zoo/design.ts'
import { problemOf } from '../attempt.ts'
import {
  type Candidate,
  type CandidateCost,
  candidateFolder,
  readCost,
  readDesign,
  type SearchTask,
  writeDesign,
} from './candidate.ts'
import { detectorOf, type SearchPlan } from './plan.ts'
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
  await perform({ kind: 'cost', plan, design, folder: own }).catch((error: unknown) => {
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
