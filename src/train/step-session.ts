// Training steps on ONNX Runtime for Node: a session on the step's graph, with the state that it works on.
import { scalar, type Tensor, tensor } from '../graph/tensor.ts'
import { createSession, type SessionOptions } from '../runtime/node.ts'
import type { Session, Tensors } from '../runtime/session.ts'
import { type AdamOptions, adamInputs, adamScalars } from './adam.ts'
import { stateNames, stateOutputs, type TrainingState } from './state.ts'
import type { OpenStep, Report, StepRunner, TrainingStep } from './step.ts'

export interface StepSettings {
  readonly device: NonNullable<SessionOptions['device']>
  readonly adam: AdamOptions
  /** Within one op on the CPU (default: one for each core). */
  readonly threads?: number | undefined
}

/**
 * A session on the training step's graph, with the state that it works on. A step writes the new state beside the old
 * one. The new state counts only if all numbers of the step are finite, so that the state is good at any time.
 */
export class StepSession implements StepRunner {
  private constructor(
    private readonly session: Session,
    private readonly reports: readonly string[],
    private readonly adam: AdamOptions,
    private current: TrainingState,
    private spare: TrainingState,
  ) {}

  static async create(
    step: TrainingStep,
    { device, adam, threads }: StepSettings,
    state: TrainingState,
  ): Promise<StepSession> {
    const session = await createSession(step.graph, {
      ...{ device, weights: step.fixed, optimise: 'fuse' },
      ...(threads !== undefined && { threads }),
    })
    const spare = {
      weights: new Float32Array(state.weights.length),
      buffers: new Float32Array(state.buffers.length),
      firstMoment: new Float32Array(state.firstMoment.length),
      secondMoment: new Float32Array(state.secondMoment.length),
    }
    return new StepSession(session, step.reports, adam, state, spare)
  }

  /** The device that is really used. */
  get device(): Session['device'] {
    return this.session.device
  }

  /** The state after the last good step. The step after next overwrites it: use it at once, or copy it. */
  get state(): TrainingState {
    return this.current
  }

  async read(): Promise<TrainingState> {
    return this.current
  }

  async run(number: number, rate: number, batch: Tensors): Promise<{ report: Report; taken: boolean }> {
    const into = Object.fromEntries(
      stateNames.map((name) => [stateOutputs[name], floats1d(this.spare[name])]),
    )
    const results = await this.session.run(this.feeds(number, rate, batch), into)
    const values = results.losses!.data as Float32Array
    const report = Object.fromEntries(this.reports.map((name, i) => [name, values[i]!]))
    const taken = values.every((value) => Number.isFinite(value))
    if (taken) {
      const written = this.spare
      this.spare = this.current
      this.current = written
    }
    return { report, taken }
  }

  async close(): Promise<void> {
    await this.session.close()
  }

  private feeds(number: number, rate: number, batch: Tensors): Record<string, Tensor> {
    const scalars = adamScalars(number, rate, this.adam)
    return {
      ...Object.fromEntries(stateNames.map((name) => [name, floats1d(this.current[name])])),
      ...batch,
      [adamInputs.rate]: scalar(scalars.rate),
      [adamInputs.correction]: scalar(scalars.correction),
    }
  }
}

/** Opens step sessions on the device of a run's settings. */
export const stepsOn =
  ({ device, threads }: Pick<StepSettings, 'device' | 'threads'>): OpenStep =>
  (step, adam, state) =>
    StepSession.create(step, { device, adam, threads }, state)

const floats1d = (data: Float32Array<ArrayBuffer>): Tensor => tensor('float32', [data.length], data)
