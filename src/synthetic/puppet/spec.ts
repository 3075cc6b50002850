import { InputError } from '../../util/errors.ts'
import { type PuppetOptions, puppetClip } from './puppet.ts'

/** Puppets as users name them: `puppet:7`, or with options `puppet:7,frames=120,size=256,rate=25`. */

export const puppetForm = 'puppet:SEED, or with options: puppet:7,frames=120,size=256,rate=25'

/** Names of the options in a puppet spec, and what they set. */
const puppetKeys = { frames: 'frames', size: 'size', rate: 'frameRate' } as const

export function isPuppet(spec: string): boolean {
  return spec.startsWith('puppet:')
}

/** The clip that a spec names. @throws InputError where there is no such puppet. */
export const openPuppet = (spec: string) => puppetClip(parsePuppet(spec))

/** More puppets than this are rather a slip of the pen. */
const mostPuppets = 100_000

/**
 * Specs of all puppets of a series, `puppet:1..200` with the same options as one has; one puppet is a series of one.
 *
 * @throws InputError for a series that is empty or has over 100,000 puppets.
 */
export function puppetSeries(spec: string): string[] {
  const [, from, to, settings] = /^puppet:(\d{1,9})\.\.(\d{1,9})((?:,.*)?)$/s.exec(spec) ?? []
  if (from === undefined) return [spec]
  const [first, count] = [Number(from), Number(to) - Number(from) + 1]
  if (count < 1 || count > mostPuppets) {
    throw new InputError({
      what: 'there is no such series of puppets',
      where: spec,
      got: `${from} to ${to}`,
      expected: `a first seed and a last one, as in puppet:1..200, for 1 to ${mostPuppets} puppets`,
    })
  }
  return Array.from({ length: count }, (_, i) => `puppet:${first + i}${settings}`)
}

function parsePuppet(spec: string): PuppetOptions {
  const [seed, ...settings] = spec.slice('puppet:'.length).split(',')
  const options: { -readonly [K in keyof PuppetOptions]: PuppetOptions[K] } = { seed: parse(spec, seed!) }
  for (const setting of settings) {
    const [key, value, ...rest] = setting.split('=')
    const name = Object.entries(puppetKeys).find(([known]) => known === key)?.[1]
    if (name === undefined || value === undefined || rest.length > 0) throw unknownPuppet(spec, setting)
    options[name] = parse(spec, value)
  }
  return options
}

function parse(spec: string, text: string): number {
  if (!/^\d{1,15}(\.\d{1,6})?$/.test(text)) throw unknownPuppet(spec, text)
  return Number(text)
}

function unknownPuppet(spec: string, got: string): InputError {
  return new InputError({
    what: 'there is no such puppet',
    where: spec,
    got: got === '' ? 'nothing' : got,
    expected: puppetForm,
  })
}
