import { rewriteExactly } from '../../optimise/rewrite-exactly.ts'
import { defaultRestMs, defaultWarmMs } from '../../profile/latency.ts'
import { type GraphLatencies, type TimeGraphsOptions, timeGraphs } from '../../profile/time-graphs.ts'
import { describeMachine } from '../../run/environment.ts'
import { ort } from '../../runtime/node.ts'
import type { Device } from '../../runtime/session.ts'
import { type Candidate, findCandidates } from '../candidates.ts'
import type { ComparedRow, Comparison } from '../comparison.ts'
import { type Gathered, gather } from './gather.ts'
import { type MeasureName, rankedBy } from './measures.ts'
import { detectorChoices, type Method, netsWith, type Trial, type TrialPlan } from './plan.ts'
import { type Choice, type Recommendation, recommend } from './recommend.ts'
import type { TrialState } from './run-trials.ts'

/** A network with a skip: what it costs, and what it came to by each method. */
export interface TrainedRow extends Omit<ComparedRow, 'net' | 'pareto' | 'accuracy'> {
  readonly net: Trial['net']
  readonly skip: Trial['skip']
  /** Other skips of the plan that make the same detector. */
  readonly alike: readonly Trial['skip'][]
  /** In the order of the plan's methods. */
  readonly results: readonly Gathered[]
}

export const costNames = ['latency', 'params', 'macs'] as const
/** What an accuracy is held against. */
export type CostName = (typeof costNames)[number]

/** Which network for which budget, by one method and one cost. */
export interface Advice {
  readonly method: Method
  readonly measure: MeasureName
  readonly cost: CostName
  readonly choices: readonly Recommendation[]
  /** Networks of which a seed failed; none is among the choices. */
  readonly failing: readonly string[]
}

/** What is known of networks that were trained side by side. */
export interface TrainedComparison
  extends Pick<
    Comparison,
    'machine' | 'device' | 'threads' | 'rounds' | 'restMs' | 'warmMs' | 'input' | 'outputs'
  > {
  readonly plan: TrialPlan
  readonly trials: readonly TrialState[]
  /** Trials without a result. */
  readonly unfinished: number
  /** Every network of the plan with every skip, the fastest first; that of the fewest MACs where none was timed. */
  readonly rows: readonly TrainedRow[]
  readonly advice: readonly Advice[]
}

export interface ReportOptions
  extends Pick<
    TimeGraphsOptions,
    'rounds' | 'device' | 'threads' | 'signal' | 'clock' | 'openSession' | 'rewrite'
  > {
  /** Whether latency is measured (default: yes). */
  readonly latency?: boolean
  /** Seconds that latency is to take at most (default 150); three rounds are made in any case. */
  readonly budgetSeconds?: number
  onProgress?(event: ReportProgress): void
}

export interface ReportProgress {
  readonly phase: 'profile' | 'load' | 'latency'
  readonly done: number
  readonly total: number
  readonly unit: 'networks' | 'runs'
  readonly device?: Device
}

/** The name of a row: unlike others in the same report. */
export const rowName = ({ net, skip }: Pick<TrainedRow, 'net' | 'skip'>, { skips }: TrialPlan): string =>
  skips.length === 1 || skip === skips[0] ? net : `${net}, skip ${skip}`

/**
 * Puts together what a plan's trials came to and what their detectors cost: counts, and latency, which is measured
 * here, all in turn in one process, written as `track` and `animate` run them.
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
  const timed = options.latency === false ? undefined : await time(found, options)
  const rows = found.map(({ facts, skip }, i): TrainedRow => {
    const results = plan.methods.map((method) => gather(trials, { net: facts.net, method, skip }))
    const alike = plan.alike.flatMap((same) =>
      same.net === facts.net && same.as === skip ? [same.skip] : [],
    )
    return { ...facts, skip, alike, results, latency: timed?.latencies[i] ?? null }
  })
  const ranked = rows.toSorted((a, b) => (a.latency?.median ?? a.macs) - (b.latency?.median ?? b.macs))
  return {
    machine: { ...describeMachine(), onnxruntime: ort.env.versions.node ?? ort.env.versions.common },
    device: timed?.device ?? null,
    threads: timed?.threads ?? null,
    rounds: timed?.rounds ?? 0,
    restMs: defaultRestMs,
    warmMs: defaultWarmMs,
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
    // In the order of the networks, for none may be skipped.
    for (const [j, candidate] of candidates.entries()) {
      found.push({ ...candidate, facts: { ...candidate.facts, net: nets[i]![j]! }, skip })
    }
  }
  return found
}

function time(found: readonly Found[], options: ReportOptions): Promise<GraphLatencies> {
  let device: Device | undefined
  return timeGraphs(
    found.map(({ graph }) => graph),
    {
      budgetSeconds: 150,
      rewrite: rewriteExactly,
      ...options,
      onLoaded: (done, on) => {
        device = on
        options.onProgress?.({ phase: 'load', done, total: found.length, unit: 'networks', device: on })
      },
      onRun: (done, total) =>
        options.onProgress?.({ phase: 'latency', done, total, unit: 'runs', ...(device && { device }) }),
    },
  )
}

/** What a row costs; undefined where it was not timed. */
export function costOf(row: Pick<TrainedRow, CostName>, cost: CostName): number | undefined {
  return cost === 'latency' ? row.latency?.median : row[cost]
}

/**
 * None where nothing can be held against the cost. A network of which a seed failed is not recommended: its mean is of
 * those that did not.
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
