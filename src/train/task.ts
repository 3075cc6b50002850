// What the training loop is given: a way of training (a task), and a place that keeps the run (a store).
import type { Tensor } from '../graph/tensor.ts'
import type { Frame } from '../media/clip.ts'
import type { Checkpoint } from '../run/checkpoint.ts'
import type { MetricsRecord } from '../run/run-files.ts'
import type { Tensors } from '../runtime/session.ts'
import type { Random } from '../util/random.ts'
import type { TrainingState } from './state.ts'
import type { TrainingStep } from './step.ts'

/** A picture of a run in training, and measures of it for metrics.jsonl. */
export interface Preview {
  readonly picture: Frame
  readonly measures: Readonly<Record<string, number>>
}

/** What one way of training brings to the shared loop. */
export interface Task {
  readonly step: TrainingStep
  /** The step's inputs for one batch. All that is random comes from `random`, so that a run can be repeated. */
  draw(random: Random): Tensors
  /** Shows what the weights can do at this step. */
  preview(state: TrainingState): Promise<Preview>
  /** What the run's weights.safetensors holds (default: all that is trained, under its names). */
  weights?(trained: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor>
  close(): Promise<void>
}

/** Where a run in training is kept: a folder on disk, or the browser's own storage. */
export interface RunStore {
  /** What the run is called in messages: its folder, where it has one. */
  readonly path: string
  /** Whether there is a checkpoint to resume from. */
  hasCheckpoint(): Promise<boolean>
  loadCheckpoint(): Promise<Required<Checkpoint>>
  /** Replaces the checkpoint. If the process is killed meanwhile, the old one or the new one is there. */
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>
  /** Replaces the weights, as `saveCheckpoint`. */
  saveWeights(tensors: ReadonlyMap<string, Tensor>, step: number): Promise<void>
  appendMetrics(record: MetricsRecord): Promise<void> | void
  /** Drops the metrics after `step`. */
  truncateMetrics(step: number): Promise<void>
  savePreview(step: number, picture: Frame, measures: Readonly<Record<string, number>>): Promise<void>
}
