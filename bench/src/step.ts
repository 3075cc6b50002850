// The part `step`: time and memory of the training step, beside PyTorch's.
import { coresHere } from '../../src/runtime/node.ts'
import type { Figure, Skipped } from './figure.ts'
import { type MachineRates, measureRatesInChild, stepFloor } from './step-floor.ts'
import { type StepChoice, type StepKind, type StepModel, stepModelName } from './step-graphs.ts'
import { median, type StepTask, type StepTiming, timeStepsInChild } from './stepper.ts'
import { checkTorch, noTorch, recordedTorch, type TorchTiming, timeTorchSteps } from './torch.ts'

/** What is timed if nothing is asked for: networks with the small generator at 64x64, and what `train` makes of larger frames. */
export const stepModels: readonly StepModel[] = [
  ...['ficelle', 'lednet', 'erfnet', 'esnet', 'hourglass'].map((net) => ({ net })),
  { net: 'ficelle', generator: 'light', size: 128 },
  { net: 'ficelle', generator: 'light', size: 256 },
]
const kinds: readonly StepKind[] = ['step', 'detector']

export interface StepFiguresOptions {
  /** Default: `stepModels`. */
  readonly models?: readonly StepModel[]
  /**
   * The whole step, the detector's alone, or both (default; of the light generator's models the whole step alone, since the
   * detector sees 64x64 pixels at every size).
   */
  readonly kinds?: readonly StepKind[]
  /** Number of threads, of both sides (default: one for each core). */
  readonly threads?: number
  /** A Python that has PyTorch. Without one, PyTorch's recorded times stand beside pantin's. */
  readonly python?: string
  /** Number of timed steps of each process (default 10). */
  readonly rounds?: number
  /** Number of processes of each side, in turn (default: 2 with PyTorch, else 1). */
  readonly processes?: number
  /** Number of untimed steps of each process (default: the number of timed steps, at most 5). */
  readonly warmUp?: number
  readonly signal?: AbortSignal
  onSkipped?(one: Skipped): void
  /** After each process. */
  onProgress?(done: number, total: number): void
}

/** The timings of one task, one for each process. */
interface Timings {
  readonly ours: readonly StepTiming[]
  readonly torch: readonly TorchTiming[]
}

/**
 * Times the training step of each model in child processes, in turn with PyTorch's.
 *
 * @throws EnvironmentError if a process of pantin fails. The signal's reason, if it is aborted.
 */
export async function stepFigures(options: StepFiguresOptions = {}): Promise<Figure[]> {
  const { models = stepModels, threads = coresHere(), signal } = options
  const python = await usablePython(options)
  const { rounds = 10, processes = python === undefined ? 1 : 2, warmUp = Math.min(5, rounds) } = options
  const tasks = models.flatMap((model) =>
    (options.kinds ?? (model.generator === 'light' ? ['step' as const] : kinds)).map(
      (what): StepTask => ({ ...model, what, threads, replicas: replicasOn(threads), warmUp, steps: rounds }),
    ),
  )
  const sides = python === undefined ? 1 : 2
  const total = 1 + tasks.length * processes * sides
  // A child has nothing to save: it is killed.
  const hooks = { onAbort: 'kill', ...(signal && { signal }) } as const
  let done = 0
  const advance = () => options.onProgress?.(++done, total)

  const rates = await measureRatesInChild({ threads }, hooks)
  advance()
  const figures: Figure[] = []
  for (const task of tasks) {
    const [ours, torch]: [StepTiming[], TorchTiming[]] = [[], []]
    for (let i = 0; i < processes; i++) {
      ours.push(await timeStepsInChild(task, hooks))
      advance()
      if (python === undefined) continue
      torch.push(await timeTorchSteps(python, task, signal))
      advance()
    }
    figures.push(...figuresOf(task, { ours, torch }, rates))
  }
  return figures
}

/** The Python to use. If it cannot be used, PyTorch is skipped, and the report says why. */
async function usablePython({ python, signal, onSkipped }: StepFiguresOptions): Promise<string | undefined> {
  const { name } = noTorch('step')
  if (python === undefined) {
    onSkipped?.(noTorch('step'))
    return undefined
  }
  try {
    await checkTorch(python, signal)
    return python
  } catch (error) {
    signal?.throwIfAborted()
    onSkipped?.({ name, why: error instanceof Error ? error.message : String(error) })
    return undefined
  }
}

