// PyTorch's training step: timed by a Python that has PyTorch, or as it was recorded once.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { lastLine } from '../../src/util/child-process.ts'
import { EnvironmentError } from '../../src/util/errors.ts'
import type { StepKind } from './step-graphs.ts'
import type { StepTask } from './stepper.ts'

/** What `bench/peers/training_step.py` prints. */
export interface TorchTiming {
  readonly version: string
  readonly median_ms: number
  readonly min_ms: number
  readonly peak_rss_mib: number
  /** The part of the peak that importing PyTorch takes. Builds for GPUs take more. */
  readonly import_rss_mib: number
}

const script = new URL('../peers/training_step.py', import.meta.url)

/** Path of the same step in PyTorch. @throws EnvironmentError if it is missing */
function findScript(): string {
  if (existsSync(script)) return fileURLToPath(script)
  throw new EnvironmentError({
    what: "PyTorch's training step is not there",
    got: fileURLToPath(script),
    remedy: 'run the bench in a clone of the repository',
  })
}

/** Times PyTorch's step. @throws EnvironmentError if Python fails, or has no PyTorch */
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

/** Fails at once if PyTorch cannot be timed. @throws EnvironmentError */
export async function checkTorch(python: string, signal?: AbortSignal): Promise<void> {
  findScript()
  await runForJson(python, ['-c', 'import torch; print(1)'], signal)
}

/**
 * Runs a program and reads its output as JSON.
 *
 * @throws EnvironmentError with the last line of the program's stderr, if it fails. The signal's reason, if it is aborted.
 */
async function runForJson<T>(command: string, words: readonly string[], signal?: AbortSignal): Promise<T> {
  signal?.throwIfAborted()
  const { stdout, problem } = await run(command, words, signal)
  signal?.throwIfAborted()
  if (problem === undefined) return JSON.parse(stdout) as T
  throw new EnvironmentError({
    what: 'a process that the bench started failed',
    where: command,
    got: problem,
  })
}

function run(
  command: string,
  words: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ readonly stdout: string; readonly problem: string | undefined }> {
  return new Promise((resolve) => {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    const stop = () => child.kill('SIGKILL')
    signal?.addEventListener('abort', stop, { once: true })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-2000)
    })
    const end = (problem: string | undefined) => {
      signal?.removeEventListener('abort', stop)
      resolve({ stdout, problem })
    }
    child.once('error', (error) => end(error.message))
    child.once('close', (code, by) =>
      end(code === 0 ? undefined : `ended with ${by ?? code}${lastLine(stderr)}`),
    )
  })
}

export interface RecordedStep {
  /** Median milliseconds. */
  readonly time: number
  /** Peak memory of the process, in MiB. */
  readonly memory: number
}

/** PyTorch's training step as it was measured once, for machines without PyTorch: bench/results/step.csv. */
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
