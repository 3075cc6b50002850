import { describe, expect, test } from 'vitest'
import { type OpName, opTable } from '../../src/graph/ops/table.ts'
import { verify } from '../../src/graph/verify.ts'
import { computePlain, numericGradients, probe, relativeError } from '../support/gradcheck.ts'
import { opCases } from './op-cases.ts'

const names = Object.keys(opTable) as OpName[]

describe('the op table', () => {
  test.each(names)('%s stands under its own name', (name) => {
    expect(opTable[name].name).toBe(name)
  })
})

describe.each(names)('gradient of %s', (name) => {
  test.each([...opCases[name]])('$title', ({ inputs, build, range, away }) => {
    const make = () => probe(inputs, build, { ...(range && { range }), ...(away && { away }) })
    if (opTable[name].gradient === 'forbidden') {
      expect(make).not.toThrow()
      return
    }
    const check = make()
    verify(check.graph)
    const numeric = numericGradients(check)
    const analytic = computePlain(check, check.grads)
    expect(relativeError(analytic, numeric)).toBeLessThan(1e-6)

    // Negative control: a gradient that is off by one percent in one input must not pass.
    const spoiled = analytic.map((grad) => grad.map((value) => value * 1.01))
    expect(relativeError(spoiled, numeric)).toBeGreaterThan(1e-3)
  })
})
