// Peers in Python: a training step and the published FOMM's training in PyTorch, steps as they were recorded once, and ONNX
// Runtime's own quantiser.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { lastLine } from '../../src/util/child-process.ts'
import { EnvironmentError } from '../../src/util/errors.ts'
import type { Skipped } from './figure.ts'
import type { QualityPoint } from './quality-course.ts'
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

/** Path of a script of bench/peers. @throws EnvironmentError if it is missing */
function findScript(name: 'training_step.py' | 'fomm_quality.py' | 'quantise.py'): string {
  const script = new URL(`../peers/${name}`, import.meta.url)
  if (existsSync(script)) return fileURLToPath(script)
  throw new EnvironmentError({
    what: "the peer's script is not there",
    got: fileURLToPath(script),
    remedy: 'run the bench in a clone of the repository',
  })
}

/** Times PyTorch's step. @throws EnvironmentError if Python fails, or has no PyTorch */
export function timeTorchSteps(
  python: string,
  { what, net, generator = 'small', size = 64, threads, warmUp, steps }: StepTask,
  signal?: AbortSignal,
): Promise<TorchTiming> {
  const numbers = { size, threads, warmup: warmUp, steps }
  const words = flags({ what, net, generator, ...numbers })
  return runForJson(python, [findScript('training_step.py'), '--json', ...words], signal)
}

const flags = (values: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)])

/** What `bench/peers/fomm_quality.py` prints of each evaluation. */
export interface TorchQuality extends QualityPoint {
  readonly version: string
}

/**
 * Trains the published FOMM in PyTorch until it is good enough, or its time is over.
 *
 * @param folder with `frames.json` and `frames.rgb`
 * @param options flags of the script
 * @param onPoint told each evaluation
 * @throws EnvironmentError if Python fails, or has no PyTorch
 */
export function trainFomm(
  python: string,
  folder: string,
  options: Readonly<Record<'threads' | 'batch' | 'target' | 'limit' | 'interval', number>>,
  hooks: { readonly signal: AbortSignal | undefined; onPoint(point: TorchQuality): void },
): Promise<void> {
  const words = [findScript('fomm_quality.py'), folder, ...flags(options)]
  const { signal, onPoint } = hooks
  return run(python, words, { signal, onLine: (line) => onPoint(JSON.parse(line) as TorchQuality) })
}

/** What `bench/peers/quantise.py` prints. */
export interface PeerQuantised {
  /** Version of ONNX Runtime. */
  readonly version: string
  /** ONNX files in the folder, with the kinds of ops that compute in eight bits. */
  readonly files: readonly { readonly kinds: readonly string[]; readonly file: string }[]
}

/**
 * Quantises a graph with ONNX Runtime's static quantiser.
 *
 * @param folder with `float.onnx` and `calibration.f32`
 * @throws EnvironmentError if Python fails, or has no onnxruntime or onnx
 */
export const quantiseByPeer = (
  python: string,
  folder: string,
  signal?: AbortSignal,
): Promise<PeerQuantised> => runForJson(python, [findScript('quantise.py'), folder], signal)

/** What is left out of a part if no Python is named. */
export const noTorch = (part: 'step' | 'quality'): Skipped => ({
  name: `${part}: PyTorch beside it`,
  why: 'no Python with PyTorch was named (--python)',
})

/** Fails at once if PyTorch cannot be used. @throws EnvironmentError */
export async function checkTorch(python: string, signal?: AbortSignal): Promise<void> {
  await runForJson(python, ['-c', 'import torch; print(1)'], signal)
}

/**
 * Runs a program and reads its output as JSON.
 *
 * @throws EnvironmentError with the last line of the program's stderr, if it fails. The signal's reason, if it is aborted.
 */
async function runForJson<T>(command: string, words: readonly string[], signal?: AbortSignal): Promise<T> {
  let text = ''
  await run(command, words, {
    signal,
    onLine: (line) => {
      text += `${line}\n`
    },
  })
  return JSON.parse(text) as T
}

/** What `run` is told. */
interface RunHooks {
  readonly signal: AbortSignal | undefined
  /** Told each line of the program's stdout. */
  onLine(line: string): void
}

/** Runs a program. @throws EnvironmentError with the last line of its stderr, if it fails. The signal's reason, if it is aborted. */
async function run(command: string, words: readonly string[], hooks: RunHooks): Promise<void> {
  hooks.signal?.throwIfAborted()
  const problem = await endOf(command, words, hooks)
  hooks.signal?.throwIfAborted()
  if (problem === undefined) return
  throw new EnvironmentError({
    what: 'a process that the bench started failed',
    where: command,
    got: problem,
  })
}

/** @returns why the program failed; undefined if it did not */
function endOf(
  command: string,
  words: readonly string[],
  { signal, onLine }: RunHooks,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    const stop = () => child.kill('SIGKILL')
    signal?.addEventListener('abort', stop, { once: true })
    let stderr = ''
    const lines = createInterface({ input: child.stdout })
    lines.on('line', onLine)
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-2000)
    })
    const end = (problem: string | undefined) => {
      signal?.removeEventListener('abort', stop)
      resolve(problem)
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
  /** By the names that `stepModelName` gives. A detector is measured once, whatever generator stands behind it. */
  readonly steps: Readonly<Record<string, Readonly<Partial<Record<StepKind, RecordedStep>>>>>
} = {
  version: '2.15.0+cu132',
  cpu: 'Intel Xeon with AMX',
  threads: 2,
  date: '2026-12-02',
  steps: {
    lednet: {
      step: { time: 312.87, memory: 1023 },
      detector: { time: 101.97, memory: 813 },
    },
    erfnet: {
      step: { time: 310.42, memory: 1050 },
      detector: { time: 87.05, memory: 821 },
    },
    esnet: {
      step: { time: 295.09, memory: 1046 },
      detector: { time: 99.77, memory: 810 },
    },
    hourglass: {
      step: { time: 831.45, memory: 1464 },
      detector: { time: 284.23, memory: 1124 },
    },
    ficelle: {
      step: { time: 157.17, memory: 875 },
      detector: { time: 27.13, memory: 747 },
    },
    'ficelle.light128': { step: { time: 216.28, memory: 983 } },
    'ficelle.light256': { step: { time: 479.17, memory: 1548 } },
  },
}
