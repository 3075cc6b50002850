import { z } from 'zod'
import { InputError } from '../util/errors.ts'
import { schemaOf } from '../util/option-schema.ts'
import type { OptionValues } from '../util/options.ts'
import { type Design, designSchema, parseDesign } from '../zoo/design.ts'
import { ficelleDesign } from '../zoo/ficelle.ts'
import { publishedHourglass, smallHourglass } from '../zoo/hourglass.ts'
import { findNet, type NetName, netNames } from '../zoo/registry.ts'
import { detectorOptions, modelOptions } from './options.ts'

/** What a motion model is made of: the part of a run's config.json that decides its weights' shapes. */

// The upper limits are far above what anybody trains: a few bytes must not ask for the work of years.
const pixels = z.int().positive().max(4096)
const width = z.int().positive().max(8192)
const depth = z.int().max(64)
const kernelSide = z
  .int()
  .max(63)
  .refine((n) => n > 0 && n % 2 === 1, 'an odd number above 0')
/** Pictures are scaled down by whole numbers. */
const scaleFactor = z
  .number()
  .min(1 / 64)
  .max(1)
  .refine((s) => Number.isInteger(Math.round(1e6 / s) / 1e6), '1 over a whole number')

const hourglassSize = {
  /** Channels of the first scale; each scale doubles them. */
  blockExpansion: width,
  /** The most channels of a scale. */
  maxFeatures: width,
  /** Number of scales. */
  blocks: depth.positive(),
}

/** Runs of before version 0.2 say true for all and false for none. */
const skip = z.preprocess(
  (value) => (typeof value === 'boolean' ? (value ? 'all' : 'none') : value),
  schemaOf(detectorOptions.skip),
)

export const headSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    /** FOMM's head, on a map of the size of the picture. */
    kind: z.literal('fomm'),
    /** How the encoder's map of 1/4 joins. */
    skip: skip.default('none'),
  }),
  z.strictObject({
    /** A light head, on a map of `stride`. */
    kind: z.literal('light'),
    /** Channels of the map that the head reads. */
    channels: width,
    /** Stride of the heatmaps. */
    stride: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8)]),
    /** How the encoder's map of 1/4 joins. */
    skip,
  }),
])

const motionConfigObject = z.strictObject({
  /** The detector's backbone: a name of the zoo. */
  net: z.enum(netNames),
  /** Side of the square frames that the model is made for, in pixels. */
  size: pixels,
  /** K, the number of keypoints. */
  keypoints: z.int().positive().max(1000),
  /** Whether local affine maps are estimated beside points. */
  jacobian: z.boolean(),
  /** How sampling coordinates are read; false for published weights. */
  alignCorners: z.boolean(),
  /** The keypoint detector. */
  detector: z.strictObject({
    /** Of the softmax over each heatmap. */
    temperature: z.number().positive(),
    /** Scale at which the detector sees frames. */
    scaleFactor,
    /** What scales pictures down: FOMM's Gaussian, or the mean of squares. */
    filter: z.enum(['gaussian', 'box']).default('gaussian'),
    /** The head, which makes heatmaps and jacobians of the backbone's features. */
    head: headSchema,
    /** What becomes of dilations that are larger than the map. */
    dilations: schemaOf(detectorOptions.dilations).default('published'),
    /** Widths of the hourglass, where that is the backbone. */
    hourglass: z.strictObject(hourglassSize),
    /** What ficelle is made of, where that is the backbone. */
    design: designSchema.optional(),
  }),
  /** The dense-motion network. */
  denseMotion: z.strictObject({
    ...hourglassSize,
    /** Scale at which the network sees the source. */
    scaleFactor,
    /** Variance of the Gaussians that stand for keypoints, in units of [-1, 1]. */
    kpVariance: z.number().positive(),
    /** Side of the last kernels. */
    kernel: kernelSide,
    /** Whether an occlusion map is estimated. */
    occlusion: z.boolean(),
  }),
  /** The generator. */
  generator: z.strictObject({
    /** Whose encoder and decoder: those published, or light ones. */
    kind: z.enum(['fomm', 'light']).default('fomm'),
    /** Channels of the first scale; each halving doubles them. */
    blockExpansion: width,
    /** The most channels of a scale. */
    maxFeatures: width,
    /** Number of halvings. */
    downBlocks: depth.nonnegative(),
    /** Number of residual blocks between encoder and decoder. */
    bottleneckBlocks: depth.nonnegative(),
    /** Side of the first and the last kernel. */
    kernel: kernelSide,
    /** Which scales of the encoder are passed on to the decoder, warped. */
    skips: z.enum(['none', 'coarse', 'all']),
  }),
})

