// A network as plain data: a U-shaped encoder-decoder, of which a search may choose every number. It is part of a run's
// config.json. `design-network.ts` builds it.
import { z } from 'zod'
import { InputError } from '../util/errors.ts'

/** What a stage repeats; docs/blocks has a page for each. All keep a map's shape. */
export const blockKinds = [
  'rep-vgg',
  'mobile-one',
  'partial-conv',
  'non-bottleneck-1d',
  'ss-nbt',
  'inverted-residual',
] as const
export type BlockKind = (typeof blockKinds)[number]

/** Blocks without a dilation. */
const undilated: readonly BlockKind[] = ['inverted-residual']

/** ONNX Runtime's kernels on the CPU compute sixteen channels at once, so a width in between costs the next. */
const width = z.int().positive().max(512).multipleOf(16)

const stemSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    /** 3x3 convolutions of stride 2, each with norm and ReLU. */
    kind: z.literal('convolutions'),
    /** Channels after each. */
    widths: z.array(width).min(1).max(3),
  }),
  z.strictObject({
    /** Squares of `side` x `side` pixels become channels, then one convolution of that map, with norm and ReLU. */
    kind: z.literal('space-to-depth'),
    /** Side of a square, in pixels. */
    side: z.union([z.literal(2), z.literal(4)]),
    /** Side of the convolution's kernel, in squares. */
    kernel: z.union([z.literal(1), z.literal(3)]),
    /** Channels after the stem. */
    width,
  }),
])

const stageSchema = z.strictObject({
  /** 2 halves the map first. */
  stride: z.union([z.literal(1), z.literal(2)]),
  /** Channels. Where these or the size change, the stage begins with a RepVGG block that changes them. */
  width,
  /** What the stage repeats. */
  block: z.enum(blockKinds),
  /** Number of blocks, besides that. */
  depth: z.int().min(0).max(16),
  /** Of the blocks in turn, over again where there are more blocks; none: 1 for all. */
  dilations: z.array(z.int().positive().max(32)),
})

const decoderSchema = z.strictObject({
  /** Channels at each doubling, from the coarsest map on; their number decides where the decoder ends. */
  widths: z.array(width).max(4),
  /** RepVGG blocks after each doubling. */
  depth: z.int().min(1).max(4),
  /** How a map is doubled: 1x1 and nearest neighbour, or 1x1 to four times the channels as sub-pixels. */
  upsampling: z.enum(['nearest', 'sub-pixel']),
  /** How the encoder's last map of each stride joins, where the encoder has one: as a sum, or as more channels. */
  skips: z.enum(['none', 'sum', 'concat']),
})

export const designSchema = z
  .strictObject({
    /** The first layers, which make feature maps of the picture. */
    stem: stemSchema,
    /** The stages of the encoder, in order. */
    stages: z.array(stageSchema).min(1).max(8),
    /** The decoder. */
    decoder: decoderSchema,
  })
  .superRefine((design, context) => {
    for (const { path, message } of contradictions(design)) {
      context.addIssue({ code: 'custom', path: [...path], message })
    }
  })

/** A network as plain data: an encoder-decoder of which every number can be chosen. */
export type Design = z.infer<typeof designSchema>
export type Stem = Design['stem']
export type Stage = Design['stages'][number]
export type Decoder = Design['decoder']

/** The strides at which the parts of a network end. */
export function stridesOf({ stem, stages, decoder }: Design): {
  readonly stem: number
  /** After each stage. */
  readonly stages: readonly number[]
  readonly coarsest: number
  readonly result: number
} {
  const first = stem.kind === 'convolutions' ? 2 ** stem.widths.length : stem.side
  let coarsest = first
  const after = stages.map(({ stride }) => {
    coarsest *= stride
    return coarsest
  })
  return { stem: first, stages: after, coarsest, result: coarsest / 2 ** decoder.widths.length }
}

/** Channels that each stage is given. */
export function inputWidths({ stem, stages }: Design): readonly number[] {
  const first = stem.kind === 'convolutions' ? stem.widths.at(-1)! : stem.width
  return [first, ...stages.slice(0, -1).map((stage) => stage.width)]
}

interface Contradiction {
  readonly path: readonly (string | number)[]
  readonly message: string
}

const coarsestAllowed = 32
const resultsAllowed: readonly number[] = [2, 4, 8]

/** Contradictions between parts, each of which is allowed by itself. */
function contradictions(design: Design): Contradiction[] {
  const { stages, decoder } = design
  const found: Contradiction[] = []
  const say = (path: Contradiction['path'], message: string) => found.push({ path, message })
  const given = inputWidths(design)
  stages.forEach(({ stride, width, block, depth, dilations }, i) => {
    if (stride === 1 && depth === 0 && width === given[i]) {
      say(['stages', i], 'the stage changes nothing: give it blocks, a stride of 2 or another width')
    }
    if (dilations.length > depth) {
      say(['stages', i, 'dilations'], `there are ${dilations.length} dilations for ${depth} blocks`)
    }
    if (undilated.includes(block) && dilations.some((dilation) => dilation !== 1)) {
      say(['stages', i, 'dilations'], `the block ${block} has no dilation: leave the list empty`)
    }
  })
  const strides = stridesOf(design)
  if (strides.coarsest > coarsestAllowed) {
    say(
      ['stages'],
      `the encoder ends at a stride of ${strides.coarsest}; at most ${coarsestAllowed} is allowed`,
    )
  } else if (!resultsAllowed.includes(strides.result)) {
    const from = `from ${strides.coarsest}, ${decoder.widths.length} doublings end at a stride of ${strides.result}`
    say(['decoder', 'widths'], `${from}; it must be one of ${resultsAllowed.join(', ')}`)
  }
  const joins = decoder.widths.some((_, i) => strides.coarsest / 2 ** (i + 1) >= strides.stem)
  if (decoder.skips !== 'none' && !joins) {
    say(['decoder', 'skips'], 'the decoder passes no stride of which the encoder has a map: say none')
  }
  return found
}

/**
 * Reads a design.
 *
 * @throws InputError that names the part which does not fit.
 */
export function parseDesign(value: unknown): Design {
  const parsed = designSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new InputError({
    what: `the design of the network is not usable: ${issue!.message}`,
    where: ['design', ...issue!.path].join('.'),
  })
}
