// What a comparison of networks finds.
import type { Dilations } from '../layers/scope.ts'
import type { Head, SkipChoice } from '../motion/heads.ts'
import type { Diagram } from '../profile/diagram.ts'
import type { Latency } from '../profile/latency.ts'
import type { NetProfile } from '../profile/profile.ts'
import type { Machine } from '../run/config-file.ts'
import type { Device } from '../runtime/session.ts'
import type { Paper } from '../zoo/net.ts'

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
  /** How detectors are made of networks; null if there are none. */
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
