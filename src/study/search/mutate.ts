// Mutations: a design that differs from another in one place, or two.
import { isDeepStrictEqual } from 'node:util'
import type { Random } from '../../util/random.ts'
import { blockKinds, type Decoder, type Design, type Stage } from '../../zoo/design.ts'
import {
  drawDilations,
  drawStem,
  firstWithin,
  type Limits,
  mostDepth,
  skips,
  upsamplings,
  widthNear,
  widthStep,
} from './space.ts'

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