function figuresOf(task: StepTask, { ours, torch }: Timings, rates: MachineRates): Figure[] {
  const name = `step.${stepModelName(task)}${task.what === 'step' ? '' : '.detector'}`
  const time = median(ours.map((one) => one.median))
  const memory = Math.max(...ours.map(({ peakMiB }) => peakMiB))
  const least = Math.min(...ours.map(({ min }) => min))
  const peer = torch.length > 0 ? measuredPeer(ours, torch) : recordedPeer(task)
  const target = { atMost: 1 } as const
  return [
    {
      name: `${name}.time`,
      value: time,
      unit: 'ms',
      ...(peer && { peer: peer.time.peer }),
      ...(peer?.time.ratio !== undefined && { ratio: peer.time.ratio, target }),
      floor: stepFloor(task, rates),
      how: `${described(task, ours.length)}; least ${least.toPrecision(3)}${torch.length === 0 ? '' : ` against ${Math.min(...torch.map(({ min_ms }) => min_ms)).toPrecision(3)}`} ms`,
    },
    {
      name: `${name}.memory`,
      value: memory,
      unit: 'MiB',
      ...(peer && { peer: peer.memory.peer }),
      ...(peer?.memory.ratio !== undefined && { ratio: peer.memory.ratio, target }),
      how: `the most that the process held, session and state included${imported(torch)}; ${described(task, ours.length)}`,
    },
  ]
}

const imported = ([first]: readonly TorchTiming[]) =>
  first === undefined ? '' : `, and PyTorch's own ${first.import_rss_mib} MiB once it is imported`

/** As `train` chooses them: one for each core, of a batch of 8. */
const replicasOn = (threads: number) => [4, 2].find((n) => n <= threads) ?? 1

function described(
  { what, size = 64, threads, replicas, steps, warmUp }: StepTask,
  processes: number,
): string {
  const of = what === 'step' ? 'whole training step' : 'training step of the detector alone'
  return `${of}, batch 8, ${size}x${size}, float32, ${threads} thread${threads === 1 ? '' : 's'}${replicas === 1 ? '' : ` of ${replicas} replicas`}; ${processes} process${
    processes === 1 ? '' : 'es'
  } of ${steps} steps after ${warmUp + 1} untimed ones, the median`
}

/** A figure's peer, and the ratio if both were measured on one machine. */
interface Beside {
  readonly peer: NonNullable<Figure['peer']>
  readonly ratio: number | undefined
}
type Pair = Readonly<Record<'time' | 'memory', Beside>>

/** The ratio of times is the median over pairs of processes: both of one pair saw the machine in the same state. */
function measuredPeer(ours: readonly StepTiming[], torch: readonly TorchTiming[]): Pair {
  const name = `PyTorch ${torch[0]!.version}, the same step, in turn`
  const memory = Math.max(...torch.map(({ peak_rss_mib }) => peak_rss_mib))
  return {
    time: {
      peer: { name, value: median(torch.map(({ median_ms }) => median_ms)) },
      ratio: median(ours.map((one, i) => one.median / torch[i]!.median_ms)),
    },
    memory: {
      peer: { name, value: memory },
      ratio: Math.max(...ours.map(({ peakMiB }) => peakMiB)) / memory,
    },
  }
}

/** Recorded times are shown without a ratio: the name of a processor does not say how fast it is. */
function recordedPeer({ what, ...model }: StepChoice): Pair | undefined {
  const { cpu, version, date, threads, steps } = recordedTorch
  const recorded = steps[stepModelName(model)]?.[what]
  if (recorded === undefined) return undefined
  const source = `recorded ${date} on ${cpu}, ${threads} threads: bench/results/step.csv`
  const beside = (measure: 'time' | 'memory'): Beside => ({
    peer: { name: `PyTorch ${version}, the same step`, value: recorded[measure], source },
    ratio: undefined,
  })
  return { time: beside('time'), memory: beside('memory') }
}
