// The options of training: one table for each command, from which types, flags, configurations, checks and forms derive.
import { warpDefaults } from '../evaluate/warp.ts'
import { cropForm, cropPattern } from '../faces/box.ts'
import { fitModes } from '../media/fit.ts'
import { detectorOptions, modelOptions } from '../motion/options.ts'
import type { OptionTable } from '../util/options.ts'

/** How long a run takes if neither steps nor minutes are given. */
export const defaultMinutes = 8

/** What every way of training is told, and its run records. */
export const settingsOptions = {
  /** How frames become square. */
  fit: {
    kind: 'choice',
    choices: fitModes,
    default: 'crop',
    label: 'Fit',
    value: 'how',
    help: 'how frames become square',
  },
  /** Which square of the frames is kept, if they are cropped. A new run records it; an older run has `motion`. */
  crop: {
    kind: 'text',
    pattern: { matches: cropPattern, expected: cropForm },
    label: 'Crop',
    value: 'square',
    otherwise: 'auto, a face if there is one, or motion',
    help: 'square to keep: face, motion, middle, or X,Y,W,H in pixels',
  },
  /** Which of several faces the square is around. */
  face: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 16,
    label: 'Face',
    value: 'n',
    otherwise: '1, the largest',
    help: 'number of the face, if there are several',
  },
  /** Part of each clip, at its end, that is not trained on. */
  holdout: {
    kind: 'number',
    min: 0,
    below: 1,
    example: 0.2,
    default: 0.2,
    label: 'Held out at the end of each clip',
    value: 'part',
    help: 'end of each video to leave out of training',
  },
  /** Frame pairs, or a student's frames, in one step. */
  batch: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 256,
    default: 8,
    label: 'Batch',
    value: 'n',
    help: 'frames per step',
  },
  /** Of all that is random. With `steps`, the same seed gives the same weights on the CPU. */
  seed: {
    kind: 'number',
    whole: true,
    min: 0,
    default: 42,
    label: 'Seed',
    value: 'n',
    help: 'with --steps, the same seed gives the same weights on the CPU',
  },
  /** What to compute on. */
  device: {
    kind: 'choice',
    choices: ['auto', 'cpu', 'webgpu', 'cuda'],
    default: 'auto',
    label: 'Device',
    value: 'name',
    otherwise: 'auto, a GPU where one works',
    help: 'what to compute on',
  },
  /** Within one op on the CPU. Another number rounds otherwise. */
  threads: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 1024,
    label: 'Threads',
    value: 'n',
    otherwise: 'one for each core',
    help: 'threads of the CPU, within one op',
  },
  /**
   * Parts of every batch, each with a copy of the network. Another number gives other weights: each replica normalises by
   * the statistics of its part.
   */
  replicas: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 64,
    or: ['auto'],
    label: 'Replicas',
    value: 'n',
    otherwise: 'one for each core, if each has two pairs or more; 1 beside --threads',
    help: 'equal parts of a batch that are computed at the same time; auto measures which number is fastest here',
  },
  /** The run ends after this number of steps. Either this or `minutes` is given. */
  steps: {
    kind: 'number',
    whole: true,
    min: 1,
    label: 'Steps',
    value: 'n',
    help: 'train for this number of steps',
    conflicts: 'minutes',
  },
  /** The run ends when steps have taken this long. */
  minutes: {
    kind: 'number',
    above: 0,
    label: 'Minutes',
    value: 'm',
    otherwise: `${defaultMinutes}, if --steps is not given`,
    help: 'train until the steps have taken this many minutes',
  },
  /** Folder of a model or network whose weights training begins with, where they fit. */
  init: {
    kind: 'text',
    label: 'Starting weights',
    value: 'folder',
    help: "begin with this model's or network's weights, where they fit",
  },
  /** Of Adam, at its peak. */
  learningRate: {
    kind: 'number',
    above: 0,
    default: 2e-3,
    label: 'Learning rate',
    help: 'largest learning rate of the run',
    shown: false,
  },
  /** Steps between lines of metrics.jsonl. */
  logEvery: {
    kind: 'number',
    whole: true,
    min: 1,
    default: 10,
    label: 'Steps per line of metrics',
    help: 'steps between lines of metrics.jsonl',
    shown: false,
  },
  /** Seconds between checkpoints. */
  checkpointSeconds: {
    kind: 'number',
    above: 0,
    default: 20,
    label: 'Seconds per checkpoint',
    help: 'seconds between checkpoints',
    shown: false,
  },
  /** Seconds between previews. */
  previewSeconds: {
    kind: 'number',
    above: 0,
    default: 60,
    label: 'Seconds per preview',
    help: 'seconds between previews',
    shown: false,
  },
} as const satisfies OptionTable

