// The options of a compression: one table, from which types, flags and checks derive.
import type { OptionTable } from '../util/options.ts'

/** How the range of a value is chosen from the numbers that it had. */
export const rangeMethods = ['minmax', 'percentile', 'entropy', 'mse'] as const
/** One of `rangeMethods`. */
export type RangeMethod = (typeof rangeMethods)[number]

/** The rankings. */
export const pruneCriteria = ['taylor', 'norms'] as const satisfies readonly PruneCriterion[]
/** How channels are ranked: by how far results would move without them, or by the scales of norms. */
export type PruneCriterion = 'taylor' | 'norms'

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
  /** How far keypoints may move: the mean over keypoints and frames. */
  maxDistance: {
    kind: 'number',
    min: 0,
    default: 0.002,
    label: 'Most distance',
    value: 'd',
    help: 'most mean distance of keypoints from those of the original, in units of [-1, 1]',
  },
  /** How much worse than those of the original generated frames may be, compared with the true frames. */
  maxPsnrLoss: {
    kind: 'number',
    min: 0,
    default: 0.3,
    label: 'Most loss of PSNR',
    value: 'dB',
    help: 'most loss of PSNR of generated frames, in dB',
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
