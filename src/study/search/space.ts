// The space that a search draws designs from: every number of a `Design` is within these bounds. Designs allow more (512
// channels, 16 blocks per stage), which does not pay at 64x64 on a CPU.

import { isDeepStrictEqual } from 'node:util'
import { InputError } from '../../util/errors.ts'
import type { Random } from '../../util/random.ts'
import {
  type BlockKind,
  blockKinds,
  type Decoder,
  type Design,
  designSchema,
  type Stage,
  type Stem,
  stridesOf,
} from '../../zoo/design.ts'

/** Channels of a stem. */
const stemWidths = [16, 32, 48, 64] as const
/** Channels are between these, in steps of `widthStep`. */
const [leastWidth, mostWidth] = [16, 256]
export const widthStep = 16
/** Strides at which encoders end. */
const coarsestStrides = [8, 16, 32] as const
/** Strides at which decoders end. */
const resultStrides = [2, 4, 8] as const
/** Blocks of a stage. A number that is listed twice is drawn twice as often. */
const depths = [0, 1, 1, 1, 2, 2, 3] as const
export const mostDepth = 4
const dilations = [1, 2, 4] as const
/** Blocks after each doubling. */
const decoderDepths = [1, 1, 2] as const
export const upsamplings = ['nearest', 'sub-pixel'] as const
export const skips = ['sum', 'sum', 'concat', 'none'] as const

/** The limits of designs. */
export interface Limits {
  /** Side of the picture that the network sees, in pixels. */
  readonly side: number
  /** Whether a valid design is allowed: by its multiply-adds, for instance (default: any is). */
  allows?(design: Design): boolean
}

/** The design, if it is valid and keeps to the limits. Its coarsest map is 2x2 or larger. */
function within(limits: Limits, proposed: Design): Design | undefined {
  const design = designSchema.safeParse(proposed).data
  if (design === undefined || !endsOf(limits.side).includes(stridesOf(design).coarsest)) return undefined
  return (limits.allows?.(design) ?? true) ? design : undefined
}

/** Strides at which an encoder of such pictures may end. */
const endsOf = (side: number): number[] =>
  coarsestStrides.filter((stride) => side % stride === 0 && side / stride >= 2)

/** The nearest width of the space. */
export const widthNear = (width: number): number =>
  Math.min(mostWidth, Math.max(leastWidth, widthStep * Math.round(width / widthStep)))

/** Dilations of a stage's blocks: mostly none, and none if its blocks have no dilation to choose. */
export function drawDilations(random: Random, block: BlockKind, depth: number): number[] {
  if (depth === 0 || !dilated.has(block) || random.uniform() < 0.7) return []
  return Array.from({ length: depth }, () => random.pick(dilations))
}

/** Kinds of block whose dilation can be chosen: those for which a design with dilations is valid. */
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

/** Number of proposals before a search gives up. Some hundreds fail if one in a hundred fits. */
const mostProposals = 1000

/**
 * Draws a design. Widths grow with strides and shrink again in the decoder, as in networks that people design.
 *
 * @throws InputError where none is found within the limits.
 */
export function drawDesign(random: Random, limits: Limits): Design {
  return firstWithin(limits, () => propose(random, limits.side))
}

/** The first proposal that keeps to the limits. @throws InputError where there is none among many. */
export function firstWithin(limits: Limits, propose: () => Design | undefined): Design {
  for (let i = 0; i < mostProposals; i++) {
    const proposed = propose()
    const design = proposed && within(limits, proposed)
    if (design !== undefined) return design
  }
  throw new InputError({
    what: 'no design of the space keeps to the limits',
    got: `none among ${mostProposals} proposals`,
    remedy: 'allow more multiply-adds',
  })
}

function propose(random: Random, side: number): Design {
  const stem = drawStem(random)
  const [first, width] =
    stem.kind === 'convolutions'
      ? [2 ** stem.widths.length, stem.widths.at(-1)!]
      : ([stem.side, stem.width] as const)
  const coarsest = random.pick(endsOf(side))
  const stages = drawStages(random, width, Math.log2(coarsest / first))
  const result = random.pick(resultStrides.filter((stride) => stride <= coarsest))
  return { stem, stages, decoder: drawDecoder(random, stages.at(-1)?.width ?? width, coarsest / result) }
}

export function drawStem(random: Random): Stem {
  const width = random.pick(stemWidths)
  if (random.uniform() < 0.4) {
    return { kind: 'space-to-depth', side: random.pick([2, 4]), kernel: random.pick([1, 3]), width }
  }
  const widths = random.uniform() < 0.5 ? [width] : [width, widthNear(width * random.pick(growths))]
  return { kind: 'convolutions', widths }
}

/** Growth of channels when a map is halved. */
const growths = [1, 1.5, 2, 2] as const

/** Stages with this number of halvings; sometimes one in between that does not halve. Most have one kind of block. */
function drawStages(random: Random, given: number, halvings: number): Stage[] {
  const usual = random.pick(blockKinds)
  const stages: Stage[] = []
  let width = given
  const add = (stride: Stage['stride'], growth: number) => {
    width = widthNear(width * growth)
    const block = random.uniform() < 0.75 ? usual : random.pick(blockKinds)
    const depth = random.pick(depths)
    stages.push({ stride, width, block, depth, dilations: drawDilations(random, block, depth) })
  }
  for (let i = 0; i < halvings; i++) {
    add(2, random.pick(growths))
    if (random.uniform() < 0.15) add(1, random.pick([1, 1, 1.5]))
  }
  return stages
}

