// A study: detectors on every network are trained and measured side by side. Its report says what each detector costs, how
// good it became, and which is best for which budget.
import { rewriteExactly } from '../../model/open-model.ts'
import type { TimeGraphsOptions } from '../../profile/time-graphs.ts'
import { defined } from '../../util/options.ts'
import {
  type Candidate,
  type ComparedRow,
  type CompareProgress,
  type Comparison,
  fastestFirst,
  findCandidates,
  timeCandidates,
  timingFacts,
} from '../candidates.ts'
import {
  detectorChoices,
  type Method,
  makePlan,
  netsWith,
  openStudy,
  type PlanOptions,
  type Trial,
  type TrialPlan,
} from './plan.ts'
import { type RunTrialsOptions, runTrials, type TrialState, type TrialsProgress } from './run-trials.ts'
import { type Choice, type Recommendation, rankedBy, recommend, type Summary, summarise } from './summary.ts'

/** What `study` trains and compares, and where it keeps its results. */
export interface StudyOptions
  extends PlanOptions,
    Pick<ReportOptions, 'latency' | 'rounds' | 'threads' | 'budgetSeconds'>,
    Pick<RunTrialsOptions, 'jobs'> {
  /** Folder of the study. The same call goes on where an earlier one was stopped. */
  readonly out: string
  /** Replace another study that is in `out`. */
  readonly force?: boolean
  /** Ends the trials. The results so far are reported, without latency. */
  readonly signal?: AbortSignal
  /** Called as trials go on. */
  onTrials?(event: TrialsProgress): void
  /** Called after each step of the report, which follows the trials. */
  onReport?(event: CompareProgress): void
}

/** What does the trials of a study, and the clock and the sessions, which tests replace. */
export type StudyTools = Pick<ReportOptions, 'clock' | 'openSession'> &
  Pick<RunTrialsOptions, 'runner' | 'runOne'>

/**
 * Trains detectors on every network, on the same clips with the same budget and seeds, and compares what they learned
 * with what they cost. Each trial is a process of its own and keeps its result in `out`. A call that was stopped or
 * killed loses at most what the running trial has not saved.
 *
 * @param clips videos, puppets (`puppet:7`) or heads (`head:7`) to train on
 * @throws InputError for clips, a teacher, networks, options or a folder that cannot be used, before the first trial;
 * EnvironmentError where the disk or the device fails.
 */
export function study(clips: readonly string[], options: StudyOptions): Promise<TrainedComparison> {
  return studyWith(clips, options)
}

/** `study` with a runner, or with a clock, sessions and trials that a test controls. @throws as `study` */
export async function studyWith(
  clips: readonly string[],
  options: StudyOptions & StudyTools,
): Promise<TrainedComparison> {
  return studyPlanned(await makePlan(clips, options), options)
}

/** A study of a plan that was made before. @throws as `study` */
export async function studyPlanned(
  plan: TrialPlan,
  options: Omit<StudyOptions, keyof PlanOptions> & StudyTools,
): Promise<TrainedComparison> {
  const { out, force, signal, onTrials, onReport, jobs, runner, runOne, ...rest } = options
  const { folder, lock } = await openStudy(out, plan, { force: force ?? false })
  try {
    const trials = await runTrials(folder, plan, {
      ...defined({ jobs, runner }),
      ...(signal && { signal }),
      ...(onTrials && { onProgress: onTrials }),
      ...(runOne && { runOne }),
    })
    return await reportOn(plan, trials, {
      ...rest,
      ...(signal?.aborted ? { latency: false } : signal && { signal }),
      ...(onReport && { onProgress: onReport }),
    })
  } finally {
    lock.release()
  }
}

/** @deprecated Use `study`, of which this is the earlier name. */
export const compareTrained = study
/** @deprecated Use `StudyOptions`, of which this is the earlier name. */
export type CompareTrainedOptions = StudyOptions

/** A network with a skip: what it costs, and its results by each method. */
export interface TrainedRow extends Omit<ComparedRow, 'net' | 'pareto' | 'accuracy'> {
  /** Name of the network. */
  readonly net: Trial['net']
  /** How the encoder's map of 1/4 joins. */
  readonly skip: Trial['skip']
  /** Other skips of the plan that make the same detector. */
  readonly alike: readonly Trial['skip'][]
  /** In the order of the plan's methods. */
  readonly results: readonly Summary[]
}

export const costNames = ['latency', 'params', 'macs'] as const
/** The costs that an accuracy is compared with. */
export type CostName = (typeof costNames)[number]

/** Which network for which budget, by one method and one cost. */
export interface Advice {
  /** How the detectors were trained. */
  readonly method: Method
  /** Name of the measure that networks are ranked by. */
  readonly measure: string
  /** The cost that is weighed. */
  readonly cost: CostName
  /** The best choices, cheapest first. */
  readonly choices: readonly Recommendation[]
  /** Networks of which a seed failed. None of them is among the choices. */
  readonly failing: readonly string[]
}

