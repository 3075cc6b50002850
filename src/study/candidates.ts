import { setImmediate as breathe } from 'node:timers/promises'
import type { Graph } from '../graph/graph.ts'
import { smallConfig } from '../motion/config.ts'
import { detectorGraph } from '../motion/model.ts'
import { diagram } from '../profile/diagram.ts'
import {
  type DetectorProfileOptions,
  type NetProfileOptions,
  profileDetector,
  profileNet,
} from '../profile/profile.ts'
import { InputError } from '../util/errors.ts'
import { networkGraph } from '../zoo/network-graph.ts'
import { findNet } from '../zoo/registry.ts'
import type { ComparedAs, ComparedRow, Skipped } from './comparison.ts'

/** What is compared: everything that is known of it without running it. */
export interface Candidate {
  readonly facts: Omit<ComparedRow, 'latency' | 'pareto' | 'accuracy'>
  /** Its graph, made anew: graphs of large networks are not kept. */
  graph(): Graph
}

export interface CandidateOptions {
  readonly network: Required<NetProfileOptions>
  readonly detector: DetectorProfileOptions
  readonly signal?: AbortSignal | undefined
  /** Whether a network that does not take such pictures is left out; an error otherwise. */
  readonly mayBeSkipped: boolean
  onCounted?(done: number): void
}

/**
 * Profiles networks, in each of the two forms that is asked for.
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
    // Lets Ctrl-C and the progress bar in between.
    await breathe()
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

/** What an input lacks, in a line. */
export const reasonOf = ({ problem: { what, got, expected } }: InputError) =>
  [what, got && `got ${got}`, expected && `expected ${expected}`].filter(Boolean).join('; ')
