import type { Dilations } from '../layers/scope.ts'
import { type MotionConfig, smallConfig } from '../motion/config.ts'
import type { Head, SkipChoice } from '../motion/heads.ts'
import { describeDevices } from '../runtime/node.ts'
import { createRun, openRun, type Run } from '../store/run.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import { type RunConfig, runConfigSchema, type TrainingConfig, trainingConfigSchema } from './config.ts'

/** What a run is asked for, and the run folder that comes of it. */

export interface TrainOptions extends Partial<Omit<TrainingConfig, 'clips'>> {
  /** The run folder to make, or to continue with `resume`. */
  readonly out: string
  /** Backbone of the detector, a name of the zoo (default lednet). */
  readonly net?: string
  /** Side of the square frames in pixels (default 64). */
  readonly size?: number
  /** Number of keypoints (default 10). */
  readonly keypoints?: number
  /** The detector's head (default light). */
  readonly head?: Head['kind']
  /** How maps of the encoder join on the way to the head (default: all for the light head, none for FOMM's). */
  readonly skip?: SkipChoice
  /** What becomes of dilations that are larger than the map (default clipped). */
  readonly dilations?: Dilations
  /** `light`: the model for motion in real time, see `smallConfig` (default small). */
  readonly generator?: 'small' | 'light'
  /** The whole model, in place of the options above. */
  readonly model?: MotionConfig
  /** Continue the run in `out` from its last checkpoint, by its own configuration. */
  readonly resume?: boolean
  /** Replace a run that is in `out`. */
  readonly force?: boolean
  /** Ends training early: the state is saved, and `interrupted` says so. */
  readonly signal?: AbortSignal
  onProgress?(event: TrainProgress): void
}

/** What `onProgress` is told: frames decoded, then steps. */
export type TrainProgress =
  | { readonly phase: 'decode'; readonly done: number; readonly total: number }
  | {
      readonly phase: 'train'
      readonly done: number
      /** Undefined where minutes decide. */
      readonly total: number | undefined
      /** Part of the run that is done, 0 to 1. */
      readonly progress: number
      /** Steps a second, over this sitting. */
      readonly rate: number
      readonly etaSeconds: number
      readonly loss: number
      readonly device: string
    }

/** How long a run takes where nothing is said. */
const defaultMinutes = 8

/** Options with their defaults. @throws InputError that names the option. */
export function resolveConfig(clips: readonly string[], options: TrainOptions): RunConfig {
  const { out, net = 'lednet', size, keypoints = 10, resume, force, signal, onProgress, ...others } = options
  const { model: given, head, skip, dilations, generator, ...rest } = others
  if (!Number.isInteger(keypoints) || keypoints < 1 || keypoints > 100) {
    throw new InputError({
      what: 'keypoints must be a whole number',
      got: String(keypoints),
      expected: '1 to 100',
      remedy: '10 is what the published model has',
    })
  }
  if (rest.steps !== undefined && rest.minutes !== undefined) {
    throw new InputError({ what: 'a run ends after steps or after minutes, not both', remedy: 'give one' })
  }
  const model =
    given ??
    smallConfig({
      net,
      keypoints,
      ...(size !== undefined && { size }),
      ...(head && { head }),
      ...(skip && { skip }),
      ...(dilations && { dilations }),
      ...(generator && { generator }),
    })
  const length = rest.steps === undefined && rest.minutes === undefined ? { minutes: defaultMinutes } : {}
  const parsed = trainingConfigSchema.safeParse({ ...rest, ...length, clips: [...clips] })
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new InputError({
      what: `the option ${issue!.path.join('.') || 'list'} is not usable`,
      expected: issue!.message,
    })
  }
  return { model, training: parsed.data }
}

/** Makes the run folder, or opens it to go on. @throws InputError where the folder or an option does not fit. */
export async function makeRun(
  config: RunConfig,
  { out, resume, force, ...given }: TrainOptions,
): Promise<Run<RunConfig>> {
  if (!resume) {
    const devices = await describeDevices()
    return createRun(out, { config, version, force: force ?? false, environment: { devices } })
  }
  const run = await openRun(out, runConfigSchema, { write: true })
  const conflict = firstConflict(run.config, config, given)
  if (conflict === undefined) return run
  run.close()
  throw new InputError({
    what: `the run was begun with another ${conflict.name}`,
    where: run.path,
    got: conflict.got,
    expected: conflict.expected,
    remedy: 'resume it as it was begun, or train another run',
  })
}

const partsOf = ({ detector: { head, dilations }, generator }: MotionConfig) => ({
  head: head.kind,
  skip: head.skip,
  dilations,
  generator: generator.kind === 'light' ? 'light' : 'small',
})

/** An option that was given and is not what the run was begun with. */
function firstConflict(begun: RunConfig, asked: RunConfig, given: Partial<TrainOptions>) {
  const pairs: [string, unknown, unknown][] = [
    ['clips', begun.training.clips, asked.training.clips],
    ...(['net', 'size', 'keypoints'] as const).flatMap((name): [string, unknown, unknown][] =>
      given[name] === undefined ? [] : [[name, begun.model[name], asked.model[name]]],
    ),
    ...(['head', 'skip', 'dilations', 'generator'] as const).flatMap((name): [string, unknown, unknown][] =>
      given[name] === undefined ? [] : [[name, partsOf(begun.model)[name], partsOf(asked.model)[name]]],
    ),
    ...(['steps', 'minutes', 'batch', 'seed', 'holdout', 'fit'] as const).flatMap(
      (name): [string, unknown, unknown][] =>
        given[name] === undefined ? [] : [[name, begun.training[name], asked.training[name]]],
    ),
  ]
  for (const [name, before, now] of pairs) {
    if (JSON.stringify(before) !== JSON.stringify(now)) {
      return { name, got: JSON.stringify(now), expected: JSON.stringify(before) }
    }
  }
  return undefined
}
