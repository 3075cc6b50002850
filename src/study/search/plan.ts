// The plan of a search: all that decides its result, its folder, and its rounds of successive halving.
import { z } from 'zod'
import { openDetector } from '../../model/open-detector.ts'
import { type MotionConfig, smallConfig } from '../../motion/config.ts'
import { paretoFront } from '../../profile/costs.ts'
import { coresHere } from '../../runtime/node.ts'
import { distilLossesSchema, lossesFor } from '../../train/distil/config.ts'
import { labelLayout } from '../../train/distil/labels.ts'
import type { DistilLosses } from '../../train/losses.ts'
import { checkedOptions } from '../../util/option-schema.ts'
import {
  contentFacts,
  contentsOf,
  contentsSchema,
  openPlanned,
  type PlanKind,
  planShape,
  readPlan,
} from '../../work/plan-folder.ts'
import { inLanes } from '../../work/task.ts'
import { type Design, designSchema } from '../../zoo/design.ts'
import { ficelleDesign } from '../../zoo/ficelle.ts'

export const planSchema = z.object({
  /** Version of the format. */
  format: z.literal(1),
  ...planShape,
  /** Run folder or ONNX file, as given. */
  teacher: z.string(),
  /** Number of drawn designs, the reference among them. */
  candidates: z.int().positive(),
  /** Number of designs made of the best by small changes, which go through the same rungs afterwards. */
  mutations: z.int().nonnegative(),
  /** Steps of training on the first rung. */
  steps: z.int().positive(),
  /** Number of rungs of successive halving. */
  rungs: z.int().positive(),
  /** The largest latency, over the reference's. */
  latency: z.number().positive(),
  /** The most multiply-adds of a detector, as `info --as detector` counts. */
  macs: z.number().positive().optional(),
  /** Seed of the search and of the trainings. */
  seed: z.int().nonnegative(),
  /** Weights of the losses. */
  losses: distilLossesSchema,
  /** Within one op on the CPU, for measuring latency and for training. */
  threads: z.int().positive(),
  /** The design that latencies are compared with. It is the first candidate. */
  reference: designSchema,
  /** The content behind the names. */
  contents: contentsSchema,
})
/** The content of search.json. */
export type SearchPlan = z.infer<typeof planSchema>

/** The detector of a design, as `distil` makes it: the same is timed and trained. */
export const detectorOf = (
  { size, keypoints, jacobian }: Pick<SearchPlan, 'size' | 'keypoints' | 'jacobian'>,
  design: Design,
): MotionConfig => smallConfig({ net: 'ficelle', size, keypoints, jacobian, generator: 'light', design })

/** The rungs that drawn designs go through, and those of mutations. */
export const rungsOfPlan = ({
  candidates,
  mutations,
  steps,
  rungs,
}: SearchPlan): readonly [drawn: Rung[], mutated: Rung[]] => [
  rungsOf(candidates, steps, rungs),
  mutations === 0 ? [] : rungsOf(mutations, steps, rungs),
]

/** Folders of searches hold search.json, candidates/, teacher/, best.json, and a lock. */
const search: PlanKind<SearchPlan> = {
  file: 'search.json',
  noun: 'search',
  command: 'search',
  schema: planSchema,
  parts: [],
  facts: ({ contents, ...plan }) => ({ ...plan, ...contentFacts(contents) }),
  remedy: 'or choose another folder',
}

/** Makes the folder of a search, or opens the existing one, and locks it. @throws as `openPlanned` */
export const openSearch = (path: string, plan: SearchPlan) => openPlanned(search, path, plan)

/** The plan in a folder; undefined if there is none. @throws FormatError */
export const readSearchPlan = (folder: string): Promise<SearchPlan | undefined> => readPlan(search, folder)

/** What a search is asked for. All but the teacher has a default. */
export interface PlanOptions
  extends Partial<
    Omit<
      SearchPlan,
      'format' | 'clips' | 'test' | 'teacher' | 'size' | 'keypoints' | 'jacobian' | 'losses' | 'contents'
    >
  > {
  /** A run folder, or an ONNX file with an output `value` [N, K, 2] in [-1, 1]. */
  readonly teacher: string
  /** Clips to measure on (default: the held-out ends of the training clips). */
  readonly test?: readonly string[]
  /** Weights of losses. The others have their defaults, or 0 if the teacher does not give what they need. */
  readonly losses?: DistilLosses
}

/**
 * Resolves a plan, and opens every file that it names, so that a file that cannot be used is known before the first
 * training.
 *
 * @param clips videos, puppets (`puppet:7`) or heads (`head:7`) to train on
 * @throws InputError for clips, a teacher or options that cannot be used.
 */
