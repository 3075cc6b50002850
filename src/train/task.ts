import type { Tensor } from '../graph/tensor.ts'
import type { Tensors } from '../runtime/session.ts'
import type { Random } from '../util/random.ts'
import type { TrainingState } from './step-session.ts'
import type { TrainingStep } from './step-state.ts'

/** What one way of training brings to the loop that all share. */
export interface Task {
  readonly step: TrainingStep
  /** The step's inputs for one batch. All that is random comes from `random`, so that a run can be repeated. */
  draw(random: Random): Tensors
  /**
   * Writes a picture of what the weights can do by now.
   *
   * @returns measures of it, for metrics.jsonl.
   */
  preview(path: string, state: TrainingState): Promise<Readonly<Record<string, number>>>
  /** What the run's weights.safetensors holds (default: all that is trained, under its names). */
  weights?(trained: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor>
  close(): Promise<void>
}
