// The answers of `pantin studio` to its page, as JSON, at the addresses under `api/`. Server and page read them here.
import type { MetricsPage } from '../run/run-files.ts'
import type { Problem } from '../util/errors.ts'

/** Name of the header that carries the server's token. Every request to `api/` needs it. */
export type TokenHeader = 'x-pantin-token'

/** `api/runs`: the runs that are served. */
export interface RunListing {
  /** Version of the pantin that serves. */
  readonly version: string
  /** Whether the page can save runs in a folder of this machine (`pantin studio --save FOLDER`). */
  readonly canSave: boolean
  /** The largest zip of a run that can be saved, in bytes; 0 if none can. */
  readonly maxUploadBytes: number
  /** The runs. */
  readonly runs: readonly RunSummary[]
  /** The studies. */
  readonly studies: readonly StudySummary[]
  /** The searches. */
  readonly searches: readonly SearchSummary[]
}

/** How far a study is. Its trials may be done by this machine or by workers on others. */
export interface StudySummary {
  /** Its name in the list. No other study has it. */
  readonly id: string
  /** The name of its folder. */
  readonly name: string
  /**
   * `training`: the command of the study is running. `finished`: all trials have results. `stopped`: the same command goes
   * on. `broken`: its plan cannot be read, and `problem` says why.
   */
  readonly state: 'training' | 'finished' | 'stopped' | 'broken'
  /** The reason why it is broken. */
  readonly problem?: Problem
  /** Number of trials. */
  readonly total: number
  /** Trials that have results. */
  readonly done: number
  /** Trials whose training failed. They have results, too. */
  readonly failed: number
  /** Seconds until it ends, by the pace of the last results, while it is running. */
  readonly etaSeconds?: number
  /** How accurate its networks are; missing as long as no trial has been measured. */
  readonly errors?: StudyErrors
}

/** Errors of the networks of a study. */
export interface StudyErrors {
  /** What was measured, in words. Less is better. */
  readonly measure: string
  /** By the name of the network: the mean over its seeds, with the best of its skips. */
  readonly by: Readonly<Record<string, number>>
}

/**
 * How far a search for a design is. It counts trainings instead of trials. If failures leave a
 * rung with too few candidates, fewer trainings are planned.
 */
export interface SearchSummary extends Omit<StudySummary, 'errors'> {
  /** The best design so far; missing as long as no training has been measured. */
  readonly best?: SearchBest
}

/** The design that is nearest to the teacher, of all that were trained for as long. */
export interface SearchBest {
  /** The name of the candidate. */
  readonly id: string
  /** Steps of its training. */
  readonly steps: number
  /** Mean distance of its keypoints to the teacher's, in units of [-1, 1]. */
  readonly distance: number
}

/** How far a run is. */
export interface RunSummary {
  /** Its name in addresses. */
  readonly id: string
  /** The name of its folder. */
  readonly name: string
  /**
   * `training`: a process trains it now. `finished`: it reached its steps or minutes. `stopped`: it can be resumed.
   * `imported`: a model without a training, which was imported or packed. `compressed`: what `compress` wrote. `broken`: it
   * cannot be read, and `problem` says why.
   */
  readonly state: 'training' | 'finished' | 'stopped' | 'imported' | 'compressed' | 'broken'
  /** The reason why it is broken. */
  readonly problem?: Problem
  /** How it was made: from frames alone (`train`), by a teacher (`distil`), or of another run (`compress`). */
  readonly kind?: 'train' | 'distil' | 'compress'
  /** Backbone of the detector, a name of the zoo. */
  readonly net?: string
  /** Side of the model's frames, in pixels. */
  readonly size?: number
  /** K */
  readonly keypoints?: number
  /** Steps done, by the last line of its metrics. */
  readonly step: number
  /** Seconds of training. Pauses are not counted. */
  readonly elapsed: number
  /** Fraction of the run that is done, 0 to 1. */
  readonly progress: number
  /** Length that was asked for, in steps. */
  readonly steps?: number
  /** Length that was asked for, in minutes. */
  readonly minutes?: number
  /** Steps per second, over the last lines of its metrics. */
  readonly rate?: number
  /** Seconds until it ends, while it trains. */
  readonly etaSeconds?: number
  /** The last loss. */
  readonly loss?: number
  /** Whether there are weights to animate with. */
  readonly hasWeights: boolean
  /** When its metrics last grew: ISO 8601, UTC. */
  readonly updated?: string
}

/** `api/runs/ID`: one run in full. */
export interface RunDetails extends RunSummary {
  /** The content of config.json; null if it cannot be read. */
  readonly config: unknown
  /** The content of env.json; null if it cannot be read. */
  readonly environment: unknown
  /** Names of its preview pictures, in the order of their steps. */
  readonly previews: readonly string[]
}

/** `api/runs/ID/metrics`: records of its metrics, since a cursor. */
export type RunMetrics = MetricsPage

/** Every answer with a status of 400 and above. */
export interface ErrorAnswer {
  /** The problem. */
  readonly error: Problem
}
