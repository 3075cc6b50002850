// Training steps on ONNX Runtime Web, whose state stays on the device that computes.
import { scalar, tensor } from '../../graph/tensor.ts'
import type { Tensors } from '../../runtime/session.ts'
import type { WebRuntime } from '../../runtime/web.ts'
import { createResidentSession, type ResidentSession } from '../../runtime/web-resident.ts'
import { type AdamOptions, adamInputs, adamScalars } from '../../train/adam.ts'
import { type StateName, stateNames, stateOutputs, type TrainingState } from '../../train/state.ts'
import type { OpenStep, Report, StepRunner, TrainingStep } from '../../train/step.ts'

/** Opens steps whose state stays on the device. */
export const residentSteps =
  (runtime: WebRuntime): OpenStep =>
  async (step, adam, state) => {
    const session = await createResidentSession(runtime, step.graph, {
      carried: stateOutputs,
      state: Object.fromEntries(
        stateNames.map((name) => [name, tensor('float32', [state[name].length], state[name])]),
      ),
      weights: step.fixed,
      optimise: 'fuse',
    })
    return new ResidentSteps(session, step, adam)
  }

class ResidentSteps implements StepRunner {
  constructor(
    private readonly session: ResidentSession,
    private readonly step: TrainingStep,
    private readonly adam: AdamOptions,
  ) {}

  get device() {
    return this.session.device
  }

  async run(
    number: number,
    learningRate: number,
    batch: Tensors,
  ): Promise<{ report: Report; taken: boolean }> {
    const { rate, correction } = adamScalars(number, learningRate, this.adam)
    const { losses } = await this.session.run({
      ...batch,
      [adamInputs.rate]: scalar(rate),
      [adamInputs.correction]: scalar(correction),
    })
    const values = losses!.data as Float32Array
    const report = Object.fromEntries(this.step.reports.map((name, i) => [name, values[i]!]))
    const taken = values.every((value) => Number.isFinite(value))
    if (taken) this.session.accept()
    return { report, taken }
  }

  async read(): Promise<TrainingState> {
    const state = await this.session.read()
    const vector = (name: StateName) => state[name]!.data as Float32Array<ArrayBuffer>
    return {
      weights: vector('weights'),
      buffers: vector('buffers'),
      firstMoment: vector('firstMoment'),
      secondMoment: vector('secondMoment'),
    }
  }

  close(): Promise<void> {
    return this.session.close()
  }
}
