import type { MotionConfig } from '../motion/config.ts'
import { detectorOptions } from '../motion/options.ts'
import { InputError } from '../util/errors.ts'
import { defined, type OptionValues, recordedAll } from '../util/options.ts'
import type { Design } from '../zoo/design.ts'
import type { Settings } from './config.ts'
import type { TrainEvent } from './events.ts'

/** What every way of training is asked for. */

export interface RunOptions {
  /** The run folder to make, or to continue with `resume`. */
  readonly out: string
  /** Continue the run in `out` from its last checkpoint, by its own configuration but for device and threads. */
  readonly resume?: boolean
  /** Replace a run that is in `out`. */
  readonly force?: boolean
  /** Ends training early: the state is saved, and `interrupted` says so. */
  readonly signal?: AbortSignal
  /** Told how training goes. */
  onEvent?(event: TrainEvent): void
}

/** How the detector is made. */
export interface DetectorChoices extends OptionValues<typeof detectorOptions> {
  /** Backbone of the detector, a name of the zoo (default ficelle). */
  readonly net?: string
  /** What ficelle is made of, where that is the network (default: its own). */
  readonly design?: Design
}

/** How long a run takes where nothing is said. */
const defaultMinutes = 8

/** The length of a run. @throws InputError where it is given twice. */
export function runLength({ steps, minutes }: { steps?: number | undefined; minutes?: number | undefined }) {
  if (steps !== undefined && minutes !== undefined) {
    throw new InputError({ what: 'a run ends after steps or after minutes, not both', remedy: 'give one' })
  }
  return steps === undefined ? { minutes: minutes ?? defaultMinutes } : { steps }
}

/** What a call computes on; it may be another where it goes on with a run. */
type Computing = Partial<Pick<Settings, 'device' | 'threads'>>

/** A run's settings, with what this call computes on. */
export const settingsHere = <T extends Settings>(settings: T, { device, threads }: Computing): T => ({
  ...settings,
  ...defined({ device, threads }),
})

/** Settings that a run keeps, as options name them. */
export const settingsFacts = ({ device: _, threads: __, ...kept }: Settings) => kept

/** What makes a detector, as options name it. */
export const detectorFacts = (model: MotionConfig) => ({
  net: model.net,
  ...recordedAll(detectorOptions, model),
  design: model.detector.design,
})
