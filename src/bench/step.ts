import { availableParallelism } from 'node:os'
import type { Figure } from './figure.ts'
import type { LeftOut } from './left-out.ts'
import type { MachineRates } from './machine-rates.ts'
import { inOwnProcess } from './own-process.ts'
import { recordedTorch } from './recorded-torch.ts'
import { stepFloor } from './step-floor.ts'
import type { StepChoice, StepKind } from './step-graphs.ts'
import { median, type StepTask, type StepTiming } from './step-timing.ts'
import { checkTorch, type TorchTiming, timeTorchSteps } from './torch-step.ts'

/** The training step beside PyTorch's: time and memory. */

export const stepNets = ['lednet', 'erfnet', 'esnet', 'hourglass'] as const
const kinds: readonly StepKind[] = ['step', 'detector']

export interface StepFiguresOptions {
  /** Backbones (default: `stepNets`). */
  readonly nets?: readonly string[]
  /** The whole step, the detector's alone, or both (default). */
  readonly kinds?: readonly StepKind[]
  /** Of both sides (default: one for each core). */
  readonly threads?: number
  /** A Python that has PyTorch; without one, what was recorded stands beside our figures. */
  readonly python?: string
  /** Timed steps of each process (default 10). */
  readonly rounds?: number
  /** Processes of each side, in turn (default: 2 with PyTorch beside it, else 1). */
  readonly turns?: number
  /** Untimed steps of each process (default: as many, at most 5). */
  readonly warmUp?: number
  readonly signal?: AbortSignal
  onLeftOut?(one: LeftOut): void
  /** After each process; `next` is the one that comes. */
  onProgress?(done: number, total: number): void
}

/** A task's timings, one of each turn. */
interface Turns {
  readonly ours: readonly StepTiming[]
  readonly torch: readonly TorchTiming[]
}

/**
 * Times the training step of each backbone in processes of its own, PyTorch's in turn with it.
 *
 * @throws EnvironmentError where a process of ours fails. The signal's reason, if it is aborted.
 */
export async function stepFigures(options: StepFiguresOptions = {}): Promise<Figure[]> {
  const { nets = stepNets, threads = availableParallelism(), signal } = options
  const python = await usablePython(options)
  const { rounds = 10, turns = python === undefined ? 1 : 2, warmUp = Math.min(5, rounds) } = options
  const tasks = nets.flatMap((net) =>
    (options.kinds ?? kinds).map((what): StepTask => ({ net, what, threads, warmUp, steps: rounds })),
  )
  const sides = python === undefined ? 1 : 2
  const total = 1 + tasks.length * turns * sides
  let done = 0
  const advance = () => options.onProgress?.(++done, total)

  const rates = await inOwnProcess('measureRates', { threads }, signal)
  advance()
  const figures: Figure[] = []
  for (const task of tasks) {
    const [ours, torch]: [StepTiming[], TorchTiming[]] = [[], []]
    for (let turn = 0; turn < turns; turn++) {
      ours.push(await inOwnProcess('timeSteps', task, signal))
      advance()
      if (python === undefined) continue
      torch.push(await timeTorchSteps(python, task, signal))
      advance()
    }
    figures.push(...figuresOf(task, { ours, torch }, rates))
  }
  return figures
}

/** The Python to use. One that cannot be used is left out, and said to be. */
async function usablePython({ python, signal, onLeftOut }: StepFiguresOptions): Promise<string | undefined> {
  const name = 'step: PyTorch beside it'
  if (python === undefined) {
    onLeftOut?.({ name, why: 'no Python with PyTorch was named (--python)' })
    return undefined
  }
  try {
    await checkTorch(python, signal)
    return python
  } catch (error) {
    signal?.throwIfAborted()
    onLeftOut?.({ name, why: error instanceof Error ? error.message : String(error) })
    return undefined
  }
}

function figuresOf(task: StepTask, { ours, torch }: Turns, rates: MachineRates): Figure[] {
  const name = task.what === 'step' ? `step.${task.net}` : `step.${task.net}.detector`
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

function described({ what, threads, steps, warmUp }: StepTask, turns: number): string {
  const of = what === 'step' ? 'whole training step' : 'training step of the detector alone'
  return `${of}, batch 8, 64x64, float32, ${threads} thread${threads === 1 ? '' : 's'}; ${turns} process${
    turns === 1 ? '' : 'es'
  } of ${steps} steps after ${warmUp + 1} untimed ones, the median`
}

/** A figure's peer, and the ratio where both were measured on one machine. */
interface Beside {
  readonly peer: NonNullable<Figure['peer']>
  readonly ratio: number | undefined
}
type Pair = Readonly<Record<'time' | 'memory', Beside>>

/** Of times, the median of the turns' ratios: both sides of one saw the machine in one state. */
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

/** What was recorded is shown, and no ratio is made of it: the name of a processor does not say how fast it is. */
function recordedPeer({ net, what }: StepChoice): Pair | undefined {
  const { cpu, version, date, threads, steps } = recordedTorch
  const recorded = steps[net]?.[what]
  if (recorded === undefined) return undefined
  const source = `recorded ${date} on ${cpu}, ${threads} threads: bench/results/step.csv`
  const beside = (measure: 'time' | 'memory'): Beside => ({
    peer: { name: `PyTorch ${version}, the same step`, value: recorded[measure], source },
    ratio: undefined,
  })
  return { time: beside('time'), memory: beside('memory') }
}
