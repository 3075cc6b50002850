import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EnvironmentError } from '../util/errors.ts'
import { runForJson } from './run-for-json.ts'
import type { StepTask } from './step-timing.ts'

/** What `bench/peers/training_step.py` prints. */
export interface TorchTiming {
  readonly version: string
  readonly median_ms: number
  readonly min_ms: number
  readonly peak_rss_mib: number
  /** Of the peak: what importing PyTorch takes, more where it was built for GPUs. */
  readonly import_rss_mib: number
}

const script = new URL('../../bench/peers/training_step.py', import.meta.url)

/** Path of the same step in PyTorch. @throws EnvironmentError where it is not: npm packages come without. */
function findScript(): string {
  if (existsSync(script)) return fileURLToPath(script)
  throw new EnvironmentError({
    what: "PyTorch's training step is not there",
    got: fileURLToPath(script),
    remedy: 'run the bench in a clone of the repository',
  })
}

/** Times PyTorch's step. @throws EnvironmentError where Python fails, or has no PyTorch. */
export function timeTorchSteps(
  python: string,
  { what, net, threads, warmUp, steps }: StepTask,
  signal?: AbortSignal,
): Promise<TorchTiming> {
  const numbers = { threads, warmup: warmUp, steps }
  const words = Object.entries({ what, net, ...numbers }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ])
  return runForJson(python, [findScript(), '--json', ...words], signal)
}

/** Fails at once where PyTorch could not be timed. @throws EnvironmentError */
export async function checkTorch(python: string, signal?: AbortSignal): Promise<void> {
  findScript()
  await runForJson(python, ['-c', 'import torch; print(1)'], signal)
}
