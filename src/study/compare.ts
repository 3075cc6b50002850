import { type SmallConfigOptions, smallConfig } from '../motion/config.ts'
import { defaultRestMs, defaultWarmMs, type Latency, realClock } from '../profile/latency.ts'
import { paretoFront } from '../profile/pareto.ts'
import type { DetectorProfileOptions } from '../profile/profile.ts'
import { type TimeGraphsOptions, timeGraphs } from '../profile/time-graphs.ts'
import { describeMachine } from '../run/environment.ts'
import { ort } from '../runtime/node.ts'
import type { Device } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { findNet, netNames } from '../zoo/registry.ts'
import { type Candidate, findCandidates } from './candidates.ts'
import {
  type AccuracyKind,
  type ComparedAs,
  type ComparedRow,
  type Comparison,
  comparedAs,
  paretoCosts,
} from './comparison.ts'

export type { ComparedAs, ComparedRow, Comparison } from './comparison.ts'

type DetectorChoices = Pick<SmallConfigOptions, 'head' | 'skip' | 'dilations'>
type TimingChoices = Pick<TimeGraphsOptions, 'rounds' | 'seed' | 'device' | 'threads' | 'signal'>

/** What tests put in the place of the machine. */
export type CompareTools = Pick<TimeGraphsOptions, 'clock' | 'openSession'>

export interface CompareOptions extends DetectorChoices, TimingChoices {
  /** Names of networks (default: all; then those that do not take such pictures are left out). */
  readonly nets?: readonly string[]
  /** Default: both. */
  readonly as?: readonly ComparedAs[]
  /** Channels, height and width of a picture (default 3x64x64; square RGB for detectors). */
  readonly input?: readonly [number, number, number]
  /** Channels of a network's result, and keypoints of a detector (default 10). */
  readonly outputs?: number
  /** Whether latency is measured (default: yes). */
  readonly latency?: boolean
  /** Seconds that all of it is to take at most (default 150); three rounds of latency are made in any case. */
  readonly budgetSeconds?: number
  /** How good rows are at their task, if that is known: `network/lednet` or `detector/lednet` to a number. */
  readonly accuracy?: AccuracyKind & { readonly values: Readonly<Record<string, number>> }
  onProgress?(event: CompareProgress): void
}

export interface CompareProgress {
  readonly phase: 'profile' | 'load' | 'latency'
  readonly done: number
  readonly total: number
  readonly unit: 'networks' | 'runs'
  readonly device?: Device
}

/**
 * Compares networks of the zoo, plain and as keypoint detectors: what they cost by counting, and how long one
 * picture takes on this machine.
 *
 * @throws InputError for an unknown network, a named one that does not take such pictures, or pictures that are
 * none for detectors. EnvironmentError where the device is not there. The signal's reason where it aborts.
 */
export async function compare(options: CompareOptions = {}, tools: CompareTools = {}): Promise<Comparison> {
  const { as = comparedAs, input = [3, 64, 64], outputs = 10, dilations = 'clipped', seed = 0 } = options
  const { signal, onProgress, accuracy } = options
  const { clock = realClock } = tools
  const nets = [...new Set(options.nets ?? netNames)]
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
  const timed =
    options.latency === false
      ? undefined
      : await time(candidates, { ...options, ...tools }, (clock.now() - began) / 1000)
  const rows = candidates.map(({ facts }, i) => ({
    ...facts,
    latency: timed?.latencies[i] ?? null,
    accuracy: accuracy?.values[`${facts.as}/${facts.net}`] ?? null,
  }))
  return {
    machine: { ...describeMachine(), onnxruntime: ort.env.versions.node ?? ort.env.versions.common },
    device: timed?.device ?? null,
    threads: timed?.threads ?? null,
    rounds: timed?.rounds ?? 0,
    restMs: defaultRestMs,
    warmMs: defaultWarmMs,
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
    remedy: 'take such a picture, or compare plain networks only',
  })
}

/** @param spent seconds of the budget. */
function time(candidates: readonly Candidate[], options: CompareOptions & CompareTools, spent: number) {
  const { budgetSeconds = 150, onProgress } = options
  let device: Device | undefined
  return timeGraphs(
    candidates.map(({ graph }) => graph),
    {
      ...options,
      budgetSeconds: budgetSeconds - spent,
      onLoaded: (done, on) => {
        device = on
        onProgress?.({ phase: 'load', done, total: candidates.length, unit: 'networks', device: on })
      },
      onRun: (done, total) =>
        onProgress?.({ phase: 'latency', done, total, unit: 'runs', ...(device && { device }) }),
    },
  )
}

function headOf(candidates: readonly Candidate[], options: DetectorProfileOptions): Comparison['detector'] {
  const first = candidates.find(({ facts }) => facts.as === 'detector')
  if (first === undefined) return null
  const { kind, skip } = smallConfig({ net: first.facts.net, ...options }).detector.head
  return { head: kind, skip }
}

/** Rows of one kind, best first, and told which are on the fronts. */
function ranked(rows: readonly Omit<ComparedRow, 'pareto'>[]): ComparedRow[] {
  const timed = rows.filter((row): row is Timed => row.latency !== null)
  const fronts = paretoCosts.map((cost) => ({
    cost,
    front: new Set<object>(paretoFront(timed, (row) => [row.latency.median, row[cost]])),
  }))
  return rows
    .map((row) => ({ ...row, pareto: fronts.flatMap(({ cost, front }) => (front.has(row) ? [cost] : [])) }))
    .toSorted((a, b) => (a.latency?.median ?? a.macs) - (b.latency?.median ?? b.macs))
}

type Timed = Omit<ComparedRow, 'pareto'> & { readonly latency: Latency }
