// What a motion model is made of: the part of a run's config.json that decides the shapes of its weights.
import { z } from 'zod'
import { InputError, messageOf } from '../util/errors.ts'
import { schemaOf } from '../util/option-schema.ts'
import { assertUsable, defined, type OptionValues } from '../util/options.ts'
import type { Design } from '../zoo/design.ts'
import { hourglassSchema, publishedHourglass } from '../zoo/hourglass.ts'
import { type Net, netOptionsKeys } from '../zoo/net.ts'
import { findNet, isNet, listNets, nameOfNet, pluginOf, unknownNetRemedy } from '../zoo/registry.ts'
import { detectorOptions, modelOptions } from './options.ts'

// The upper limits are far above what anybody trains: a few bytes must not ask for the work of years.
const pixels = z.int().positive().max(4096)
const width = z.int().positive().max(8192)
const depth = z.int().max(64)
/** Two keypoints, by their numbers. */
const pair = z.tuple([z.int().nonnegative(), z.int().nonnegative()])
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

/** The first runs say true for all and false for none. */
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
  /** The detector's backbone: a network of the zoo, or one that was registered. */
  net: z.string(),
  /** File that the network is from, if it is none of the zoo. It is for messages; nothing is loaded by it. */
  plugin: z.string().optional(),
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
    /** The network's own options, under the name that it has for them. */
    options: z.unknown().optional(),
    /** Widths of the hourglass. The first runs of all other networks have some too, which mean nothing. */
    hourglass: z.unknown().optional(),
    /** What ficelle is made of. */
    design: z.unknown().optional(),
    /** Of a detector that was pruned: the number of results of each convolution, by its name. */
    widths: z.record(z.string().max(1000), width).optional(),
  }),
  /** The dense-motion network. */
  denseMotion: z.strictObject({
    ...hourglassSchema.shape,
    /** Scale at which the network sees the source. */
    scaleFactor,
    /** Variance of the Gaussians that stand for keypoints, in units of [-1, 1]. */
    kpVariance: z.number().positive(),
    /** Side of the last kernels. */
    kernel: kernelSide,
    /** Whether an occlusion map is estimated. */
    occlusion: z.boolean(),
    /** Whether a motion has more say near its keypoint before anything is learned. */
    prior: z.boolean().optional(),
    /** Keypoints, from the first one, that move only what is next to them. */
    localKeypoints: z.int().nonnegative().optional(),
    /** Whether a motion prevails at its keypoint itself. */
    peaked: z.boolean().optional(),
    /** Keypoints, from the first one, that turn and stretch as their places do, and not as jacobians say. */
    fittedKeypoints: z.int().nonnegative().optional(),
    /** Pairs of keypoints, by their numbers, that are the two edges of an opening, such as the lids of an eye. */
    openings: z.array(pair).optional(),
    /** Keypoints of a mouth, by their numbers, in its middle and at its corners. */
    mouth: z
      .strictObject({
        /** Left and right on the picture. */
        corners: pair,
        /** Where the lips meet: of the upper lip, of the lower lip. */
        inner: pair,
        /** Where the lips end. */
        outer: pair,
      })
      .optional(),
    /** Keypoints of eyes, by their numbers. Irises move by themselves between the lids. */
    eyes: z
      .array(
        z.strictObject({
          /** The middle of the iris. */
          iris: z.int().nonnegative(),
          /** Left and right on the picture. */
          corners: pair,
          /** The upper lid and the lower one. */
          lids: pair,
        }),
      )
      .optional(),
    /** Whether each pixel has a motion of its own besides those of keypoints. */
    residual: z.boolean().optional(),
    /** Channels that what the network sees is mixed to first; all are seen if it is left out. */
    mixed: width.optional(),
    /** Mixtures of red, green and blue that moved pictures have instead of these three. */
    colours: z.int().min(1).max(2).optional(),
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
    /** What is shown where nothing moves: what is painted (`free`, as in runs that do not say), or the source itself. */
    atRest: z.enum(['free', 'source']).optional(),
    /** Whether the light generator's decoder sees the features of dense motion. */
    guided: z.boolean().optional(),
    /** How the source is read between its pixels. */
    sampling: z.enum(['bilinear', 'cubic']).optional(),
  }),
})

