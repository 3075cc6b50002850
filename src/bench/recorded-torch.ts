import type { StepKind } from './step-graphs.ts'

/** PyTorch's training step as it was measured once, for those who have no PyTorch: see bench/results/step.csv. */

export interface RecordedStep {
  /** Median milliseconds. */
  readonly time: number
  /** MiB that the process held at most. */
  readonly memory: number
}

export const recordedTorch: {
  readonly version: string
  readonly cpu: string
  readonly threads: number
  readonly date: string
  readonly steps: Readonly<Record<string, Readonly<Record<StepKind, RecordedStep>>>>
} = {
  version: '',
  cpu: '',
  threads: 2,
  date: '',
  steps: {},
}
