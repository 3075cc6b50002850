// One attempt of a study or a search: train a detector, measure it, write the result once. Trials and rungs share it.
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../files/atomic.ts'
import { fileError } from '../files/file-errors.ts'
import { exists, makeFolder } from '../files/folders.ts'
import { isLocked } from '../files/lock.ts'
import { readWhole } from '../files/read.ts'
import { checkpointFile } from '../run/run-files.ts'
import { settingsOptions } from '../train/options.ts'
import type { TrainEvent, TrainedRun } from '../train/train.ts'
import type { Hooks } from '../util/child-process.ts'
import { FormatError, messageOf, PantinError, TrainingError } from '../util/errors.ts'

/**
 * The schema of a result's file.
 *
 * @param identity says which attempt it is
 * @param measured what was measured
 */
export const outcomeSchema = <I extends z.ZodRawShape, M extends z.ZodRawShape>(identity: I, measured: M) =>
  z.discriminatedUnion('status', [
    z.object({
      /** The detector was trained and measured. */
      status: z.literal('done'),
      ...identity,
      ...measured,
      /** Frames that were measured on. */
      frames: z.int().positive(),
      /** The device that was used. */
      device: z.string(),
      /** Seconds of the last call: reading, training and measuring. */
      wallSeconds: z.number().nonnegative(),
    }),
    z.object({
      /** It failed by its own fault and would fail again: training diverged. */
      status: z.literal('failed'),
      ...identity,
      /** Why it failed. */
      reason: z.string(),
      /** Seconds of the last call. */
      wallSeconds: z.number().nonnegative(),
    }),
  ])

/** What an attempt came to, besides its identity. */
export type Outcome<M> =
  | ({ readonly status: 'done'; readonly device: string; readonly wallSeconds: number } & M)
  | { readonly status: 'failed'; readonly reason: string; readonly wallSeconds: number }

/** What `train` and `distil` are told by an attempt. */
export interface TrainingHooks {
  readonly out: string
  readonly resume: boolean
  readonly force: boolean
  readonly checkpointSeconds?: number
  readonly signal?: AbortSignal
  onEvent(event: TrainEvent): void
}

export interface Attempt<M> {
  /** The run folder. */
  readonly run: string
  /** Seconds between checkpoints, if they are to be less than usual. */
  readonly checkpointSeconds: number | undefined
  train(hooks: TrainingHooks): Promise<TrainedRun>
  measure(run: TrainedRun, hooks: Hooks): Promise<M>
}

/** Parts of an attempt's progress: training begins at the first, when a teacher has labelled, and ends at the second. */
const [trainingFrom, trainingTo] = [0.05, 0.9]

/**
 * Trains, or resumes an interrupted training from its last checkpoint, and measures.
 *
 * @returns undefined if the signal stopped it.
 * @throws what `train` and `measure` throw, except failures that are the attempt's own: these are results.
 */
export async function trainAndMeasure<M extends object>(
  { run: out, checkpointSeconds = Number.POSITIVE_INFINITY, train, measure }: Attempt<M>,
  { signal, onProgress }: Hooks = {},
): Promise<Outcome<M> | undefined> {
  const began = performance.now()
  const wallSeconds = () => (performance.now() - began) / 1000
  let run: TrainedRun | undefined
  await makeFolder(dirname(out))
  // The checkpoint of an attempt goes when its result is written. Without a result that can be read, it is made again.
  const resume = await exists(join(out, checkpointFile))
  try {
    run = await train({
      ...{ out, resume, force: !resume },
      ...(checkpointSeconds < settingsOptions.checkpointSeconds.default && { checkpointSeconds }),
      ...(signal && { signal }),
      onEvent: (event) => {
        const part = trainingPart(event)
        if (part !== undefined) onProgress?.(part)
      },
    })
    if (run.interrupted) return undefined
    const measured = await measure(run, {
      ...(signal && { signal }),
      onProgress: (part) => onProgress?.(trainingTo + (1 - trainingTo) * part),
    })
    return { status: 'done', ...measured, device: run.device, wallSeconds: wallSeconds() }
  } catch (error) {
    if (signal?.aborted) return undefined
    // After training, a FormatError can only mean that the detector gives numbers that are not finite: everything else
    // was read before.
    const isOwnFault = error instanceof TrainingError || (run !== undefined && error instanceof FormatError)
    if (!isOwnFault) throw error
    const { what, got } = error.problem
    const reason = got === undefined ? what : `${what}: ${got}`
    return { status: 'failed', reason, wallSeconds: wallSeconds() }
  }
}

/** Part of an attempt that is done when it trains; undefined for events that are no progress. */
function trainingPart(event: TrainEvent): number | undefined {
  if (event.kind === 'step') return trainingFrom + (trainingTo - trainingFrom) * event.progress
  if (event.kind !== 'decode' && event.kind !== 'label') return undefined
  return trainingFrom * (event.total === 0 ? 0 : event.done / event.total)
}

/** A result from disk. If it is missing, torn or of another version, undefined: the attempt is made again. */
export async function readResult<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  if (!(await exists(path))) return undefined
  try {
    return schema.parse(JSON.parse((await readWhole(path, 'a result', 1 << 26)).toString('utf8')))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined
    throw fileError(error, path, 'read')
  }
}

/** Writes a result, and its folder if that is missing. @throws InputError, EnvironmentError if it cannot be written. */
export async function writeResult(path: string, result: object): Promise<void> {
  await makeFolder(dirname(path))
  await writeFileAtomic(path, `${JSON.stringify(result, null, 2)}\n`)
}

/** Milliseconds to wait at most. An orphan ends after the op that it computes. */
const orphanTime = 60_000

/** Waits for the end of a process that trains into `run` and whose parent was killed. It notices that by itself. */
export async function orphanGone(run: string, signal: AbortSignal | undefined): Promise<void> {
  const began = performance.now()
  while (isLocked(join(run, 'lock')) && !signal?.aborted) {
    if (performance.now() - began > orphanTime) return
    await sleep(100)
  }
}

/** Why a child process left no result, for messages. */
export const problemOf = (error: unknown): string =>
  error instanceof PantinError ? error.message : `a bug in pantin: ${messageOf(error)}`
