// The options of a detector and of the model around it: one table, from which types, flags, checks and forms derive.
import type { OptionTable } from '../util/options.ts'

/**
 * How a keypoint detector is made of a network. An option that is added here has a flag in every command that makes
 * detectors, is checked on resume, and stands in the studio's form; `smallConfig` is where it takes effect.
 */
export const detectorOptions = {
  /** The head that stands on the network: pantin's own (`light`), or the one published with FOMM. */
  head: {
    kind: 'choice',
    choices: ['light', 'fomm'],
    default: 'light',
    label: 'Head',
    value: 'kind',
    help: "a detector's head: pantin's, or the published one",
    at: 'detector.head.kind',
  },
  /**
   * How maps of the encoder join on the way to the head: one, of stride 4, as a sum or through a gate; none; or, in
   * the light head, those of all its doublings as sums.
   */
  skip: {
    kind: 'choice',
    choices: ['none', 'sum', 'gated', 'all'],
    otherwise: 'all, none with --head fomm',
    label: 'Skip connections',
    value: 'how',
    help: "how the encoder's 1/4 map joins a detector's decoder; all: finer maps too",
    at: 'detector.head.skip',
  },
  /** What becomes of dilations that are larger than the map. */
  dilations: {
    kind: 'choice',
    choices: ['clipped', 'published'],
    default: 'clipped',
    label: 'Dilations',
    value: 'which',
    help: 'dilations that are larger than the map are clipped to it, or stay as published',
    at: 'detector.dilations',
  },
} as const satisfies OptionTable

/** How a motion model is made around its detector. */
export const modelOptions = {
  /** Side of the square frames in pixels. */
  size: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 4096,
    default: 64,
    offered: [64, 96, 128, 192, 256],
    label: 'Frame size',
    value: 'pixels',
    help: 'side of the square frames',
  },
  /** K, the number of keypoints; 10 is what the published model has. */
  keypoints: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 100,
    default: 10,
    label: 'Keypoints',
    value: 'n',
    help: 'number of keypoints',
  },
  /**
   * `light` is for motion in real time at 128x128 and 256x256: its generator does a quarter of the work, and its
   * detector sees frames larger than 64x64 at 64x64.
   */
  generator: {
    kind: 'choice',
    choices: ['small', 'light'],
    default: 'small',
    label: 'Generator',
    value: 'which',
    help: 'what paints the frames; light: in real time at 128 and 256 pixels',
    at: 'generator.kind',
  },
} as const satisfies OptionTable
