import type { Random } from '../../util/random.ts'
import { type BlockKind, blockKinds, type Design, designSchema, stridesOf } from '../../zoo/design.ts'

/**
 * The space that a search draws designs from: every number of a `Design` within these bounds. What pays at 64x64 on a
 * CPU is inside; what designs allow beyond that (512 channels, 16 blocks a stage) is not.
 */

/** Channels of a stem. */
export const stemWidths = [16, 32, 48, 64] as const
/** Channels are between these, in steps of `widthStep`. */
export const [leastWidth, mostWidth] = [16, 256]
export const widthStep = 16
/** Strides at which encoders end. */
const coarsestStrides = [8, 16, 32] as const
/** Strides at which decoders end. */
export const resultStrides = [2, 4, 8] as const
/** Blocks of a stage; numbers that are named twice are drawn twice as often. */
export const depths = [0, 1, 1, 1, 2, 2, 3] as const
export const mostDepth = 4
export const dilations = [1, 2, 4] as const
/** Blocks after each doubling. */
export const decoderDepths = [1, 1, 2] as const
export const upsamplings = ['nearest', 'sub-pixel'] as const
export const skips = ['sum', 'sum', 'concat', 'none'] as const

/** What designs must keep to. */
export interface Limits {
  /** Side of the picture that the network sees, in pixels. */
  readonly side: number
  /** Whether a valid design may be taken: by its multiply-adds, for instance (default: any). */
  allows?(design: Design): boolean
}

/** A design, if that is one and keeps to the limits. Its coarsest map is 2x2 or larger. */
export function within(limits: Limits, proposed: Design): Design | undefined {
  const design = designSchema.safeParse(proposed).data
  if (design === undefined || !endsOf(limits.side).includes(stridesOf(design).coarsest)) return undefined
  return (limits.allows?.(design) ?? true) ? design : undefined
}

/** Strides at which an encoder of such pictures may end. */
export const endsOf = (side: number): number[] =>
  coarsestStrides.filter((stride) => side % stride === 0 && side / stride >= 2)

/** The nearest width of the space. */
export const widthNear = (width: number): number =>
  Math.min(mostWidth, Math.max(leastWidth, widthStep * Math.round(width / widthStep)))

/** Dilations of a stage's blocks: mostly none, and none where blocks have no such choice. */
export function drawDilations(random: Random, block: BlockKind, depth: number): number[] {
  if (depth === 0 || !dilated.has(block) || random.uniform() < 0.7) return []
  return Array.from({ length: depth }, () => random.pick(dilations))
}

/** Kinds of block whose dilation can be chosen, as designs have it. */
const dilated: ReadonlySet<BlockKind> = new Set(
  blockKinds.filter(
    (block) =>
      designSchema.safeParse({
        stem: { kind: 'convolutions', widths: [leastWidth] },
        stages: [{ stride: 2, width: leastWidth, block, depth: 1, dilations: [2] }],
        decoder: { widths: [], depth: 1, upsampling: 'nearest', skips: 'none' },
      }).success,
  ),
)
