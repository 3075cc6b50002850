import { describe, expect, it } from 'vitest'
import { profileNet } from '../../src/profile/profile.ts'
import type { NetName } from '../../src/zoo/registry.ts'

/** What the references cost, as counted on them: parameters in use, and multiply-accumulates at 1024x512. */
const references: readonly {
  readonly name: NetName
  readonly params10: number
  readonly params19: number
  readonly gigamacs19: number
}[] = [
  { name: 'esnet', params10: 1_658_486, params19: 1_659_071, gigamacs19: 24.054 },
  { name: 'edanet', params10: 685_426, params19: 689_485, gigamacs19: 8.833 },
  { name: 'lednet', params10: 915_029, params19: 917_387, gigamacs19: 11.199 },
  { name: 'lednet-official', params10: 920_463, params19: 922_821, gigamacs19: 11.208 },
  { name: 'lednet-figure', params10: 2_279_010, params19: 2_284_905, gigamacs19: 13.075 },
]

describe.each(references)('$name', ({ name, params10, params19, gigamacs19 }) => {
  const small = profileNet(name, { outputs: 10, input: [3, 64, 64] })
  const large = profileNet(name, { outputs: 19, input: [3, 512, 1024] })

  it('has as many parameters as its reference', () => {
    expect([small.params - small.unusedParams, large.params - large.unusedParams]).toEqual([
      params10,
      params19,
    ])
  })

  it('costs as many multiply-adds as its reference', () => {
    expect(Math.abs(large.macs / 1e9 / gigamacs19 - 1)).toBeLessThan(0.005)
  })
})

it('lists the authors’ encoder head, which nothing depends on, as unused', () => {
  expect(profileNet('lednet-official', { outputs: 10, input: [3, 64, 64] }).unusedParams).toBe(129 * 10)
})