export async function makePlan(clips: readonly string[], options: PlanOptions): Promise<SearchPlan> {
  const { test = [], teacher, candidates = 27, losses: _, ...rest } = options
  const plan = checkedOptions(planSchema.omit({ contents: true }), {
    ...{ format: 1, clips: [...clips], test: [...test], teacher, ...(await studentsOf(options)) },
    ...{ steps: 100, rungs: 3, latency: 1, seed: 1, batch: 8, fit: 'crop', device: 'auto' },
    ...{ candidates, mutations: Math.floor(candidates / eta) },
    ...{ holdout: test.length > 0 ? 0 : 0.2, threads: coresHere(), reference: ficelleDesign },
    ...rest,
  })
  // Throws for a size that no detector takes.
  detectorOf(plan, plan.reference)
  return { ...plan, contents: await contentsOf(plan) }
}

/** What students will see and give. @throws InputError if the teacher does not give what the losses need. */
async function studentsOf({ teacher, losses, device }: PlanOptions) {
  const detector = await openDetector(teacher, { details: true, ...(device !== undefined && { device }) })
  try {
    const grids = { heatmap: [1, 1], features: [1, 1] } as const
    const given = lossesFor(detector, losses)
    labelLayout(detector, given, grids)
    const { size, keypoints, jacobian } = detector
    return { size, keypoints, jacobian, losses: given }
  } finally {
    await detector.close()
  }
}

/** The factor of budgets from rung to rung, and of the number of candidates the other way. */
export const eta = 3

export interface Rung {
  /** Budget of each candidate. */
  readonly steps: number
  /** The most candidates. */
  readonly count: number
}

/** @param rungs their number, at least 1 */
export const rungsOf = (candidates: number, steps: number, rungs: number): Rung[] =>
  Array.from({ length: rungs }, (_, i) => ({
    steps: steps * eta ** i,
    count: Math.max(Math.min(1, candidates), Math.floor(candidates / eta ** i)),
  }))

/** The score of a candidate on a rung. Less is better in both numbers. */
export interface Score {
  /** Infinity where it failed. */
  readonly error: number
  /** Its cost in use, which does not depend on what it learned. */
  readonly cost: number
}

export interface Scored<T> {
  readonly candidate: T
  readonly score: Score
}

/**
 * The candidates that go on to the next rung: those of the least errors, and for the last third of the places others of
 * the front of error and cost, so that a cheap candidate is not lost to several that are alike. None that failed goes on.
 */
export function promoted<T>(scored: readonly Scored<T>[], count: number): Scored<T>[] {
  const ranked = scored
    .filter(({ score }) => Number.isFinite(score.error))
    .toSorted((a, b) => a.score.error - b.score.error || a.score.cost - b.score.cost)
  const first = ranked.slice(0, count - Math.floor(count / eta))
  const front = new Set(paretoFront(ranked, ({ score }) => [score.error, score.cost]))
  const rest = ranked.slice(first.length)
  const others = [...rest.filter((one) => front.has(one)), ...rest.filter((one) => !front.has(one))]
  return [...first, ...others].slice(0, count)
}

/**
 * Runs candidates through all rungs.
 *
 * @param score tries one candidate on a rung; rungs count from 0
 * @param options.lanes candidates at a time
 * @param options.firstAlone whether the first candidate ends before the next is begun
 * @returns for each rung the candidates that were tried on it, in that order; fewer than `rungs` where all failed.
 */
export async function halve<T>(
  candidates: readonly T[],
  rungs: readonly Rung[],
  score: (candidate: T, rung: number) => Promise<Score>,
  { lanes = 1, firstAlone = false }: { readonly lanes?: number; readonly firstAlone?: boolean } = {},
): Promise<Scored<T>[][]> {
  const levels: Scored<T>[][] = []
  let left = candidates
  for (const [i, { count }] of rungs.entries()) {
    if (i > 0) left = promoted(levels[i - 1]!, count).map(({ candidate }) => candidate)
    if (left.length === 0) break
    const scores = new Map<T, Score>()
    const one = async (candidate: T) => {
      scores.set(candidate, await score(candidate, i))
    }
    const alone = i === 0 && lanes > 1 && firstAlone ? 1 : 0
    for (const candidate of left.slice(0, alone)) await one(candidate)
    await inLanes(left.slice(alone), lanes, one)
    levels.push(left.map((candidate) => ({ candidate, score: scores.get(candidate)! })))
  }
  return levels
}
