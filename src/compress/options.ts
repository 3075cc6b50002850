// The options of a compression: one table, from which types, flags and checks derive.
import type { CropOptions } from '../faces/node.ts'
import { InputError, type Problem } from '../util/errors.ts'
import { assertUsable, defined, type OptionTable, type OptionValues } from '../util/options.ts'

/** How the range of a value is chosen from the numbers that it had. */
export const rangeMethods = ['minmax', 'percentile', 'entropy', 'mse'] as const
/** One of `rangeMethods`. */
export type RangeMethod = (typeof rangeMethods)[number]

/** The rankings. */
export const pruneCriteria = ['taylor', 'norms'] as const satisfies readonly PruneCriterion[]
/** How channels are ranked: by how far results would move without them, or by the scales of norms. */
export type PruneCriterion = 'taylor' | 'norms'

/** What is kept: what makes a run smaller, what makes it faster, or either. */
export type CompressionTarget = 'size' | 'latency' | 'both'
/** The targets. */
export const compressionTargets = ['size', 'latency', 'both'] as const satisfies readonly CompressionTarget[]

/** What `compress` may do, and how far. */
export const compressOptions = {
  /** Half-precision weights are for all devices. Eight bits are for CPUs: other devices are not faster by them. */
  precision: {
    kind: 'choice',
    choices: ['fp16', 'int8'],
    otherwise: 'int8 for a CPU, otherwise fp16',
    label: 'Precision',
    value: 'kind',
    help: 'fp16: weights of half the size; int8: networks that compute in eight bits too, where that is faster',
  },
  /** Where the compressed run is to work. */
  device: {
    kind: 'choice',
    choices: ['cpu', 'wasm', 'webgpu'],
    default: 'cpu',
    label: 'Device',
    value: 'name',
    help: 'device that the run is compressed for',
  },
  /** What is kept. */
  target: {
    kind: 'choice',
    choices: compressionTargets,
    default: 'both',
    label: 'Target',
    value: 'what',
    help: 'size: keep what makes the run smaller, even if it is slower; latency: only what makes it faster; both: what makes it smaller or faster, and not slower',
  },
  /** How far keypoints may move: the mean over keypoints and frames. */
  maxDistance: {
    kind: 'number',
    min: 0,
    default: 0.002,
    label: 'Most distance',
    value: 'd',
    help: 'most mean distance that half precision and eight bits move keypoints by, in units of [-1, 1]',
  },
  /** How much worse than those of the original generated frames may be, compared with the true frames. */
  maxPsnrLoss: {
    kind: 'number',
    min: 0,
    default: 0.3,
    label: 'Most loss of PSNR',
    value: 'dB',
    help: 'most loss of PSNR of generated frames by half precision and eight bits, in dB',
  },
  /** How the range of a value is chosen. */
  calibration: {
    kind: 'choice',
    choices: rangeMethods,
    otherwise: 'the best of all',
    label: 'Calibration',
    value: 'how',
    help: 'how ranges for eight bits are chosen from what values were on the videos',
  },
  /** Part of the detector's multiply-adds that goes with its channels. */
  prune: {
    kind: 'number',
    min: 0,
    below: 1,
    example: 0.5,
    default: 0,
    label: 'Pruned part',
    value: 'part',
    help: "part of the detector's multiply-adds to remove, with whole channels",
  },
  /** Pruning costs more than rounding, so it has a limit of its own. Without one it is kept, because it was asked for. */
  maxPrunedDistance: {
    kind: 'number',
    min: 0,
    example: 0.02,
    otherwise: 'kept at any distance',
    label: 'Most distance by pruning',
    value: 'd',
    help: 'most mean distance of keypoints of the pruned detector from those of the original; if they are farther, it is left out',
  },
  /** How channels are ranked. */
  pruneBy: {
    kind: 'choice',
    choices: pruneCriteria,
    default: 'taylor',
    label: 'Ranking of channels',
    value: 'what',
    help: 'rank channels by how far keypoints would move without them (taylor), or by the scales of norms',
  },
  /** Distillation from the original, in between and afterwards. */
  pruneSteps: {
    kind: 'number',
    whole: true,
    min: 0,
    max: 1_000_000,
    default: 300,
    label: 'Steps of distillation',
    value: 'n',
    help: 'steps that a pruned detector learns from the original, on the videos',
  },
  /** Training with values and weights rounded, towards what the detector finds in float. */
  roundedSteps: {
    kind: 'number',
    whole: true,
    min: 0,
    max: 1_000_000,
    default: 0,
    label: 'Steps of rounded training',
    value: 'n',
    help: 'steps that the detector is trained with rounding, to find in eight bits what it finds in float',
  },
  /** Frames that ranges are taken from. */
  frames: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 10_000,
    default: 32,
    label: 'Frames',
    value: 'n',
    help: 'frames that ranges are taken from; as many others are measured on',
  },
  /** The end of each clip is for measuring. */
  holdout: {
    kind: 'number',
    min: 0,
    below: 1,
    default: 0.3,
    label: 'Held out',
    value: 'part',
    help: 'part of each video, at its end, that is only measured on',
  },
  /** Threads of one op. */
  threads: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 1024,
    default: 1,
    label: 'Threads',
    value: 'n',
    help: 'threads that times are measured with; with 1, other programs hardly disturb',
  },
} as const satisfies OptionTable

