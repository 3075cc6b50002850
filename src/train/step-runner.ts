import type { Device, Tensors } from '../runtime/session.ts'
import type { AdamOptions } from './adam.ts'
import type { StateName, TrainingStep } from './step-state.ts'

/** The four vectors that a step takes and gives. */
export type TrainingState = Readonly<Record<StateName, Float32Array<ArrayBuffer>>>

/** What a step reports, by the names of its `reports`. */
export type Report = Readonly<Record<string, number>>

/** What takes training steps, wherever it computes, with the state that it works on. */
export interface StepRunner {
  /** The device that is really used. */
  readonly device: Device
  /**
   * Computes step `number` (from 1). Only a step whose numbers are finite is taken over, so the state is good at
   * any time.
   *
   * @param batch the step's inputs besides state and Adam's scalars
   * @returns the losses, and whether the step was taken: one with a number that is not finite is not.
   */
  run(number: number, rate: number, batch: Tensors): Promise<{ report: Report; taken: boolean }>
  /** The state after the last good step. Later steps may write over it: use it before the next, or copy. */
  read(): Promise<TrainingState>
  close(): Promise<void>
}

/** Makes a runner of a step that begins with a state, which is the runner's to write to. */
export type OpenStep = (step: TrainingStep, adam: AdamOptions, state: TrainingState) => Promise<StepRunner>
