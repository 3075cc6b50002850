// A candidate of a search: the files in its own folder (design.json, latency.json, and rung-0.json and so on), and the tasks
// that time, train and measure it. Each task is a child process, whose main file this is. Each file is written once. If a
// file is missing or torn, its content is made again.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { openClips } from '../../clips/source.ts'
import { firstDrivingFrame } from '../../evaluate/evaluate.ts'
import { type TeacherDistance, TeacherMeter } from '../../evaluate/keypoint-measures.ts'
import type { Clip } from '../../media/clip.ts'
import { fitClip } from '../../media/fit.ts'
import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { openDetector } from '../../model/open-detector.ts'
import { rewriteExactly } from '../../model/open-model.ts'
import { detectorGraph } from '../../motion/model.ts'
import { profile } from '../../profile/profile.ts'
import { timeGraphs } from '../../profile/time-graphs.ts'
import { checkpointFile } from '../../run/run-files.ts'
import { distil } from '../../train/train.ts'
import type { Hooks } from '../../util/child-process.ts'
import { measuredOn } from '../../work/plan-folder.ts'
import { childWork, type Kind, type Place, pathAt } from '../../work/task.ts'
import { type Design, designSchema } from '../../zoo/design.ts'
import { outcomeSchema, readResult, trainAndMeasure, writeResult } from '../attempt.ts'
import { detectorOf, planSchema, type SearchPlan } from './plan.ts'

/** What names of candidates begin with: drawn designs, and mutations. */
export const prefixes = ['r', 'm'] as const

/** A design of the search. */
export interface Candidate {
  /** Name of its folder: `reference`, or one of the `prefixes` and a number. */
  readonly id: string
  /** The candidate that it is a mutation of. */
  readonly parent?: string
  /** The design. */
  readonly design: Design
}

const milliseconds = z.number().positive()

const latencySchema = z.object({
  /** Median over the reference's. Both are timed in turn, so that a drift of the machine cancels. */
  ratio: z.number().positive(),
  /** Medians. */
  ms: milliseconds,
  /** Median of the reference, in milliseconds. */
  referenceMs: milliseconds,
  /** Timed runs. */
  rounds: z.int().positive(),
  /** The device. */
  device: z.string(),
  /** Counts of the detector as `info` gives them: before it is rewritten. */
  params: z.number().nonnegative(),
  /** Multiply-accumulates. */
  macs: z.number().nonnegative(),
})
/** What a candidate costs. */
export type CandidateCost = z.infer<typeof latencySchema>

const rungSchema = outcomeSchema(
  {
    /** Steps of training. */
    steps: z.int().positive(),
  },
  {
    /** Mean distance of the keypoints to the teacher's on the test frames, in units of [-1, 1]. */
    distance: z.number().nonnegative(),
    /** Mean difference of jacobians, if both have them. */
    jacobian: z.number().nonnegative().optional(),
  },
)
/** The result of a candidate on a rung. */
export type RungResult = z.infer<typeof rungSchema>

export const candidateFolder = (folder: string, id: string): string => join(folder, 'candidates', id)
/** The run folder of a rung. That of the last rung is kept. */
export const rungRun = (own: string, rung: number): string => join(own, `rung-${rung}`)

export const readDesign = (own: string) => readResult(join(own, 'design.json'), designSchema)
export const readCost = (own: string) => readResult(join(own, 'latency.json'), latencySchema)
export const readRung = (own: string, rung: number) => readResult(`${rungRun(own, rung)}.json`, rungSchema)

export const writeDesign = (own: string, design: Design) => writeResult(join(own, 'design.json'), design)
export const writeCost = (own: string, cost: CandidateCost) => writeResult(join(own, 'latency.json'), cost)
export const writeRung = (own: string, rung: number, result: RungResult) =>
  writeResult(`${rungRun(own, rung)}.json`, result)

/** A training of a search that has a result. */
export interface Training {
  /** The candidate, and whether it is a mutation. */
  readonly id: string
  readonly bracket: 0 | 1
  readonly rung: number
  readonly result: RungResult
  readonly file: string
}

/** The trainings of a search that have a result, as its folder has them now. */
export async function readTrainings(folder: string): Promise<Training[]> {
  const ids = await readdir(join(folder, 'candidates')).catch(() => [])
  const found = ids.toSorted().map(async (id) => {
    const own = candidateFolder(folder, id)
    const bracket = id.startsWith(prefixes[1]) ? 1 : 0
    const trainings: Training[] = []
    for (let rung = 0; ; rung++) {
      const result = await readRung(own, rung)
      if (result === undefined) return trainings
      trainings.push({ id, bracket, rung, result, file: `${rungRun(own, rung)}.json` })
    }
  })
  return (await Promise.all(found)).flat()
}

/** A candidate to be timed, in its own folder. */
export type CostTask = Place & { readonly plan: SearchPlan; readonly design: Design }

const rungConfigSchema = z.object({
  plan: planSchema,
  design: designSchema,
  rung: z.int().nonnegative(),
  steps: z.int().positive(),
})
export type RungConfig = z.infer<typeof rungConfigSchema>

/** A candidate to be trained, in its own folder. The teacher's labels are in the cache, which all trainings share. */
export type RungTask = Place & RungConfig

export type SearchTask = ({ readonly kind: 'cost' } & CostTask) | ({ readonly kind: 'rung' } & RungTask)

/** Does a task in a new process, which leaves its result in the candidate's folder, or none if it was stopped. */
export const runTaskApart = childWork(import.meta.url, (task: SearchTask, hooks) =>
  task.kind === 'cost' ? measureCost(task, hooks) : runRung(task, hooks),
)