/** @param factor of the result's side over the coarsest map's: a power of 2 */
function drawDecoder(random: Random, given: number, factor: number): Decoder {
  let width = given
  const widths = Array.from({ length: Math.log2(factor) }, () => {
    width = widthNear(width * random.pick([0.5, 0.5, 0.75, 1]))
    return width
  })
  return {
    widths,
    depth: random.pick(decoderDepths),
    upsampling: random.pick(upsamplings),
    skips: random.pick(skips),
  }
}

/**
 * A design that differs from the given one in one place, and sometimes in two.
 *
 * @throws InputError where no such change keeps to the limits.
 */
export function mutateDesign(random: Random, design: Design, limits: Limits): Design {
  return firstWithin(limits, () => {
    const once = changed(random, design)
    const proposed = random.uniform() < 0.3 ? changed(random, once) : once
    return isDeepStrictEqual(proposed, design) ? undefined : proposed
  })
}

/** One change. If its proposal is not valid, another change is drawn. */
type Change = (random: Random, design: Design) => Design

const changed: Change = (random, design) => random.pick(changes)(random, design)

const stem: Change = (random, design) => ({ ...design, stem: drawStem(random) })

const stemWidth: Change = (random, design) => {
  const { stem } = design
  return {
    ...design,
    stem:
      stem.kind === 'convolutions'
        ? { ...stem, widths: withOne(random, stem.widths, (width) => stepped(random, width)) }
        : { ...stem, width: stepped(random, stem.width) },
  }
}

const stageWidth: Change = (random, design) =>
  withStage(random, design, (stage) => ({ ...stage, width: stepped(random, stage.width) }))

const block: Change = (random, design) =>
  withStage(random, design, (stage) => {
    const kind = random.pick(blockKinds)
    return { ...stage, block: kind, dilations: drawDilations(random, kind, stage.depth) }
  })

const dilation: Change = (random, design) =>
  withStage(random, design, (stage) => ({
    ...stage,
    dilations: drawDilations(random, stage.block, stage.depth),
  }))

const depth: Change = (random, design) =>
  withStage(random, design, (stage) => {
    const blocks = Math.min(mostDepth, Math.max(0, stage.depth + random.pick([-1, 1])))
    return { ...stage, depth: blocks, dilations: stage.dilations.slice(0, blocks) }
  })

/** One more stage, which keeps the size. `stageLess` removes such a stage. */
const stageMore: Change = (random, design) => {
  const at = random.integer(design.stages.length)
  const { width, block } = design.stages[at]!
  const stage: Stage = { stride: 1, width: stepped(random, width), block, depth: 1, dilations: [] }
  return { ...design, stages: design.stages.toSpliced(at + 1, 0, stage) }
}

const stageLess: Change = (random, design) => {
  const kept = design.stages.flatMap(({ stride }, i) => (stride === 1 ? [i] : []))
  return kept.length === 0 ? design : { ...design, stages: design.stages.toSpliced(random.pick(kept), 1) }
}

/** The encoder ends one halving later, or earlier; the result's size stays. */
const deeper: Change = (random, { stages, decoder, ...rest }) => {
  const last = stages.at(-1)!
  return {
    ...rest,
    stages: [...stages, { ...last, stride: 2, width: stepped(random, last.width) }],
    decoder: { ...decoder, widths: [last.width, ...decoder.widths] },
  }
}

const shallower: Change = (_, { stages, decoder, ...rest }) => {
  const last = stages.findLastIndex(({ stride }) => stride === 2)
  return {
    ...rest,
    stages: stages.slice(0, last < 0 ? stages.length : last),
    decoder: { ...decoder, widths: decoder.widths.slice(1) },
  }
}

/** The result is twice as large, or half. */
const finer: Change = (random, design) => {
  const { widths } = design.decoder
  const coarse = design.stages.at(-1)!.width
  return withDecoder(design, { widths: [...widths, stepped(random, widths.at(-1) ?? coarse)] })
}

const coarser: Change = (_, design) => withDecoder(design, { widths: design.decoder.widths.slice(0, -1) })

const decoderWidth: Change = (random, design) =>
  withDecoder(design, {
    widths: withOne(random, design.decoder.widths, (width) => stepped(random, width)),
  })

const decoderDepth: Change = (_, design) => withDecoder(design, { depth: design.decoder.depth === 1 ? 2 : 1 })

const upsampling: Change = (random, design) => withDecoder(design, { upsampling: random.pick(upsamplings) })

const skip: Change = (random, design) => withDecoder(design, { skips: random.pick(skips) })

const changes: readonly Change[] = [
  ...[stem, stemWidth, stageWidth, stageWidth, block, dilation, depth, stageMore, stageLess],
  ...[deeper, shallower, finer, coarser, decoderWidth, decoderWidth, decoderDepth, upsampling, skip],
]

/** A width one step away, or two. */
const stepped = (random: Random, width: number) => widthNear(width + widthStep * random.pick([-2, -1, 1, 2]))

/** The list with one entry, which is drawn, replaced. */
function withOne<T>(random: Random, list: readonly T[], make: (entry: T) => T): T[] {
  const at = random.integer(list.length)
  return list.map((entry, i) => (i === at ? make(entry) : entry))
}

const withStage = (random: Random, design: Design, make: (stage: Stage) => Stage): Design => ({
  ...design,
  stages: withOne(random, design.stages, make),
})

const withDecoder = (design: Design, decoder: Partial<Decoder>): Design => ({
  ...design,
  decoder: { ...design.decoder, ...decoder },
})
