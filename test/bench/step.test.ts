import { describe, expect, it } from 'vitest'
import { stepFloor } from '../../src/bench/step-floor.ts'
import { makeStep } from '../../src/bench/step-graphs.ts'

describe('the floor of a step', () => {
  const floor = (what: 'step' | 'detector', macs: number, bytes: number) =>
    stepFloor({ what, net: 'lednet' }, { macs, bytes }).value

  it('is less work over more speed', () => {
    const whole = floor('step', 1e11, 1e10)
    expect(floor('step', 2e11, 2e10)).toBeCloseTo(whole / 2, 9)
    expect(floor('detector', 1e11, 1e10)).toBeLessThan(whole / 3)
    expect(stepFloor({ what: 'step', net: 'lednet' }, { macs: 1e11, bytes: 1e10 }).because).toMatch(
      /^[\d.]+ G multiply-adds .* at 100 G\/s.* MB .* at 10\.0 GB\/s/,
    )
  })
})

it('steps have the batch and the size that are asked for', () => {
  const { inputs, model, training } = makeStep({ what: 'step', net: 'lednet', batch: 2, size: 32 })
  expect([inputs.frames!.shape, model.size, training.batch]).toEqual([[4, 32, 32, 3], 32, 2])
  const alone = makeStep({ what: 'detector', net: 'lednet', batch: 3 })
  expect(alone.inputs.value!.shape).toEqual([3, 10, 2])
})
