import { scalar, type Tensor, tensor } from '../graph/tensor.ts'
import { createSession } from '../runtime/node.ts'
import type { Session } from '../runtime/session.ts'
import { adamInputs, adamScalars } from '../train/adam.ts'
import { initialState } from '../train/state.ts'
import type { TrainingState } from '../train/step-runner.ts'
import { type StateName, stateOutputs } from '../train/step-state.ts'
import { Random } from '../util/random.ts'
import { type BenchStep, makeStep, type StepChoice } from './step-graphs.ts'

const stateNames = Object.keys(stateOutputs) as StateName[]

/** A session on a step with the state that it works on, which each step writes anew beside the old one. */
export class Stepper {
  /** After the last step. */
  state: TrainingState
  /** What the next step writes to. */
  spare: TrainingState
  /** Steps that were taken. */
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

  /** What a step from `state` gives, written to `into`. @returns the losses */
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
