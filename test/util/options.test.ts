// Tables of options: an option that is added to one shows up wherever tables are read, without further work.
import { Command } from 'commander'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { flagOf, withFlags } from '../../src/cli/options.ts'
import { warpDefaults } from '../../src/evaluate/warp.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { detectorOptions, modelOptions } from '../../src/motion/options.ts'
import {
  augmentOptions,
  distillationOptions,
  pageOptions,
  reconstructionOptions,
  settingsOptions,
  warpOptions,
} from '../../src/train/options.ts'
import { checkedOptions, shapeOf } from '../../src/util/option-schema.ts'
import {
  assertUsable,
  expectation,
  fits,
  given,
  type OptionTable,
  type OptionValues,
  recordedAll,
} from '../../src/util/options.ts'

/** The detector's table with one option more. */
const table = {
  ...detectorOptions,
  headWidth: {
    kind: 'number',
    whole: true,
    min: 8,
    max: 64,
    default: 32,
    label: 'Width of the head',
    value: 'n',
    help: 'channels that the head reads',
    at: 'detector.head.channels',
  },
} as const satisfies OptionTable

const command = () => withFlags(new Command('made-up').exitOverride(), table)

describe('an option that is added to a table', () => {
  it('has a type', () => {
    expectTypeOf<OptionValues<typeof table>['headWidth']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<OptionValues<typeof table>['skip']>().toEqualTypeOf<
      'none' | 'sum' | 'gated' | 'all' | undefined
    >()
  })

  it('has a flag, with its help, default and parser', () => {
    expect(command().helpInformation().replace(/\s+/g, ' ')).toContain(
      '--head-width <n> channels that the head reads (default: 32)',
    )
    const flags = command().parse(['--head-width', '16', '--skip', 'gated'], { from: 'user' }).opts()
    expect(given(table, flags)).toEqual({ headWidth: 16, skip: 'gated' })
    expect(() => command().parse(['--head-width', '4'], { from: 'user' })).toThrow(
      /--head-width[\s\S]*got: +4[\s\S]*a whole number, 8 to 64/,
    )
  })

  it('is checked where code gives it, and has its default where nothing does', () => {
    expect(() => assertUsable(table, { headWidth: 2.5 })).toThrow(/headWidth[\s\S]*a whole number, 8 to 64/)
    const schema = z.object(shapeOf(table))
    expect(schema.parse({})).toMatchObject({ headWidth: 32, head: 'light' })
    expect(() => checkedOptions(schema, { headWidth: 65 })).toThrow(
      /the option headWidth is not usable\n +expected: a whole number, 8 to 64/,
    )
  })

  it('is compared when a run is resumed', () => {
    expect(recordedAll(table, smallConfig({ net: 'enet' }))).toEqual({
      ...{ head: 'light', skip: 'all', dilations: 'clipped' },
      headWidth: 32,
    })
  })
})

it('every option of a model says where a configuration records it', () => {
  const all = { ...detectorOptions, ...modelOptions }
  const recorded = recordedAll(all, smallConfig({ net: 'enet' }))
  for (const name of Object.keys(all)) expect(recorded[name], name).toBeDefined()
})

it('a page is offered what people are asked for', () => {
  expect(pageOptions).toMatchObject({ ...detectorOptions, ...modelOptions })
  expect(pageOptions).not.toHaveProperty('device')
})

it('a default is written once', () => {
  expect(warpOptions.warp.default).toBe(warpDefaults.sigmaAffine)
})

describe.each(
  Object.entries<OptionTable>({
    ...{ detectorOptions, modelOptions, settingsOptions, reconstructionOptions },
    ...{ augmentOptions, distillationOptions, warpOptions, pageOptions },
  }),
)('%s', (_, options) => {
  it.each(Object.keys(options))('%s takes its own default, and what its flag reads', (name) => {
    const option = options[name]!
    if (option.default !== undefined) expect(fits(option, option.default)).toBe(true)
    expect(fits(option, {})).toBe(false)
    expect(option.label).toMatch(/^[A-Z]/)
    expect(flagOf(name, option).description).toContain(option.help)
  })
})

it('messages name the bounds', () => {
  const number = { kind: 'number', label: '', help: '' } as const
  expect(
    [
      { whole: true, min: 1, max: 256 } as const,
      { whole: true, min: 0 } as const,
      { above: 0 },
      { min: 0, below: 1, example: 0.2 },
      { min: 0, max: 1 },
      {},
    ].map((bounds) => expectation({ ...number, ...bounds })),
  ).toEqual([
    'a whole number, 1 to 256',
    'a whole number, 0 or more',
    'a number above 0',
    'a number from 0 to under 1, such as 0.2',
    'a number from 0 to 1',
    'a number',
  ])
})
