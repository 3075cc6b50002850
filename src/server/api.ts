import type { MetricsPage } from '../run/metrics-tail.ts'
import type { Problem } from '../util/errors.ts'

/** What the server's addresses under `api/` answer, as JSON. */

/** `api/runs`. */
export interface RunListing {
  /** Version of the pantin that serves. */
  readonly version: string
  /** Whether runs can be put into a folder here (`--save`). */
  readonly canSave: boolean
  /** Bytes that a run's zip may have, there. */
  readonly maxUploadBytes: number
  readonly runs: readonly RunSummary[]
}

/** Where a run stands. */
export interface RunSummary {
  /** What it is called in addresses. */
  readonly id: string
  /** Its folder's name. */
  readonly name: string
  /**
   * `training`: a process trains it now. `stopped`: it can be resumed. `broken`: it cannot be read, `problem` says why.
   * `imported`: a model that was never trained here.
   */
  readonly state: 'training' | 'finished' | 'stopped' | 'imported' | 'broken'
  readonly problem?: Problem
  /** How it learns: from frames, or from a teacher. */
  readonly kind?: 'train' | 'distil'
  readonly net?: string
  readonly size?: number
  readonly keypoints?: number
  /** Steps done, by the last line of its metrics. */
  readonly step: number
  /** Seconds of training, over all sittings. */
  readonly elapsed: number
  /** Part of the run that is done, 0 to 1. */
  readonly progress: number
  /** Steps or minutes that it was asked for. */
  readonly steps?: number
  readonly minutes?: number
  /** Steps a second, over the last lines. */
  readonly rate?: number
  /** Seconds to its end, while it trains. */
  readonly etaSeconds?: number
  readonly loss?: number
  /** Whether there are weights to animate with. */
  readonly hasWeights: boolean
  /** When its metrics last grew: ISO 8601, UTC. */
  readonly updated?: string
}

/** `api/runs/ID`. */
export interface RunDetails extends RunSummary {
  /** config.json and env.json, as they are; null where they cannot be read. */
  readonly config: unknown
  readonly environment: unknown
  /** Names of its preview pictures, in the order of their steps. */
  readonly previews: readonly string[]
}

/** `api/runs/ID/metrics`. */
export type RunMetrics = MetricsPage

/** Every answer that is no success. */
export interface ErrorAnswer {
  readonly error: Problem
}
