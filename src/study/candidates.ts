// Networks that are compared: each profiled by counting, then all timed in turn on this machine; and what a comparison says
// of them.
import { setImmediate as nextTick } from 'node:timers/promises'
import type { Graph } from '../graph/graph.ts'
import type { Dilations } from '../layers/scope.ts'
import { smallConfig } from '../motion/config.ts'
import type { Head, SkipChoice } from '../motion/keypoints.ts'
import { detectorGraph } from '../motion/model.ts'
import { type Diagram, diagram } from '../profile/diagram.ts'
import { defaultRestMs, defaultWarmMs, type Latency } from '../profile/latency.ts'
import {
  type DetectorProfileOptions,
  type NetProfile,
  type NetProfileOptions,
  profileDetector,
  profileNet,
} from '../profile/profile.ts'
import { type GraphLatencies, type TimeGraphsOptions, timeGraphs } from '../profile/time-graphs.ts'
import { describeMachine, type Machine } from '../run/config-file.ts'
import { ort } from '../runtime/node.ts'
import type { Device } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import type { Paper } from '../zoo/net.ts'
import { findNet, networkGraph } from '../zoo/registry.ts'

/** What a comparison of networks found. */
export interface Comparison {
  /** The machine that it was made on. */
  readonly machine: Machine & {
    /** Version of ONNX Runtime. */
    readonly onnxruntime: string
  }
  /** The device that latency was measured on; null if none was measured. */
  readonly device: Device | null
  /** Threads within one op, on the CPU. */
  readonly threads: number | null
  /** Timed runs of each network; 0 if no latency was measured. */
  readonly rounds: number
  /** Rest before each timed run, and untimed runs after it, in milliseconds. */
  readonly restMs: number
  /** Milliseconds of untimed runs before each timed run. */
  readonly warmMs: number
  /** Seed of the orders of timing, and of the weights. */
  readonly seed: number
  /** Channels, height and width of the one picture of a run. */
  readonly input: readonly [number, number, number]
  /** Channels of a network's result; keypoints of a detector. */
  readonly outputs: number
  /** Whether dilations beyond the map are clipped. */
  readonly dilations: Dilations
  /** How detectors are made of networks; null if no detector is compared. */
  readonly detector: {
    /** The head. */
    readonly head: Head['kind']
    /** How the encoder's map of 1/4 joins. */
    readonly skip: SkipChoice
  } | null
  /** The measure of accuracy; null if none is known. */
  readonly accuracy: AccuracyKind | null
  /** Networks, then detectors, each with the fastest first, or with the fewest MACs first if none was timed. */
  readonly rows: readonly ComparedRow[]
  /** Networks that do not take such pictures. */
  readonly skipped: readonly Skipped[]
}

/** A network on its own, or the keypoint detector that `train` makes of it. */
export const comparedAs = ['network', 'detector'] as const
/** `network`: on its own; `detector`: the keypoint detector that `train` makes of it. */
export type ComparedAs = (typeof comparedAs)[number]

/** One network or detector: what it is, what it costs, how fast it is. */
export interface ComparedRow extends NetProfile {
  /** What the row is of. */
  readonly as: ComparedAs
  /** Title of the network. */
  readonly title: string
  /** Year of the paper. */
  readonly year: number
  /** The paper. */
  readonly paper: Paper
  /** Licence of the repository that names and numbers are from; null if no code was published. */
  readonly licence: string | null
  /** Time of one picture; null if it was not measured. */
  readonly latency: Latency | null
  /** Costs for which no other row of its kind is better both in latency and in this cost. */
  readonly pareto: readonly ParetoCost[]
  /** In the comparison's measure of accuracy; null if it is not known. */
  readonly accuracy: number | null
  /** The shape of the network. */
  readonly diagram: Diagram
}

export const paretoCosts = ['params', 'macs'] as const
/** A cost that latency is weighed against. */
export type ParetoCost = (typeof paretoCosts)[number]

/** A measure of how good rows are at their task. */
export interface AccuracyKind {
  /** For instance `PSNR in dB`. */
  readonly label: string
  /** Which values are better. */
  readonly better: 'higher' | 'lower'
}

/** A network that was not compared. */
export interface Skipped {
  /** Name of the network. */
  readonly net: string
  /** What it would have been compared as. */
  readonly as: ComparedAs
  /** Why it was not compared. */
  readonly reason: string
}

/** A network that is compared, with all that is known of it without running it. */
export interface Candidate {
  readonly facts: Omit<ComparedRow, 'latency' | 'pareto' | 'accuracy'>
  /** Builds its graph again: graphs of large networks are not kept. */
  graph(): Graph
}