/** How frames are taken and eight bits are chosen. */
export interface PlanOptions extends OptionValues<typeof compressOptions>, Omit<CropOptions, 'signal'> {
  /** Stops the work, which then fails with the signal's reason. Nothing is written then. */
  readonly signal?: AbortSignal | undefined
  /** Called when something else is tried. */
  onProgress?(what: string): void
}

/**
 * The options with their defaults.
 *
 * @throws InputError for a value that is none, for an option without effect, or if the device does not compute in the precision.
 */
export function settingsOf(options: PlanOptions) {
  assertUsable(compressOptions, options)
  type Optional = 'precision' | 'calibration' | 'maxPrunedDistance'
  const of = <Name extends Exclude<keyof typeof compressOptions, Optional>>(name: Name) =>
    options[name] ?? compressOptions[name].default
  const device = (options.device ?? compressOptions.device.default) as 'cpu' | 'wasm' | 'webgpu'
  if (options.precision === 'int8' && device !== 'cpu') {
    throw new InputError({
      what: 'only CPUs compute in eight bits',
      where: 'precision',
      got: `int8 for ${device}`,
      remedy: 'leave the precision out, or compress for the device cpu',
    })
  }
  const precision = options.precision ?? (device === 'cpu' ? 'int8' : 'fp16')
  assertHasEffect({ ...options, device, precision })
  return {
    device,
    precision,
    target: of('target') as CompressionTarget,
    maxDistance: Number(of('maxDistance')),
    maxPsnrLoss: Number(of('maxPsnrLoss')),
    maxPrunedDistance: Number(options.maxPrunedDistance ?? Number.POSITIVE_INFINITY),
    frames: Number(of('frames')),
    holdout: Number(of('holdout')),
    threads: Number(of('threads')),
    roundedSteps: Number(of('roundedSteps')),
    prune: Number(of('prune')),
    pruneSteps: Number(of('pruneSteps')),
    calibration: options.calibration,
  }
}

/** Refuses options that the others leave without effect. @throws InputError that names the first of them */
function assertHasEffect({ device, precision, prune = 0, roundedSteps, ...options }: PlanOptions): void {
  // Rounded training of 0 steps is none.
  const ofEightBits = { roundedSteps: roundedSteps || undefined, calibration: options.calibration }
  const { pruneBy, pruneSteps, maxPrunedDistance } = options
  const ofPruning = { pruneBy, pruneSteps, maxPrunedDistance }
  if (precision !== 'int8') {
    const isForCpu = device === 'cpu'
    refuse(ofEightBits, {
      what: 'this option is for eight bits alone',
      expected: isForCpu ? 'the precision int8' : 'the device cpu, which alone computes in eight bits',
      got: isForCpu ? `the precision ${precision}` : `the device ${device}`,
      otherwise: isForCpu ? 'take the precision int8' : 'compress for the device cpu',
    })
  }
  if (prune > 0) return
  refuse(ofPruning, {
    what: 'this option is for pruning alone',
    ...{ expected: 'a part to prune', got: 'none', otherwise: 'give prune, such as 0.5' },
  })
}

/** @throws InputError that names the first of the options which is given */
function refuse(
  options: object,
  { otherwise, ...problem }: Omit<Problem, 'where'> & { readonly otherwise: string },
): void {
  const [where] = Object.keys(defined(options))
  if (where === undefined) return
  throw new InputError({ ...problem, where, remedy: `leave it out, or ${otherwise}` })
}

/** The options of a compression with their defaults. */
export type Settings = ReturnType<typeof settingsOf>

/** How frames are taken. */
export const frameOptions = (
  { frames, holdout }: Settings,
  { fit, crop, face, signal }: PlanOptions,
): CropOptions & Pick<Settings, 'frames' | 'holdout'> => ({
  ...defined({ fit, crop, face }),
  frames,
  holdout,
  signal,
})

/** A distance that is seen when the picture moves: 1 % of its width. */
const seenDistance = 0.02

/**
 * What of the result the user may not expect.
 *
 * @param faster what makes the run faster, besides pruning
 */
export function noticesOf(
  pruned: { readonly difference: { readonly distance: number }; readonly kept: boolean } | undefined,
  faster: readonly string[],
  { device, target, maxPrunedDistance }: Pick<Settings, 'device' | 'target' | 'maxPrunedDistance'>,
): string[] {
  const notices: string[] = []
  if (pruned !== undefined) {
    const distance = pruned.difference.distance.toPrecision(2)
    if (!pruned.kept) {
      notices.push(
        `the pruned detector is left out: its keypoints are ${distance} from those of the original, and ${maxPrunedDistance} is allowed`,
      )
    } else if (pruned.difference.distance > seenDistance) {
      notices.push(
        `keypoints of the pruned detector are ${distance} from those of the original, ${(50 * pruned.difference.distance).toFixed(1)} % of the picture's width: prune less, or let it learn for more steps`,
      )
    }
  }
  if (target === 'latency' && pruned?.kept !== true && faster.length === 0) {
    notices.push(`nothing that was tried makes the run faster on ${device}: fewer channels would (--prune)`)
  }
  return notices
}
