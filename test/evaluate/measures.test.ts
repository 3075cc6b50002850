import { describe, expect, it } from 'vitest'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import {
  type DetectorEvaluation,
  findMeasure,
  type Measure,
  measureNames,
  measuresOf,
  registerMeasure,
  textOf,
} from '../../src/evaluate/measures.ts'
import { trialMeasure, trialMeasureNames } from '../../src/study/trials/summary.ts'
import { InputError } from '../../src/util/errors.ts'
import { randomRun, scratch } from '../animate/support.ts'

const at = scratch()
const run = await randomRun(at('run'))
const clip = 'puppet:1,frames=4,size=64'

const share: Omit<Measure, 'meter'> = {
  ...{ label: 'share of bright pixels', unit: '%', short: 'bright', better: 'neither', of: 'pictures' },
}

describe('the table of measures', () => {
  it('reads every number of an evaluation, and leaves out what was not measured', async () => {
    const found = await evaluate(run, [clip], { device: 'cpu' })
    const numbers = measuresOf(found)
    const { equivariance, akd } = found
    expect(numbers).toMatchObject({
      ...{ l1: found.l1, psnr: found.psnr, ratio: found.l1! / found.still!.l1, akd: akd!.pixels },
      ...{ equivariance: equivariance.value, equivarianceJacobian: equivariance.jacobian },
      jitter: found.jitter!.acceleration,
    })
    for (const missing of ['distance', 'jacobian', 'transfer']) expect(numbers).not.toHaveProperty(missing)
    expect(Object.keys(numbers)).toEqual(measureNames().filter((name) => name in numbers))
  })

  it('says what a number is', () => {
    expect(textOf(findMeasure('psnr')!, 21.256)).toBe('21.26 dB')
    expect(textOf(findMeasure('landmarks')!, 0.1234)).toBe('12.3% of the torso')
    expect(textOf(findMeasure('l1')!, 0.01234)).toBe('0.0123')
  })

  it('is open: a registered meter sees every driving frame, and its number is in reports', async () => {
    const sizes: number[] = []
    registerMeasure('bright', {
      ...share,
      meter: (model) => {
        const parts: number[] = []
        return {
          begin: () => {
            sizes.push(model.config.size)
          },
          add({ pixels }, generated) {
            // The first frame of a clip is not generated from itself.
            if (generated === undefined) return
            expect(generated).toHaveLength(pixels.length)
            parts.push(generated.filter((value) => value > 127).length / generated.length)
          },
          result: () => parts.length,
        }
      },
    })
    const found = await evaluate(run, [clip, clip], { device: 'cpu' })
    expect(sizes).toEqual([64, 64])
    expect(found.registered).toEqual({ bright: 6 })
    expect(measuresOf(found)).toMatchObject({ bright: 6 })
    expect(trialMeasureNames()).toContain('bright')
    expect(trialMeasure('bright')).toMatchObject({ short: 'bright' })
    expect(textOf(findMeasure('bright')!, 0.5)).toBe('0.5000 %')
  })

  it('takes a measure that is computed from others', () => {
    registerMeasure('strain', { ...share, read: ({ jitter }) => jitter && 2 * jitter.acceleration })
    const found = { equivariance: { value: 1, jacobian: undefined }, jitter: { acceleration: 2 } }
    expect(measuresOf(found as unknown as DetectorEvaluation)).toEqual({
      equivariance: 1,
      jitter: 2,
      strain: 4,
    })
  })

  it.each([
    ['psnr', { ...share, read: () => 1 }, 'already'],
    ['no name', { ...share, read: () => 1 }, 'no name'],
    ['empty', share, 'neither'],
  ])('refuses %s', (name, measure, words) => {
    expect(() => registerMeasure(name, measure)).toThrow(InputError)
    expect(() => registerMeasure(name, measure)).toThrow(words)
  })
})
