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
  cpu: 'AMD EPYC with AVX-512',
  threads: 2,
  date: '2026-11-23',
  steps: {
    lednet: {
      step: { time: 241.82, memory: 1034 },
      detector: { time: 94.54, memory: 815 },
    },
    erfnet: {
      step: { time: 291.65, memory: 1013 },
      detector: { time: 98.35, memory: 824 },
    },
    esnet: {
      step: { time: 261.21, memory: 1039 },
      detector: { time: 96.26, memory: 815 },
    },
    hourglass: {
      step: { time: 963.68, memory: 1446 },
      detector: { time: 349.95, memory: 1134 },
    },
  },
}
