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
  version: '2.15.0+cu132',
  cpu: 'AMD EPYC',
  threads: 2,
  date: '2026-11-23',
  steps: {
    lednet: {
      step: { time: 249.69, memory: 1010 },
      detector: { time: 92.82, memory: 814 },
    },
  },
}