export interface CandidateOptions {
  readonly network: Required<NetProfileOptions>
  readonly detector: DetectorProfileOptions
  readonly signal?: AbortSignal | undefined
  /** Whether a network that does not take such pictures is left out. Otherwise it is an error. */
  readonly mayBeSkipped: boolean
  onCounted?(done: number): void
}

/**
 * Profiles networks, each as a plain network or as a detector.
 *
 * @throws InputError for a network that does not take such pictures, unless it may be skipped and others do.
 */
export async function findCandidates(
  wanted: readonly { readonly net: string; readonly as: ComparedAs }[],
  options: CandidateOptions,
): Promise<{ candidates: Candidate[]; skipped: Skipped[] }> {
  const candidates: Candidate[] = []
  const skipped: Skipped[] = []
  for (const [i, { net, as }] of wanted.entries()) {
    // Counting blocks the event loop: this lets Ctrl-C and the progress bar have their turn.
    await nextTick()
    options.signal?.throwIfAborted()
    try {
      candidates.push(as === 'network' ? network(net, options.network) : detector(net, options.detector))
    } catch (error) {
      const isLast = i === wanted.length - 1 && candidates.length === 0
      if (!(error instanceof InputError) || !options.mayBeSkipped || isLast) throw error
      skipped.push({ net, as, reason: reasonOf(error) })
    }
    options.onCounted?.(i + 1)
  }
  return { candidates, skipped }
}

function network(net: string, options: Required<NetProfileOptions>): Candidate {
  const { input, ...rest } = options
  const graph = () => networkGraph(net, { ...rest, shape: [1, ...input] }).graph
  return {
    facts: { ...sources(net, 'network'), ...profileNet(net, options), diagram: diagram(graph()) },
    graph,
  }
}

function detector(net: string, options: DetectorProfileOptions): Candidate {
  const graph = () => detectorGraph(smallConfig({ net, ...options }))
  const facts = { ...sources(net, 'detector'), ...profileDetector(net, options), diagram: diagram(graph()) }
  return { facts, graph }
}

function sources(name: string, as: ComparedAs) {
  const { title, year, paper, licence } = findNet(name)
  return { net: name, as, title, year, paper, licence: licence ?? null }
}

/** Why an input cannot be used, in one line. */
export const reasonOf = ({ problem: { what, got, expected } }: InputError) =>
  [what, got && `got ${got}`, expected && `expected ${expected}`].filter(Boolean).join('; ')

/** How far a comparison is. */
export interface CompareProgress {
  /** What is done now. */
  readonly phase: 'profile' | 'load' | 'latency'
  /** Units that are done. */
  readonly done: number
  /** Units in all. */
  readonly total: number
  /** What is counted. */
  readonly unit: 'networks' | 'runs'
  /** The device that is measured. */
  readonly device?: Device
}

type TimingOptions = TimeGraphsOptions & {
  /** Whether latency is measured (default: yes). */
  readonly latency?: boolean
  onProgress?(event: CompareProgress): void
}

/** Seconds for measuring latency, if nothing else is said. */
export const defaultBudgetSeconds = 150

/**
 * Measures the latency of all candidates, in turn in one process.
 *
 * @returns undefined if latency is not measured.
 * @throws EnvironmentError where the device is not there. The signal's reason where it aborts.
 */
export async function timeCandidates(
  candidates: readonly Candidate[],
  options: TimingOptions,
): Promise<GraphLatencies | undefined> {
  if (options.latency === false) return undefined
  const { onProgress } = options
  let device: Device | undefined
  return timeGraphs(
    candidates.map(({ graph }) => graph),
    {
      budgetSeconds: defaultBudgetSeconds,
      ...options,
      onLoaded: (done, on) => {
        device = on
        onProgress?.({ phase: 'load', done, total: candidates.length, unit: 'networks', device: on })
      },
      onRun: (done, total) =>
        onProgress?.({ phase: 'latency', done, total, unit: 'runs', ...(device && { device }) }),
    },
  )
}

/** What latency was measured on, and how. */
export const timingFacts = (
  timed: GraphLatencies | undefined,
): Pick<Comparison, 'machine' | 'device' | 'threads' | 'rounds' | 'restMs' | 'warmMs'> => ({
  machine: { ...describeMachine(), onnxruntime: ort.env.versions.node ?? ort.env.versions.common },
  device: timed?.device ?? null,
  threads: timed?.threads ?? null,
  rounds: timed?.rounds ?? 0,
  restMs: defaultRestMs,
  warmMs: defaultWarmMs,
})

/** Rows with the fastest first, or with the fewest multiply-adds first if none was timed. */
export const fastestFirst = <R extends Pick<ComparedRow, 'latency' | 'macs'>>(rows: readonly R[]): R[] =>
  rows.toSorted((a, b) => (a.latency?.median ?? a.macs) - (b.latency?.median ?? b.macs))
