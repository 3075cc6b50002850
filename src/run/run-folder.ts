import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lock } from '../files/lock.ts'
import { readSafetensors, type TensorFile, writeSafetensors } from '../formats/safetensors/safetensors.ts'
import type { Tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { appendMetrics, type MetricsRecord, readMetrics, truncateMetrics } from './metrics.ts'

/** A run on disk. Made by `createRun` and `openRun`. */
export class Run<T = unknown> {
  constructor(
    /** The folder, absolute. */
    readonly path: string,
    /** The resolved configuration. */
    readonly config: T,
    /** Version of the pantin that made the run. */
    readonly version: string,
    private lock?: Lock,
  ) {}

  /** Replaces the checkpoint in last/. @throws InputError, EnvironmentError: the earlier one is intact. */
  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    await writeCheckpoint(this.writable('last', 'checkpoint.safetensors'), checkpoint)
  }

  /** The last checkpoint. @throws InputError if there is none, FormatError if it is broken. */
  async loadCheckpoint(): Promise<Required<Checkpoint>> {
    const path = join(this.path, 'last', 'checkpoint.safetensors')
    await assertPresent(path, 'this run has no checkpoint to resume from', 'train again with --force')
    return readCheckpoint(path)
  }

  /** Whether there is a checkpoint to resume from. */
  async hasCheckpoint(): Promise<boolean> {
    return exists(join(this.path, 'last', 'checkpoint.safetensors'))
  }

  /** Replaces weights.safetensors. @throws InputError, EnvironmentError: the earlier file is intact. */
  async saveWeights(
    tensors: ReadonlyMap<string, Tensor>,
    metadata: ReadonlyMap<string, string> = new Map(),
  ): Promise<void> {
    await writeSafetensors(this.writable('weights.safetensors'), tensors, metadata)
  }

  /** weights.safetensors. @throws InputError if it is missing, FormatError if it is broken. */
  async loadWeights(): Promise<TensorFile> {
    const path = join(this.path, 'weights.safetensors')
    await assertPresent(path, 'this run has no weights yet', 'let train finish: run it again with --resume')
    return readSafetensors(path)
  }

  /** Appends one line to metrics.jsonl, before it returns. @throws InputError, EnvironmentError */
  appendMetrics(record: MetricsRecord): void {
    appendMetrics(this.writable('metrics.jsonl'), record)
  }

  /** Every record of metrics.jsonl, in order; none if there is no such file yet. */
  readMetrics(): Promise<MetricsRecord[]> {
    return readMetrics(join(this.path, 'metrics.jsonl'))
  }

  /** Drops the metrics after `step`, the checkpoint's, and a torn last line. */
  async truncateMetrics(step: number): Promise<void> {
    await truncateMetrics(this.writable('metrics.jsonl'), step)
  }

  /** Where the preview picture of a step goes: sorted by name is sorted by step. */
  previewPath(step: number, extension = 'png'): string {
    return join(this.path, 'previews', `step-${String(step).padStart(8, '0')}.${extension}`)
  }

  /** Gives up the lock. Reading still works. */
  close(): void {
    this.lock?.release()
    this.lock = undefined
  }

  private writable(...names: string[]): string {
    if (this.lock !== undefined) return join(this.path, ...names)
    throw new InputError({
      what: 'this run is open for reading only',
      where: this.path,
      expected: 'a run from createRun, or from openRun with write: true, that is not closed',
    })
  }
}

async function assertPresent(path: string, what: string, remedy: string): Promise<void> {
  if (await exists(path)) return
  throw new InputError({ what, where: path, got: 'no such file', remedy })
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
