import type { Tensor } from '../graph/tensor.ts'
import type { Frame } from '../media/frame.ts'
import type { Checkpoint } from '../run/checkpoint-state.ts'
import type { MetricsRecord } from '../run/metrics-lines.ts'

/** Where a run in training is kept: a folder on disk, or the browser's own storage. */
export interface RunStore {
  /** What the run is called in messages: its folder, where it has one. */
  readonly path: string
  /** Whether there is a checkpoint to resume from. */
  hasCheckpoint(): Promise<boolean>
  loadCheckpoint(): Promise<Required<Checkpoint>>
  /** Replaces the checkpoint: whenever the work is cut off, the old one or the new one is there. */
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>
  /** Replaces the weights, as `saveCheckpoint`. */
  saveWeights(tensors: ReadonlyMap<string, Tensor>, metadata: ReadonlyMap<string, string>): Promise<void>
  appendMetrics(record: MetricsRecord): Promise<void> | void
  /** Drops the metrics after `step`. */
  truncateMetrics(step: number): Promise<void>
  savePreview(step: number, picture: Frame, measures: Readonly<Record<string, number>>): Promise<void>
}
