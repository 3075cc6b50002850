// A training step that runs on its own state, its times, and the peak memory of the process.

import { readFileSync } from 'node:fs'
import { scalar, type Tensor, tensor } from '../../src/graph/tensor.ts'
import { createSession } from '../../src/runtime/node.ts'
import type { Session } from '../../src/runtime/session.ts'
import { adamInputs, adamScalars } from '../../src/train/adam.ts'
import { settingsOptions } from '../../src/train/options.ts'
import { ReplicaSteps } from '../../src/train/replicas.ts'
import { initialState, type StateName, stateOutputs, type TrainingState } from '../../src/train/state.ts'
import { childTask } from '../../src/util/child-process.ts'
import { EnvironmentError } from '../../src/util/errors.ts'
import { sleepBriefly } from '../../src/util/event-loop.ts'
import { Random } from '../../src/util/random.ts'
import { type BenchStep, makeStep, type StepChoice } from './step-graphs.ts'

const stateNames = Object.keys(stateOutputs) as StateName[]

/** A session on a training step, with its state. Each step writes the new state beside the old one. */
export class Stepper {
  /** After the last step. */
  state: TrainingState
  /** The memory that the next step writes to. */
  spare: TrainingState
  /** Number of steps that were taken. */
  taken = 0

  private constructor(
    readonly step: BenchStep,
    private readonly session: Session,
  ) {
    this.state = initialState(step, new Random(1))
    const still = (name: StateName) => new Float32Array(this.state[name].length)
    this.spare = {
      weights: still('weights'),
      buffers: still('buffers'),
      firstMoment: still('firstMoment'),
      secondMoment: still('secondMoment'),
    }
  }

  /** @param threads on the CPU (default: one for each core). */
  static async create(choice: StepChoice, threads?: number): Promise<Stepper> {
    const step = makeStep(choice)
    const options = { device: 'cpu' as const, weights: step.fixed, ...(threads !== undefined && { threads }) }
    return new Stepper(step, await createSession(step.graph, options))
  }

  /** Computes a step from `state` and writes the new state to `into`. @returns the losses */
  async compute(state: TrainingState, into: TrainingState): Promise<Float32Array> {
    const { learningRate, adam } = this.step.training
    const { rate, correction } = adamScalars(this.taken + 1, learningRate, adam)
    const feeds: Record<string, Tensor> = {
      ...this.step.inputs,
      ...Object.fromEntries(stateNames.map((name) => [name, vector(state[name])])),
      [adamInputs.rate]: scalar(rate),
      [adamInputs.correction]: scalar(correction),
    }
    const results = Object.fromEntries(stateNames.map((name) => [stateOutputs[name], vector(into[name])]))
    const { losses } = await this.session.run(feeds, results)
    return losses!.data as Float32Array
  }

  /** Takes a step. @returns the losses */
  async run(): Promise<Float32Array> {
    const losses = await this.compute(this.state, this.spare)
    ;[this.state, this.spare] = [this.spare, this.state]
    this.taken++
    return losses
  }

  close(): Promise<void> {
    return this.session.close()
  }
}

const vector = (data: Float32Array<ArrayBuffer>) => tensor('float32', [data.length], data)

export interface StepTask extends StepChoice {
  /** Of all replicas together, within one op. */
  readonly threads: number
  /** Equal parts of the batch that are computed at the same time. */
  readonly replicas: number
  /** Number of untimed steps, after the very first one. */
  readonly warmUp: number
  /** Number of timed steps. */
  readonly steps: number
}

/** A step's times in milliseconds, and the memory of the process that took it. */
export interface StepTiming {
  readonly median: number
  readonly min: number
  /** The very first step, which sets up memory. */
  readonly first: number
  /** Processor time divided by elapsed time. If it is well below `threads`, other programs took the processor. */
  readonly cores: number
  readonly peakMiB: number
}

/**
 * Times steps as `bench/peers/training_step.py` times PyTorch's: some steps to warm up, then each step alone.
 *
 * @throws EnvironmentError if a loss is not finite. The signal's reason, between two steps.
 */
export async function timeSteps(task: StepTask, signal?: AbortSignal): Promise<StepTiming> {
  signal?.throwIfAborted()
  const stepper = await (task.replicas > 1 ? replicated(task) : Stepper.create(task, task.threads))
  try {
    const step = async () => {
      signal?.throwIfAborted()
      const began = performance.now()
      const losses = await stepper.run()
      // As training does.
      await sleepBriefly()
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

/** The steps of a task by replicas, as `train` takes them. */
async function replicated({
  replicas,
  threads,
  ...choice
}: StepTask): Promise<Pick<Stepper, 'run' | 'close'>> {
  const batch = (choice.batch ?? settingsOptions.batch.default) / replicas
  const step = makeStep({ ...choice, batch })
  const { adam, learningRate } = step.training
  const options = { adam, replicas, threads: Math.max(1, Math.floor(threads / replicas)) }
  const runner = await ReplicaSteps.create(step, options, initialState(step, new Random(1)))
  let taken = 0
  return {
    async run() {
      const { report } = await runner.run(++taken, learningRate, Array(replicas).fill(step.inputs))
      return Float32Array.from(Object.values(report))
    },
    close: () => runner.close(),
  }
}

/** The middle value; for an even number of values, the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}

/**
 * Peak memory of this process, in MiB. On Linux the number that the system reports for a process starts with its
 * parent's, so the peak of the process's own address space is read instead.
 */
function peakMemoryMiB(): number {
  const own = process.platform === 'linux' ? addressSpacePeak() : undefined
  return own ?? process.resourceUsage().maxRSS / 1024
}

function addressSpacePeak(): number | undefined {
  try {
    const found = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
    return found === null ? undefined : Number(found[1]) / 1024
  } catch {
    return undefined
  }
}

/** `timeSteps` in a child process, whose memory is that of these steps alone. */
export const timeStepsInChild = childTask(import.meta.url, (task: StepTask, { signal }) =>
  timeSteps(task, signal),
)
