import { InputError } from '../../util/errors.ts'
import type { Random } from '../../util/random.ts'
import { blockKinds, type Decoder, type Design, type Stage, type Stem } from '../../zoo/design.ts'
import {
  decoderDepths,
  depths,
  drawDilations,
  endsOf,
  type Limits,
  resultStrides,
  skips,
  stemWidths,
  upsamplings,
  widthNear,
  within,
} from './space.ts'

/** Proposals before a search gives up: some hundreds fail where one in a hundred fits. */
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

/** Of channels, where a map is halved. */
const growths = [1, 1.5, 2, 2] as const

/** Stages that halve so many times; now and then one in between that does not. Mostly of one kind of block. */
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