export const motionConfigSchema = motionConfigObject.refine(
  ({ net, detector }) => net === 'ficelle' || detector.design === undefined,
  { path: ['detector', 'design'], error: 'only ficelle has a design' },
)

/** All that decides the networks of a motion model and the shapes of their weights: `model` in config.json. */
export type MotionConfig = z.infer<typeof motionConfigSchema>

/** The published model for VoxCeleb at 256x256 (vox-256.yaml of the reference). */
export const publishedConfig: MotionConfig = {
  net: 'hourglass',
  size: 256,
  keypoints: 10,
  jacobian: true,
  alignCorners: false,
  detector: {
    temperature: 0.1,
    scaleFactor: 0.25,
    filter: 'gaussian',
    head: { kind: 'fomm', skip: 'none' },
    dilations: 'published',
    hourglass: publishedHourglass,
  },
  denseMotion: {
    blockExpansion: 64,
    maxFeatures: 1024,
    blocks: 5,
    scaleFactor: 0.25,
    kpVariance: 0.01,
    kernel: 7,
    occlusion: true,
  },
  generator: {
    kind: 'fomm',
    blockExpansion: 64,
    maxFeatures: 512,
    downBlocks: 2,
    bottleneckBlocks: 6,
    kernel: 7,
    skips: 'none',
  },
}

/** What `smallConfig` makes. */
export interface SmallConfigOptions
  extends OptionValues<typeof detectorOptions>,
    OptionValues<typeof modelOptions> {
  /** Name of the detector's backbone. */
  readonly net: string
  /** Local affine maps beside points (default: yes). */
  readonly jacobian?: boolean
  /** What ficelle is made of, where that is the network (default: its own). */
  readonly design?: Design
}

/** Frames that are larger are shown to the light model's detector at this size. */
const lightDetectorSide = 64

/**
 * A model to train from nothing in minutes on a CPU, at 64x64.
 *
 * @throws InputError for an unknown network, or a size or design that does not fit.
 */
export function smallConfig(options: SmallConfigOptions): MotionConfig {
  const { net, jacobian = true } = options
  const { dilations = detectorOptions.dilations.default } = options
  const { size = modelOptions.size.default, keypoints = modelOptions.keypoints.default } = options
  const light = options.head !== 'fomm'
  const { skip = light ? 'all' : 'none' } = options
  const hourglass = net === 'hourglass' ? publishedHourglass : smallHourglass
  const design = designOf(options)
  const isLight = options.generator === 'light'
  const scaled = isLight && size > lightDetectorSide
  const multiple = Math.max(scaled ? lightDetectorSide : 16, findNet(net).multiple({ hourglass, design }))
  if (!Number.isInteger(size) || size < multiple || size % multiple !== 0) {
    throw new InputError({
      what: 'the size of frames does not fit the model',
      got: String(size),
      expected: `a multiple of ${multiple}`,
      remedy: `take ${Math.max(1, Math.round(size / multiple)) * multiple}`,
    })
  }
  return {
    net: findNet(net).name as NetName,
    size,
    keypoints,
    jacobian,
    alignCorners: true,
    detector: {
      // Published: 0.1. Softer heatmaps learn sooner: 0.58 of the still picture's L1 in place of 0.67 (LEDNet
      // on a talking head, 90 s of training, 0.3 to 1 alike).
      temperature: 0.5,
      scaleFactor: scaled ? lightDetectorSide / size : 1,
      filter: scaled ? 'box' : 'gaussian',
      head: light ? { kind: 'light', channels: 32, stride: 2, skip } : { kind: 'fomm', skip },
      dilations,
      hourglass,
      ...(design && { design }),
    },
    denseMotion: {
      blockExpansion: 16,
      maxFeatures: isLight ? 64 : 128,
      blocks: 3,
      scaleFactor: scaled ? 0.25 : 0.5,
      kpVariance: 0.01,
      kernel: 3,
      occlusion: true,
    },
    generator: isLight
      ? {
          kind: 'light',
          blockExpansion: 16,
          maxFeatures: 64,
          // The moved map is as large as the motion.
          downBlocks: scaled ? 2 : 1,
          bottleneckBlocks: 3,
          kernel: 3,
          skips: 'coarse',
        }
      : {
          kind: 'fomm',
          blockExpansion: 12,
          maxFeatures: 128,
          downBlocks: 3,
          bottleneckBlocks: 2,
          kernel: 3,
          skips: 'coarse',
        },
  }
}

/** Written down even where it is the network's own, which may change. */
function designOf({ net, design }: SmallConfigOptions): Design | undefined {
  if (net === 'ficelle') return design === undefined ? ficelleDesign : parseDesign(design)
  if (design === undefined) return undefined
  throw new InputError({
    what: 'the network has no design of its own to choose',
    got: net,
    expected: 'ficelle',
  })
}