/** Checks besides that the network is known here, and that its own options are what it takes. */
export const motionConfigSchema = motionConfigObject.superRefine(
  ({ net: name, plugin, detector }, context) => {
    const complain = (path: readonly string[], message: string, remedy?: string) =>
      context.addIssue({ code: 'custom', path: [...path], message, ...(remedy && { params: { remedy } }) })
    if (!isNet(name)) {
      const from = plugin === undefined ? '' : ` (it was loaded from ${plugin})`
      complain(['net'], `the network "${name}" is not known here${from}`, unknownNetRemedy(plugin))
      return
    }
    const { options } = findNet(name)
    for (const key of netOptionsKeys) {
      const value = detector[key]
      if (value === undefined) continue
      if (options === undefined || key !== (options.key ?? 'options')) {
        if (key !== 'hourglass') complain(['detector', key], `${name} has no ${key} of its own`)
        continue
      }
      try {
        options.parse(value)
      } catch (error) {
        complain(['detector', key], messageOf(error))
      }
    }
  },
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
  /** The detector's network: its name, or a network of your own. */
  readonly net: string | Net
  /** Local affine maps beside points (default: yes). */
  readonly jacobian?: boolean
  /** The network's own options, if it has some: the design of ficelle, the widths of hourglass (default: its own). */
  readonly netOptions?: unknown
  /** The same for ficelle. */
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
  assertUsable({ ...modelOptions, ...detectorOptions }, options)
  const net = findNet(nameOfNet(options.net))
  const { jacobian = true } = options
  const { dilations = detectorOptions.dilations.default } = options
  const { size = modelOptions.size.default, keypoints = modelOptions.keypoints.default } = options
  const light = options.head !== 'fomm'
  const { skip = light ? 'all' : 'none' } = options
  const own = ownOptionsOf(net, options)
  const isLight = options.generator === 'light'
  const scaled = isLight && size > lightDetectorSide
  const multiple = Math.max(scaled ? lightDetectorSide : 16, net.multiple(own?.value))
  if (!Number.isInteger(size) || size < multiple || size % multiple !== 0) {
    throw new InputError({
      what: 'the size of frames does not fit the model',
      got: String(size),
      expected: `a multiple of ${multiple}`,
      remedy: `take ${Math.max(1, Math.round(size / multiple)) * multiple}`,
    })
  }
  return {
    net: net.name,
    ...defined({ plugin: pluginOf(net.name) }),
    size,
    keypoints,
    jacobian,
    alignCorners: true,
    detector: {
      // Published: 0.1. Softer heatmaps learn sooner: 0.58 of the still picture's L1 instead of 0.67 (LEDNet
      // on a talking head, 90 s of training, 0.3 to 1 alike).
      temperature: 0.5,
      scaleFactor: scaled ? lightDetectorSide / size : 1,
      filter: scaled ? 'box' : 'gaussian',
      head: light ? { kind: 'light', channels: 32, stride: 2, skip } : { kind: 'fomm', skip },
      dilations,
      ...(own && { [own.key]: own.value }),
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
          atRest: 'source',
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

/** A network's own options: the given ones, or its defaults. Both are written down, for defaults may change. */
function ownOptionsOf({ name, options }: Net, { design, netOptions = design }: SmallConfigOptions) {
  const given = design === undefined ? 'options' : 'design'
  if (options === undefined || (design !== undefined && options.key !== 'design')) {
    if (netOptions === undefined) return undefined
    const others = listNets().filter((other) => {
      const own = findNet(other).options
      return own !== undefined && (design === undefined || own.key === 'design')
    })
    throw new InputError({
      what: `the network has no ${given} of its own to choose`,
      got: name,
      expected: others.join(', '),
    })
  }
  const value = netOptions === undefined ? options.default : options.parse(netOptions)
  return { key: options.key ?? 'options', value }
}