/** What a study found: networks that were trained side by side. */
export interface TrainedComparison
  extends Pick<
    Comparison,
    'machine' | 'device' | 'threads' | 'rounds' | 'restMs' | 'warmMs' | 'input' | 'outputs'
  > {
  /** What the study was asked for. */
  readonly plan: TrialPlan
  /** All trials, with their results. */
  readonly trials: readonly TrialState[]
  /** Number of trials without a result. */
  readonly unfinished: number
  /** Every network of the plan with every skip, the fastest first, or the fewest MACs first if none was timed. */
  readonly rows: readonly TrainedRow[]
  /** The best choice for each budget. */
  readonly advice: readonly Advice[]
}

export interface ReportOptions
  extends Pick<
    TimeGraphsOptions,
    'rounds' | 'device' | 'threads' | 'signal' | 'clock' | 'openSession' | 'rewrite'
  > {
  /** Whether latency is measured (default: yes). */
  readonly latency?: boolean
  /** Seconds that measuring latency takes at most (default 150). Three rounds are made in any case. */
  readonly budgetSeconds?: number
  onProgress?(event: CompareProgress): void
}

/** The name of a row. No other row of the same report has it. */
export const rowName = ({ net, skip }: Pick<TrainedRow, 'net' | 'skip'>, { skips }: TrialPlan): string =>
  skips.length === 1 || skip === skips[0] ? net : `${net}, skip ${skip}`

/**
 * Puts the results of a plan's trials and the costs of their detectors together. Costs are counts, and latency, which is
 * measured here: all in turn in one process, rewritten as `track` and `animate` run them.
 *
 * @throws EnvironmentError where the device is not there. The signal's reason where it aborts.
 */
export async function reportOn(
  plan: TrialPlan,
  trials: readonly TrialState[],
  options: ReportOptions = {},
): Promise<TrainedComparison> {
  const { settings } = plan
  const found = await candidatesOf(plan, options)
  const timed = await timeCandidates(found, { rewrite: rewriteExactly, ...options })
  const rows = found.map(({ facts, skip }, i): TrainedRow => {
    const results = plan.methods.map((method) => summarise(trials, { net: facts.net, method, skip }))
    const alike = plan.alike.flatMap((same) =>
      same.net === facts.net && same.as === skip ? [same.skip] : [],
    )
    return { ...facts, skip, alike, results, latency: timed?.latencies[i] ?? null }
  })
  const ranked = fastestFirst(rows)
  return {
    ...timingFacts(timed),
    input: [3, settings.size, settings.size],
    outputs: settings.keypoints,
    plan,
    trials,
    unfinished: trials.filter(({ result }) => result === undefined).length,
    rows: ranked,
    advice: plan.methods.flatMap((method) =>
      costNames.flatMap((cost) => adviceOn(ranked, plan, method, cost)),
    ),
  }
}

interface Found extends Candidate {
  readonly facts: Candidate['facts'] & { readonly net: Trial['net'] }
  readonly skip: Trial['skip']
}

async function candidatesOf(plan: TrialPlan, options: ReportOptions): Promise<Found[]> {
  const { settings, skips } = plan
  const nets = skips.map((skip) => netsWith(plan, skip))
  const total = nets.flat().length
  const found: Found[] = []
  for (const [i, skip] of skips.entries()) {
    const before = found.length
    const { candidates } = await findCandidates(
      nets[i]!.map((net) => ({ net, as: 'detector' })),
      {
        network: {
          outputs: settings.keypoints,
          input: [3, settings.size, settings.size],
          dilations: settings.dilations,
        },
        detector: detectorChoices(settings, skip),
        signal: options.signal,
        mayBeSkipped: false,
        onCounted: (done) =>
          options.onProgress?.({ phase: 'profile', done: before + done, total, unit: 'networks' }),
      },
    )
    // They have the order of the networks, since none may be skipped.
    for (const [j, candidate] of candidates.entries()) {
      found.push({ ...candidate, facts: { ...candidate.facts, net: nets[i]![j]! }, skip })
    }
  }
  return found
}

/** A cost of a row; undefined if the row was not timed. */
export function costOf(row: Pick<TrainedRow, CostName>, cost: CostName): number | undefined {
  return cost === 'latency' ? row.latency?.median : row[cost]
}

/**
 * Empty if no row has both the error and the cost. A network of which a seed failed is not recommended: its mean is over
 * the other seeds only.
 */
function adviceOn(rows: readonly TrainedRow[], plan: TrialPlan, method: Method, cost: CostName): Advice[] {
  const measure = rankedBy[method]
  const measured = rows.flatMap((row): (Choice & { readonly failed: number })[] => {
    const result = row.results.find((result) => result.method === method)
    const error = result?.measures[measure]
    const costs = costOf(row, cost)
    return error === undefined || costs === undefined
      ? []
      : [{ name: rowName(row, plan), cost: costs, error, failed: result!.failed }]
  })
  if (measured.length === 0) return []
  const choices = recommend(measured.filter(({ failed }) => failed === 0))
  const failing = measured.flatMap(({ name, failed }) => (failed === 0 ? [] : [name]))
  return [{ method, measure, cost, choices, failing }]
}