/** What `train` is told besides. */
export const reconstructionOptions = {
  /** Scales of the reconstruction pyramid, each half of the one before. */
  scales: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 6,
    default: 4,
    label: 'Scales',
    help: 'scales of the reconstruction loss, each half of the one before',
    shown: false,
  },
  /** ONNX file of a network whose outputs are compared, scale by scale: a perceptual loss. */
  perceptual: {
    kind: 'text',
    label: 'Perceptual network',
    value: 'file.onnx',
    help: 'compare pictures by the features of this network too',
  },
  /** Sizes at which pictures are painted before they have their own, each with its part of the run. */
  grow: {
    kind: 'text',
    pattern: {
      matches: /^(none|[1-9]\d{0,3}(:0?\.\d{1,4})?(,[1-9]\d{0,3}(:0?\.\d{1,4})?){0,5})$/,
      expected: 'sizes in pixels, such as 64,128, or with parts of the run, 64:0.4,128:0.3, or none',
    },
    label: 'First sizes',
    value: 'sizes',
    otherwise:
      'none; with the light generator a quarter and half of the size, from 64; half, for 0.6 of the run, where one of 256 pixels or more is trained further',
    help: 'paint smaller pictures first, such as 64,128; each size has an equal part of the run, or its own: 64:0.4,128:0.3',
  },
  /** Side of the random square of each picture that is painted and compared, in pixels, once pictures have their own size. */
  patch: {
    kind: 'number',
    whole: true,
    min: 1,
    max: 4096,
    label: 'Patch',
    value: 'pixels',
    help: 'paint and compare a random square of this side only, once pictures have their full size',
  },
  /** Part of the run, at its end, in which detector and dense motion stay as they are. */
  rest: {
    kind: 'number',
    min: 0,
    below: 1,
    label: 'Rest of motion',
    value: 'part',
    otherwise: '0; 0.4 where a light model of 256 pixels or more is trained further',
    help: 'part of the run, at its end, in which keypoints and dense motion stay as they are',
  },
  /** What the first keypoints are tied to, on synthetic clips: landmarks of faces, or joints of puppets. */
  tie: {
    kind: 'choice',
    choices: ['none', 'face', 'head', 'gaze', 'joints'],
    default: 'none',
    label: 'Tied keypoints',
    value: 'what',
    help: 'tie the first keypoints to landmarks of heads, or to joints of puppets',
  },
} as const satisfies OptionTable

/** How pairs of frames are changed before `train` sees them. */
export const augmentOptions = {
  /** Show half of the pairs mirrored. */
  mirror: {
    kind: 'switch',
    label: 'Mirror half of the pairs',
    help: 'show half of the pairs mirrored',
  },
  /** Largest change of brightness, contrast and saturation, each as a part of 1. */
  colour: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0,
    label: 'Change of colours',
    value: 'part',
    help: 'change brightness, contrast and saturation of pairs by up to this part, such as 0.3',
  },
  /** Largest change of the colour of light and of hues, as a part of 1; some pairs have no colours at all. */
  tint: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0,
    label: 'Change of the light',
    value: 'part',
    help: 'change hues and the colour of the light of pairs by up to this part, such as 0.4; some pairs become grey',
  },
  /** How much each picture of synthetic clips is changed as cameras, light and faces differ, as a part of 1. */
  vary: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0,
    label: 'Change of pictures',
    value: 'part',
    help: 'change each synthetic picture as cameras, light and faces differ, up to 1, for losses on keypoints alone',
  },
} as const satisfies OptionTable

