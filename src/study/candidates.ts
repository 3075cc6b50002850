// Networks that are compared: each profiled by counting, then all timed in turn on this machine.
import { setImmediate as nextTick } from 'node:timers/promises'
import type { Graph } from '../graph/graph.ts'
import { smallConfig } from '../motion/config.ts'
import { detectorGraph } from '../motion/model.ts'
import { diagram } from '../profile/diagram.ts'
import { defaultRestMs, defaultWarmMs } from '../profile/latency.ts'
import {
  type DetectorProfileOptions,
  type NetProfileOptions,
  profileDetector,
  profileNet,
} from '../profile/profile.ts'
import { type GraphLatencies, type TimeGraphsOptions, timeGraphs } from '../profile/time-graphs.ts'
import { describeMachine } from '../run/config-file.ts'
import { ort } from '../runtime/node.ts'
import type { Device } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { networkGraph } from '../zoo/network-graph.ts'
import { findNet } from '../zoo/registry.ts'
import type { ComparedAs, ComparedRow, Comparison, Skipped } from './comparison.ts'

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
