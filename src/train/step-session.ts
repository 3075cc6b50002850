import { floats, scalar, type Tensor, tensor } from '../graph/tensor.ts'
import { createSession, type SessionOptions } from '../runtime/node.ts'
import type { Session } from '../runtime/session.ts'
import { adamInputs, adamScalars } from './adam.ts'
import type { Batch } from './batches.ts'
import type { TrainingConfig } from './config.ts'
import { lossNames, type ReportName, type StateName, stateOutputs, type TrainingStep } from './step.ts'

/** The four vectors that a step takes and gives. */
export type TrainingState = Readonly<Record<StateName, Float32Array<ArrayBuffer>>>

/** What the loop feeds, besides the state. */
export interface StepFeeds extends Batch {
  readonly theta: Float32Array<ArrayBuffer>
  readonly spline: Float32Array<ArrayBuffer>
}

export type Report = Readonly<Record<ReportName, number>>

/**
 * A session on the training step's graph with the state it works on. A step writes the new state beside the
 * old one; only a step whose numbers are finite is taken over, so the state is good at any time.
 */
export class StepSession {
  private constructor(
    private readonly session: Session,
    private readonly config: TrainingConfig,
    private readonly size: number,
    private current: TrainingState,
    private spare: TrainingState,
  ) {}

  static async create(
    step: TrainingStep,
    config: TrainingConfig,
    size: number,
    state: TrainingState,
  ): Promise<StepSession> {
    const options: SessionOptions = {
      device: config.device,
      weights: step.fixed,
      optimise: 'fuse',
    }
    const session = await createSession(step.graph, options)
    const spare = {
      weights: new Float32Array(state.weights.length),
      buffers: new Float32Array(state.buffers.length),
      firstMoment: new Float32Array(state.firstMoment.length),
      secondMoment: new Float32Array(state.secondMoment.length),
    }
    return new StepSession(session, config, size, state, spare)
  }

  /** The device that is really used. */
  get device(): Session['device'] {
    return this.session.device
  }

  /** The state after the last good step. It is overwritten by the step after next: use it at once, or copy. */
  get state(): TrainingState {
    return this.current
  }

  /**
   * Computes step `number` (from 1).
   *
   * @returns the losses, and whether the step was taken: one with a number that is not finite is not.
   */
  async run(number: number, rate: number, feeds: StepFeeds): Promise<{ report: Report; taken: boolean }> {
    const into = Object.fromEntries(
      stateNames.map((name) => [stateOutputs[name], floats1d(this.spare[name])]),
    )
    const results = await this.session.run(this.feeds(number, rate, feeds), into)
    const values = results.losses!.data as Float32Array
    const report = Object.fromEntries(lossNames.map((name, i) => [name, values[i]!])) as Record<
      ReportName,
      number
    >
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

  private feeds(number: number, rate: number, feeds: StepFeeds): Record<string, Tensor> {
    const { batch, adam, transform, augment } = this.config
    const scalars = adamScalars(number, rate, adam)
    return {
      ...Object.fromEntries(stateNames.map((name) => [name, floats1d(this.current[name])])),
      frames: tensor('uint8', [2 * batch, this.size, this.size, 3], feeds.frames),
      ...(augment.colour > 0 && { colour: floats(feeds.colour, [batch, 3, 4]) }),
      theta: floats(feeds.theta, [batch, 2, 3]),
      spline: floats(feeds.spline, [batch, transform.points ** 2, 1]),
      [adamInputs.rate]: scalar(scalars.rate),
      [adamInputs.correction]: scalar(scalars.correction),
    }
  }
}

const stateNames = Object.keys(stateOutputs) as StateName[]

const floats1d = (data: Float32Array<ArrayBuffer>): Tensor => tensor('float32', [data.length], data)
