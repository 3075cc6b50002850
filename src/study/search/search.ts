// The search for a design: draw and time designs, train the fast ones by successive halving, then mutate the best.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../files/atomic.ts'
import { Random } from '../../util/random.ts'
import { localRunner, type Runner, threadsFor } from '../../work/task.ts'
import { orphanGone } from '../attempt.ts'
import {
  type Candidate,
  candidateFolder,
  prefixes,
  type RungResult,
  readRung,
  rungKind,
  rungRun,
  runTaskApart,
} from './candidate.ts'
import {
  type Chosen,
  choose,
  costOf,
  limitsOf,
  noResult,
  reportOn,
  type SearchContext,
  type SearchReport,
  type Tried,
} from './choose.ts'
import {
  eta,
  halve,
  makePlan,
  openSearch,
  type PlanOptions,
  promoted,
  type Rung,
  rungsOfPlan,
  type Score,
  type Scored,
} from './plan.ts'
import { drawDesign, mutateDesign } from './space.ts'

/** The progress of a search. Candidates are timed, then trained; then mutations are. */
export interface SearchProgress {
  /** What is done now. */
  readonly phase: 'latency' | 'train'
  /** Candidates that are fast enough, or trainings that have ended. */
  readonly done: number
  /** Candidates that are needed, or trainings of the whole search. */
  readonly total: number
  /** Part of all trainings that is done, by their steps, 0 to 1; undefined while candidates are timed. */
  readonly progress?: number
  /** From the time that steps have taken so far; undefined before the first training. */
  readonly etaSeconds?: number
  /** What is being done, in words. */
  readonly now: string
}

/** What `search` looks for, and where it keeps its results. */
export interface SearchOptions extends PlanOptions {
  /** Folder of the search. The same call goes on where an earlier one was stopped. */
  readonly out: string
  /** Trainings at a time (default 1), each on its share of the cores. Latency is measured alone. */
  readonly jobs?: number
  /** Ends the search. The results so far are reported. */
  readonly signal?: AbortSignal
  /** Called after each step of the search. */
  onProgress?(event: SearchProgress): void
}

/** What does the work of a search. */
export interface SearchTools {
  /** Does the trainings (default: `jobs` processes of this machine). */
  readonly runner?: Runner
  /** For tests: does one task, training or timing. */
  readonly perform?: typeof runTaskApart
}

/**
 * Looks for a design whose detector, distilled from a teacher, is nearest to it among the designs that are fast enough.
 * Designs are drawn at random and go through successive halving; then mutations of the best do. Latency is measured in
 * turn with a reference's. Each task is a process of its own and leaves its result in `out`. A call that was stopped or
 * killed loses at most what the running task has not saved.
 *
 * @param clips videos, puppets (`puppet:7`) or heads (`head:7`) to train on
 * @throws InputError for clips, a teacher, options or a folder that cannot be used, or limits that too few designs keep
 * to; EnvironmentError where the disk, the device or a process fails.
 */
export function search(clips: readonly string[], options: SearchOptions): Promise<SearchReport> {
  return searchWith(clips, options)
}

/** `search` with a runner, or with work that a test controls. @throws as `search` */
export async function searchWith(
  clips: readonly string[],
  options: SearchOptions & SearchTools,
): Promise<SearchReport> {
  const { out, signal, onProgress, jobs = 1, runner = localRunner(jobs), perform, ...rest } = options
  const threads = threadsFor(jobs)
  const plan = await makePlan(clips, rest)
  const { folder, lock } = await openSearch(out, plan)
  try {
    const found = new Search(
      {
        ...{ folder, plan, signal, lanes: runner.lanes, shares: runner.shares, width: () => runner.width() },
        perform: async (task, told) => {
          const hooks = { ...(signal && { signal }), ...(told && { onProgress: told }) }
          if (perform !== undefined) return perform(task, hooks)
          if (task.kind === 'cost') return runTaskApart(task, hooks)
          const { plan, design, rung, steps, folder, cache } = task
          const place = { folder, cache, ...(threads !== undefined && { threads }) }
          await runner.perform(rungKind, { plan, design, rung, steps }, place, hooks)
          return undefined
        },
      },
      (event) => onProgress?.(event),
    )
    await found.run().catch((error: unknown) => {
      if (!signal?.aborted) throw error
    })
    const report = reportOn(folder, plan, found.state)
    if (report.best !== undefined) {
      await writeFileAtomic(join(folder, 'best.json'), `${JSON.stringify(report.best.design, null, 2)}\n`)
    }
    return report
  } finally {
    lock.release()
  }
}

class Search {
  private readonly tried = new Map<string, Tried>()
  /** Steps of trainings that are running, by candidates. */
  private readonly running = new Map<string, number>()
  private dropped = 0
  private isDone = false
  private readonly rungs: ReturnType<typeof rungsOfPlan>

  constructor(
    private readonly context: SearchContext,
    private readonly tell: (event: SearchProgress) => void,
  ) {
    this.rungs = rungsOfPlan(context.plan)
  }

