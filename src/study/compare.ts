// What networks cost, side by side: counts, and latency on this machine.
import { type SmallConfigOptions, smallConfig } from '../motion/config.ts'
import { paretoFront } from '../profile/costs.ts'
import { type Latency, realClock } from '../profile/latency.ts'
import type { DetectorProfileOptions } from '../profile/profile.ts'
import type { TimeGraphsOptions } from '../profile/time-graphs.ts'
import { InputError } from '../util/errors.ts'
import { findNet, listNets } from '../zoo/registry.ts'
import {
  type AccuracyKind,
  type Candidate,
  type ComparedAs,
  type ComparedRow,
  type CompareProgress,
  type Comparison,
  comparedAs,
  defaultBudgetSeconds,
  fastestFirst,
  findCandidates,
  paretoCosts,
  timeCandidates,
  timingFacts,
} from './candidates.ts'

export type { ComparedAs, ComparedRow, CompareProgress, Comparison } from './candidates.ts'

type DetectorChoices = Pick<SmallConfigOptions, 'head' | 'skip' | 'dilations'>
type TimingChoices = Pick<TimeGraphsOptions, 'rounds' | 'seed' | 'device' | 'threads' | 'signal'>

/** The clock and the sessions of a comparison, which tests replace. */
export type CompareTools = Pick<TimeGraphsOptions, 'clock' | 'openSession'>

/** What `compare` compares, and how it measures. */
export interface CompareOptions extends DetectorChoices, TimingChoices {
  /** Names of networks (default: all that take such pictures). */
  readonly nets?: readonly string[]
  /** Default: both. */
  readonly as?: readonly ComparedAs[]
  /** Channels, height and width of a picture (default 3x64x64; square RGB for detectors). */
  readonly input?: readonly [number, number, number]
  /** Channels of a network's result, and keypoints of a detector (default 10). */
  readonly outputs?: number
  /** Whether latency is measured (default: yes). */
  readonly latency?: boolean
  /** Seconds that the comparison takes at most (default 150). Three rounds of latency are made in any case. */
  readonly budgetSeconds?: number
  /** How good rows are at their task, if that is known: from `network/lednet` or `detector/lednet` to a number. */
  readonly accuracy?: AccuracyKind & {
    /** Accuracies, by the names of rows. */
    readonly values: Readonly<Record<string, number>>
  }
  /** Called after each step of the comparison. */
  onProgress?(event: CompareProgress): void
}

/**
 * Compares networks of the zoo, plain and as keypoint detectors: what they cost by counting, and how long one
 * picture takes on this machine.
 *
 * @throws InputError for an unknown network, a named network that does not take such pictures, or pictures that no
 * detector takes. EnvironmentError if the device is not there. The signal's reason if it aborts.
 */
export function compare(options: CompareOptions = {}): Promise<Comparison> {
  return compareWith(options, {})
}

/** `compare` with a clock and sessions that a test controls. @throws as `compare` */
export async function compareWith(options: CompareOptions, tools: CompareTools): Promise<Comparison> {
  const { as = comparedAs, input = [3, 64, 64], outputs = 10, dilations = 'clipped', seed = 0 } = options
  const { signal, onProgress, accuracy } = options
  const { clock = realClock } = tools
  const nets = [...new Set(options.nets ?? listNets())]
  for (const net of nets) findNet(net)
  if (as.includes('detector')) checkDetectorInput(input)
  const began = clock.now()

  const wanted = comparedAs.flatMap((kind) =>
    as.includes(kind) ? nets.map((net) => ({ net, as: kind })) : [],
  )
  const choices = { ...(options.head && { head: options.head }), ...(options.skip && { skip: options.skip }) }
  const detector = { ...choices, keypoints: outputs, size: input[1], dilations }
  const { candidates, skipped } = await findCandidates(wanted, {
    network: { outputs, input, dilations },
    detector,
    signal,
    mayBeSkipped: options.nets === undefined,
    onCounted: (done) => onProgress?.({ phase: 'profile', done, total: wanted.length, unit: 'networks' }),
  })
  const { budgetSeconds = defaultBudgetSeconds } = options
  const timed = await timeCandidates(candidates, {
    ...options,
    ...tools,
    budgetSeconds: budgetSeconds - (clock.now() - began) / 1000,
  })
  const rows = candidates.map(({ facts }, i) => ({
    ...facts,
    latency: timed?.latencies[i] ?? null,
    accuracy: accuracy?.values[`${facts.as}/${facts.net}`] ?? null,
  }))
  return {
    ...timingFacts(timed),
    seed,
    input,
    outputs,
    dilations,
    detector: headOf(candidates, detector),
    accuracy: accuracy ? { label: accuracy.label, better: accuracy.better } : null,
    rows: comparedAs.flatMap((kind) => ranked(rows.filter((row) => row.as === kind))),
    skipped,
  }
}

function checkDetectorInput([channels, height, width]: readonly [number, number, number]): void {
  if (channels === 3 && height === width) return
  throw new InputError({
    what: 'a detector reads square RGB pictures',
    where: 'input',
    got: `${channels}x${height}x${width}`,
    expected: `3x${height}x${height}`,
    remedy: 'give such a picture, or compare plain networks only',
  })
}

function headOf(candidates: readonly Candidate[], options: DetectorProfileOptions): Comparison['detector'] {
  const first = candidates.find(({ facts }) => facts.as === 'detector')
  if (first === undefined) return null
  const { kind, skip } = smallConfig({ net: first.facts.net, ...options }).detector.head
  return { head: kind, skip }
}

/** Rows of one kind with the fastest first, each with the fronts that it is on. */
function ranked(rows: readonly Omit<ComparedRow, 'pareto'>[]): ComparedRow[] {
  const timed = rows.filter((row): row is Timed => row.latency !== null)
  const fronts = paretoCosts.map((cost) => ({
    cost,
    front: new Set<object>(paretoFront(timed, (row) => [row.latency.median, row[cost]])),
  }))
  return fastestFirst(
    rows.map((row) => ({
      ...row,
      pareto: fronts.flatMap(({ cost, front }) => (front.has(row) ? [cost] : [])),
    })),
  )
}

type Timed = Omit<ComparedRow, 'pareto'> & { readonly latency: Latency }