/** What `distil` is told besides, and its run records. */
export const distillationOptions = {
  /** What is trained: the detector alone, or the whole model with its own generator. */
  what: {
    kind: 'choice',
    choices: ['detector', 'model'],
    default: 'detector',
    label: 'What is distilled',
    value: 'what',
    help: 'what learns from the teacher: the detector, or the whole model, which paints by a light generator of its own',
  },
  /** Heatmaps are compared as if their softmax had this many times its temperature; above 1 softens. */
  soften: {
    kind: 'number',
    above: 0,
    default: 1,
    label: 'Softening of heatmaps',
    value: 'factor',
    help: 'compare heatmaps at this many times their temperature',
  },
  /** Warped and recoloured copies, for each frame or pair that is trained on, that the teacher labels too. */
  variants: {
    kind: 'number',
    whole: true,
    min: 0,
    max: 1000,
    default: 3,
    label: 'Copies of each frame',
    value: 'n',
    help: 'warped and recoloured copies of each frame to learn from too',
  },
  /** Largest change of brightness, contrast and saturation in these copies, each as a part of 1. */
  colour: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0.3,
    label: 'Change of colours',
    value: 'part',
    help: 'change brightness, contrast and saturation of copies by up to this part',
  },
  /** Part of the copies that are blended with another one. */
  mix: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0,
    label: 'Blended copies',
    value: 'part',
    help: 'blend this part of the copies with copies of other frames',
  },
} as const satisfies OptionTable

/** How far `distil` warps copies: the deviation of the entries of an affine map. */
export const warpOptions = {
  warp: {
    kind: 'number',
    above: 0,
    default: warpDefaults.sigmaAffine,
    label: 'Warp of copies',
    value: 'amount',
    help: 'how far copies are warped: deviation of the entries of an affine map',
    at: 'transform.sigmaAffine',
  },
} as const satisfies OptionTable

const { device: _device, threads: _threads, replicas: _replicas, init: _init, ...settings } = settingsOptions

const pageTable = {
  ...modelOptions,
  ...detectorOptions,
  ...settings,
  /** The square of frames that is kept. Looking for a face takes pantin's assets. */
  crop: { ...settings.crop, otherwise: 'motion' },
  /** Frame pairs of one step. */
  batch: { ...settings.batch, label: 'Frame pairs per step' },
  /** Steps of the whole run. */
  steps: { ...settings.steps, label: 'Steps (0: minutes decide)' },
  /** Minutes of steps of the whole run. */
  minutes: { ...settings.minutes, default: defaultMinutes },
  /** Seconds between checkpoints. */
  checkpointSeconds: { ...settings.checkpointSeconds, default: 10 },
  /** Seconds between previews. */
  previewSeconds: { ...settings.previewSeconds, default: 20 },
} as const satisfies OptionTable

/**
 * The options of a training in a page: plain data, from which a page can make a form. They are Node's, and have its
 * defaults, except that runs are saved and shown more often, and that frames are cropped to
 * what moves. The device belongs to the place.
 */
export const pageOptions: typeof pageTable = pageTable

/** Options that decide the model, and what it begins with. */
const ofModel: ReadonlySet<string> = new Set([
  ...Object.keys({ ...detectorOptions, ...modelOptions }),
  ...['net', 'design', 'netOptions', 'model', 'init'],
])

/** Whether an option of training decides the model, so that it cannot be given together with `from`. */
export const isModelOption = (name: string): boolean => ofModel.has(name)
