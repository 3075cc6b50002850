import { rest } from '../runtime/rest.ts'
import { EnvironmentError } from '../util/errors.ts'
import { peakMemoryMiB } from './peak-memory.ts'
import type { StepChoice } from './step-graphs.ts'
import { Stepper } from './stepper.ts'

export interface StepTask extends StepChoice {
  readonly threads: number
  /** Steps before those that are timed, besides the very first one. */
  readonly warmUp: number
  /** Steps that are timed. */
  readonly steps: number
}

/** A step's times in milliseconds, and the memory of the process that took it. */
export interface StepTiming {
  readonly median: number
  readonly min: number
  /** The very first step, which sets up memory. */
  readonly first: number
  /** Processor time over time: well below `threads`, other programs were in the way. */
  readonly cores: number
  readonly peakMiB: number
}

/**
 * Times steps as `bench/peers/training_step.py` times PyTorch's: some to warm up, then each on its own.
 *
 * @throws EnvironmentError where a loss is not finite. The signal's reason, between two steps.
 */
export async function timeSteps(task: StepTask, signal?: AbortSignal): Promise<StepTiming> {
  signal?.throwIfAborted()
  const stepper = await Stepper.create(task, task.threads)
  try {
    const step = async () => {
      signal?.throwIfAborted()
      const began = performance.now()
      const losses = await stepper.run()
      // As training does.
      await rest()
      if (losses.every(Number.isFinite)) return performance.now() - began
      throw new EnvironmentError({ what: 'a loss of a timed step is not finite', got: losses.join(', ') })
    }
    const first = await step()
    for (let i = 0; i < task.warmUp; i++) await step()
    const times: number[] = []
    const before = process.cpuUsage()
    while (times.length < task.steps) times.push(await step())
    const { user, system } = process.cpuUsage(before)
    const cores = (user + system) / 1e3 / times.reduce((sum, time) => sum + time, 0)
    return { median: median(times), min: Math.min(...times), first, cores, peakMiB: peakMemoryMiB() }
  } finally {
    await stepper.close()
  }
}

/** The middle one; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}