/** Trainings of candidates as tasks. Latency is that of the machine of the search, and is no task. */
export const rungKind: Kind<RungConfig> = {
  name: 'rung',
  schema: rungConfigSchema,
  inputs: ({ plan: { clips, test, teacher } }) => [...clips, ...test, teacher],
  result: ({ rung }) => `rung-${rung}.json`,
  checkpoint: ({ rung }) => `rung-${rung}/${checkpointFile}`,
  // Detectors of the last rung are the search's result. The others have served.
  leave: ({ plan, rung }) => [rung === plan.rungs - 1 ? `rung-${rung}/${checkpointFile}` : `rung-${rung}`],
  perform: (task, hooks) => runTaskApart({ kind: 'rung', ...task }, hooks),
}

/**
 * Number of timed runs: a few at first, and more if these do not decide on which side of the limit a design is. While
 * two other programs kept both cores busy, 21 runs told equal designs apart by 5% (standard deviation, 8 times).
 */
const [fewRounds, moreRounds] = [21, 63]
/** A few rounds are enough if ratio and limit differ by more than this factor. */
const clear = 1.15

/**
 * Times a design's detector and the reference's in turn, rewritten as `track` and `animate` run them, counts it, and
 * writes latency.json.
 *
 * @throws EnvironmentError where the device is not there. The signal's reason where it aborts.
 */
export async function measureCost({ plan, design, folder }: CostTask, { signal }: Hooks = {}): Promise<void> {
  const { device, threads, seed } = plan
  const graphOf = (one: Design) => () => detectorGraph(detectorOf(plan, one))
  // The reference compared with itself would give nothing but noise.
  const others = isDeepStrictEqual(design, plan.reference) ? [] : [graphOf(plan.reference)]
  const time = async (rounds: number) => {
    const timed = await timeGraphs([graphOf(design), ...others], {
      ...{ rounds, threads, seed, device, rewrite: rewriteExactly },
      ...(signal && { signal }),
    })
    const [ms, referenceMs = ms] = timed.latencies.map(({ median }) => median)
    return { ratio: ms! / referenceMs!, ms: ms!, referenceMs: referenceMs!, rounds, device: timed.device }
  }
  const first = await time(fewRounds)
  const relative = first.ratio / plan.latency
  const isOpen = others.length > 0 && relative < clear && relative > 1 / clear
  const measured = isOpen ? await time(moreRounds) : first
  const { params, macs } = profile(graphOf(design)())
  await writeCost(folder, { ...measured, params, macs })
}

/**
 * Distils a candidate with a rung's budget, measures its distance to the teacher, and writes rung-N.json. Each rung
 * begins from random weights, since the learning rate falls over the whole budget. An interrupted training goes on from
 * its last checkpoint.
 *
 * @returns undefined if the signal stopped it.
 * @throws what `distil` throws, except failures that are the candidate's own: these are results.
 */
export async function runRung(task: RungTask, hooks: Hooks = {}): Promise<RungResult | undefined> {
  const { design, rung, steps, folder, cache } = task
  const plan = planAt(task)
  const { clips, teacher, losses, batch, holdout, fit, device, seed } = plan
  const run = rungRun(folder, rung)
  // A worker of several tasks gives each its part of the cores.
  const threads = Math.min(plan.threads, task.threads ?? plan.threads)
  const outcome = await trainAndMeasure(
    {
      run,
      checkpointSeconds: task.checkpointSeconds,
      train: (training) =>
        distil(clips, {
          ...{ teacher, losses, batch, holdout, fit, device, threads, seed, steps, cache },
          // All candidates, and those of older searches, see the same frames.
          ...{ net: 'ficelle', design, crop: 'motion' },
          ...training,
        }),
      measure: (_, measuring) => measureDistance(run, plan, measuring),
    },
    hooks,
  )
  if (outcome === undefined) return undefined
  const result = { steps, ...outcome }
  await writeRung(folder, rung, result)
  return result
}

/** The plan, with the paths that its inputs have here. */
const planAt = ({ plan, ...place }: RungTask): SearchPlan => ({
  ...plan,
  clips: plan.clips.map((clip) => pathAt(place, clip)),
  test: plan.test.map((clip) => pathAt(place, clip)),
  teacher: pathAt(place, plan.teacher),
})

/**
 * How far a student is from its teacher: on the test clips, or on the held-out ends of the others.
 *
 * @param run the student's folder
 * @throws InputError for a file that cannot be read, FormatError where a result is not finite. The signal's reason, if it
 * is aborted.
 */
async function measureDistance(
  run: string,
  plan: SearchPlan,
  { signal, onProgress }: Hooks,
): Promise<{ distance: number; jacobian?: number; frames: number }> {
  const { fit, device, teacher } = plan
  const { clips, from } = measuredOn(plan)
  const opened: (KeypointDetector | Clip)[] = []
  try {
    const student = await openDetector(run, { device })
    opened.push(student)
    const taught = await openDetector(teacher, { device })
    opened.push(taught)
    const measured = await openClips(clips)
    opened.push(...measured)
    const counts = measured.map(({ frameCount }) => frameCount - firstDrivingFrame(frameCount, from))
    const total = counts.reduce((sum, count) => sum + count, 0)
    const meter = new TeacherMeter()
    let frames = 0
    for (const clip of measured) {
      const fitter = await fitClip(clip, student.size, fit)
      for await (const frame of clip.frames({ fromFrame: firstDrivingFrame(clip.frameCount, from) })) {
        signal?.throwIfAborted()
        const pixels = fitter(frame)
        meter.add(await student.detect(pixels), await taught.detect(pixels))
        frames++
        onProgress?.(frames / total)
      }
    }
    const { distance, jacobian }: TeacherDistance = meter.result()!
    return { distance, ...(jacobian !== undefined && { jacobian }), frames }
  } finally {
    await Promise.all(opened.map((one) => one.close()))
  }
}