  get state() {
    return { tried: [...this.tried.values()], dropped: this.dropped, isDone: this.isDone }
  }

  async run(): Promise<void> {
    const { plan } = this.context
    const limits = limitsOf(plan)
    const random = new Random(plan.seed)
    const [forDrawing, forMutating] = [random.fork(), random.fork()]

    const first = await this.reference()
    const drawn = await choose(this.context, {
      ...{ count: plan.candidates - first.length, prefix: prefixes[0], random: forDrawing },
      known: [plan.reference],
      make: (own) => ({ design: drawDesign(own, limits) }),
      onChosen: (done, dropped) => this.chose(done + first.length, plan.candidates, dropped),
    })
    const dropped = this.dropped
    const levels = await this.halve([...first, ...drawn], 0)

    const parents = promoted(levels.at(-1) ?? [], eta).map(({ candidate }) => candidate)
    if (plan.mutations > 0 && parents.length > 0) {
      const mutated = await choose(this.context, {
        ...{ count: plan.mutations, prefix: prefixes[1], random: forMutating },
        known: [...first, ...drawn].map(({ design }) => design),
        make: (own, attempt) => {
          const { id, design } = parents[attempt % parents.length]!
          return { design: mutateDesign(own, design, limits), parent: id }
        },
        onChosen: (done, more) => this.chose(done, plan.mutations, dropped + more),
      })
      await this.halve(mutated, 1)
    }
    this.isDone = true
  }

  /** The reference is a candidate too, unless it exceeds the limits. */
  private async reference(): Promise<Chosen[]> {
    const { plan } = this.context
    const candidate: Candidate = { id: 'reference', design: plan.reference }
    const cost = await costOf(this.context, candidate)
    return plan.latency >= cost.ratio && cost.macs <= (plan.macs ?? Number.POSITIVE_INFINITY)
      ? [{ ...candidate, cost }]
      : []
  }

  private chose(done: number, total: number, dropped: number): void {
    this.dropped = dropped
    this.tell({ phase: 'latency', done, total, now: `${dropped} dropped` })
  }

  private halve(candidates: readonly Chosen[], bracket: 0 | 1): Promise<Scored<Chosen>[][]> {
    for (const one of candidates) this.tried.set(one.id, { ...one, bracket, results: [] })
    const rungs = this.rungs[bracket]
    const score = (candidate: Chosen, rung: number) => this.score(candidate, rungs, rung)
    const { lanes, shares } = this.context
    return halve(candidates, rungs, score, { lanes, firstAlone: shares && bracket === 0 })
  }

  private async score(candidate: Chosen, rungs: readonly Rung[], rung: number): Promise<Score> {
    const { folder, plan, signal, perform } = this.context
    const { id, design, cost } = candidate
    const { steps } = rungs[rung]!
    const own = candidateFolder(folder, id)
    let result = await readRung(own, rung)
    if (result === undefined) {
      signal?.throwIfAborted()
      const cache = join(folder, 'teacher')
      const told = (part: number) => {
        this.running.set(id, part * steps)
        this.trains(`${id}, ${steps} steps`)
      }
      told(0)
      await orphanGone(rungRun(own, rung), signal)
      let problem: unknown
      await perform({ kind: 'rung', plan, design, rung, steps, folder: own, cache }, told).catch(
        (error: unknown) => {
          problem = error
        },
      )
      result = await readRung(own, rung)
      if (result === undefined) {
        signal?.throwIfAborted()
        throw noResult('a training ended without a result', own, problem)
      }
    }
    await tidy(rungRun(own, rung), rung === rungs.length - 1)
    this.note(id, result)
    this.running.delete(id)
    this.trains(`${id}, ${steps} steps`)
    return { error: errorOf(result), cost: cost.ratio }
  }

  private note(id: string, result: RungResult): void {
    const one = this.tried.get(id)!
    this.tried.set(id, { ...one, results: [...one.results, result] })
  }

  private trains(now: string): void {
    const running = [...this.running.values()].reduce((a, b) => a + b, 0)
    const results = [...this.tried.values()].flatMap((one) => one.results)
    const planned = this.rungs.flat()
    const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)
    const all = sum(planned.map(({ steps, count }) => steps * count))
    const done = sum(results.map(({ steps }) => steps))
    const left = Math.max(0, all - done - running)
    const perStep = sum(results.map(({ wallSeconds }) => wallSeconds)) / done
    this.tell({
      ...{ phase: 'train', done: results.length, total: sum(planned.map(({ count }) => count)) },
      progress: (done + running) / all,
      ...(done > 0 && { etaSeconds: Math.round((left * perStep) / this.context.width()) }),
      now,
    })
  }
}

export const errorOf = (result: RungResult): number =>
  result.status === 'done' ? result.distance : Number.POSITIVE_INFINITY

/** Trained detectors of the last rung are kept, but for their optimisers' states; others have served. */
function tidy(run: string, keep: boolean): Promise<void> {
  return rm(keep ? join(run, 'last') : run, { recursive: true, force: true })
}
