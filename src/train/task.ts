import type { Tensor } from '../graph/tensor.ts'
import type { Frame } from '../media/frame.ts'
import type { Tensors } from '../runtime/session.ts'
import type { Random } from '../util/random.ts'
import type { TrainingState } from './step-runner.ts'
import type { TrainingStep } from './step-state.ts'

/** A picture of a run in training, and measures of it for metrics.jsonl. */
export interface Preview {
  readonly picture: Frame
  readonly measures: Readonly<Record<string, number>>
}

/** What one way of training brings to the loop that all share. */
export interface Task {
  readonly step: TrainingStep
  /** The step's inputs for one batch. All that is random comes from `random`, so that a run can be repeated. */
  draw(random: Random): Tensors
  /** Shows what the weights can do by now. */
  preview(state: TrainingState): Promise<Preview>
  /** What the run's weights.safetensors holds (default: all that is trained, under its names). */
  weights?(trained: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor>
  close(): Promise<void>
}
