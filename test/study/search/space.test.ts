import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { detectorGraph } from '../../../src/motion/model.ts'
import { profile } from '../../../src/profile/profile.ts'
import { detectorOf } from '../../../src/study/search/plan.ts'
import { drawDesign, type Limits, mutateDesign } from '../../../src/study/search/space.ts'
import { InputError } from '../../../src/util/errors.ts'
import { Random } from '../../../src/util/random.ts'
import { blockKinds, type Design, parseDesign, stridesOf } from '../../../src/zoo/design.ts'
import { ficelleDesign } from '../../../src/zoo/ficelle.ts'

const macsOf = (design: Design, size: number) =>
  profile(detectorGraph(detectorOf({ size, keypoints: 4, jacobian: true }, design))).macs

/** A drawn design and what becomes of it in some mutations. */
function family(seed: number, limits: Limits, mutations: number): Design[] {
  const random = new Random(seed)
  const designs = [drawDesign(random, limits)]
  for (let i = 0; i < mutations; i++) designs.push(mutateDesign(random, designs.at(-1)!, limits))
  return designs
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 })

describe('the space of designs', () => {
  it('has valid designs only, whose maps keep 2x2 pixels, drawn or mutated', () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(16, 32, 48, 64), (seed, side) => {
        for (const design of family(seed, { side }, 12)) {
          expect(parseDesign(design)).toEqual(design)
          const { coarsest } = stridesOf(design)
          expect(side % coarsest).toBe(0)
          expect(side / coarsest).toBeGreaterThanOrEqual(2)
        }
      }),
      { numRuns: 60, seed: 1 },
    )
  })

  it('is built as detectors that keep to a limit of multiply-adds', () => {
    const most = 12e6
    const limits = { side: 32, allows: (design: Design) => macsOf(design, 32) <= most }
    let above = 0
    fc.assert(
      fc.property(seeds, (seed) => {
        for (const design of family(seed, limits, 2)) expect(macsOf(design, 32)).toBeLessThanOrEqual(most)
        if (macsOf(drawDesign(new Random(seed), { side: 32 }), 32) > most) above++
      }),
      { numRuns: 15, seed: 1 },
    )
    // Without the limit some are above it.
    expect(above).toBeGreaterThan(0)
  })

  it('is the same for the same seed, and another for another', () => {
    expect(family(5, { side: 64 }, 10)).toEqual(family(5, { side: 64 }, 10))
    expect(family(5, { side: 64 }, 10)).not.toEqual(family(6, { side: 64 }, 10))
  })

  it('reaches every block, stem, upsampling, skip and stride', () => {
    const random = new Random(1)
    const designs = Array.from({ length: 300 }, () => drawDesign(random, { side: 64 }))
    const seen = (of: (design: Design) => unknown) => new Set(designs.map(of))
    const blocks = new Set(designs.flatMap(({ stages }) => stages.map(({ block }) => block)))
    expect([...blocks].toSorted()).toEqual(blockKinds.toSorted())
    expect(seen(({ stem }) => stem.kind).size).toBe(2)
    expect(seen(({ decoder }) => decoder.upsampling).size).toBe(2)
    expect(seen(({ decoder }) => decoder.skips).size).toBe(3)
    expect(seen((design) => stridesOf(design).coarsest)).toEqual(new Set([8, 16, 32]))
    expect(seen((design) => stridesOf(design).result)).toEqual(new Set([2, 4, 8]))
    expect(new Set(designs.map((design) => JSON.stringify(design))).size).toBe(300)
  })

  it('has mutations that differ from their parent, mostly in few places', () => {
    const random = new Random(1)
    const mutated = Array.from({ length: 200 }, () => mutateDesign(random, ficelleDesign, { side: 64 }))
    for (const design of mutated) expect(design).not.toEqual(ficelleDesign)
    const parts = mutated.map(
      (design) =>
        (['stem', 'stages', 'decoder'] as const).filter(
          (part) => JSON.stringify(design[part]) !== JSON.stringify(ficelleDesign[part]),
        ).length,
    )
    expect(parts.filter((count) => count === 1).length).toBeGreaterThan(120)
    expect(new Set(mutated.map((design) => JSON.stringify(design))).size).toBeGreaterThan(60)
  })

  it('says so where nothing keeps to the limits', () => {
    const limits = { side: 64, allows: () => false }
    expect(() => drawDesign(new Random(1), limits)).toThrow(InputError)
    expect(() => mutateDesign(new Random(1), ficelleDesign, limits)).toThrow('keeps to the limits')
  })
})
