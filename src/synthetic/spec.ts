// Synthetic clips as users name them: `puppet:7`, `head:7,size=128`, or a series such as `head:1..200`.
import { InputError } from '../util/errors.ts'

/** A kind of synthetic clips: how its specs begin, and what their options set. */
export interface SpecKind<Field extends string> {
  /** Before the colon: `puppet`. */
  readonly name: string
  /** How a spec looks, for messages. */
  readonly form: string
  /** Options that are numbers, and the fields that they set. */
  readonly numbers: Readonly<Record<string, Field>>
  /** Options that are one of a few words; each sets the field of its own name. */
  readonly words?: Readonly<Record<string, readonly string[]>>
}

/** What a spec says: its seed and options, by the names of their fields. */
export type SpecValues<Field extends string> = { readonly seed: number } & {
  readonly [K in Field]?: number
} & { readonly words: Readonly<Record<string, string>> }

/** Whether a spec names a clip of this kind. */
export const isSpecOf = ({ name }: SpecKind<string>, spec: string): boolean => spec.startsWith(`${name}:`)

/** Reads a spec. @throws InputError if it is none of this kind. */
export function parseSpec<Field extends string>(kind: SpecKind<Field>, spec: string): SpecValues<Field> {
  const [seed = '', ...settings] = spec.slice(kind.name.length + 1).split(',')
  const values: { [K in Field]?: number } = {}
  const words: Record<string, string> = {}
  for (const setting of settings) {
    const [key = '', value = '', ...rest] = setting.split('=')
    const allowed = kind.words !== undefined && Object.hasOwn(kind.words, key) ? kind.words[key] : undefined
    const field = Object.hasOwn(kind.numbers, key) ? kind.numbers[key] : undefined
    if (rest.length > 0) throw unknown(kind, spec, setting)
    if (allowed?.includes(value)) words[key] = value
    else if (field !== undefined) values[field] = number(kind, spec, value)
    else throw unknown(kind, spec, setting)
  }
  return { ...values, seed: number(kind, spec, seed), words }
}

function number(kind: SpecKind<string>, spec: string, text: string): number {
  if (!/^\d{1,15}(\.\d{1,6})?$/.test(text)) throw unknown(kind, spec, text)
  return Number(text)
}

const unknown = ({ name, form }: SpecKind<string>, where: string, got: string): InputError =>
  new InputError({
    what: `there is no such ${name}`,
    where,
    got: got === '' ? 'nothing' : got,
    expected: form,
  })

/** A larger series is probably a typing error. */
const mostClips = 100_000

/**
 * The specs of all clips of a series such as `puppet:1..200,size=64`. A single clip is a series of one.
 *
 * @throws InputError for a series that is empty or has over 100,000 clips.
 */
export function specSeries({ name }: SpecKind<string>, spec: string): string[] {
  const [, from, to, settings] = /^[a-z]+:(\d{1,9})\.\.(\d{1,9})((?:,.*)?)$/s.exec(spec) ?? []
  if (from === undefined) return [spec]
  const first = Number(from)
  const count = Number(to) - first + 1
  if (count < 1 || count > mostClips) {
    throw new InputError({
      what: `there is no such series of ${name}s`,
      where: spec,
      got: `${from} to ${to}`,
      expected: `a first seed and a last one, as in ${name}:1..200, for 1 to ${mostClips} ${name}s`,
    })
  }
  return Array.from({ length: count }, (_, i) => `${name}:${first + i}${settings}`)
}

/**
 * Checks what all synthetic clips are told.
 *
 * @param largest pixels a side, at most
 * @throws InputError if an option is out of range.
 */
export function assertClipOptions(
  name: string,
  { frames, size, frameRate }: Readonly<Record<'frames' | 'size' | 'frameRate', number>>,
  largest: number,
): void {
  const refuse = (what: string, got: number, expected: string): never => {
    throw new InputError({ what, where: name, got: String(got), expected })
  }
  if (!Number.isInteger(frames) || frames < 1 || frames > 1e6) {
    refuse('not a number of frames', frames, '1 to 1000000')
  }
  if (!Number.isInteger(size) || size < 16 || size > largest) {
    refuse('not a picture size', size, `16 to ${largest}`)
  }
  if (!(frameRate > 0 && frameRate <= 1000)) refuse('not a frame rate', frameRate, 'over 0, at most 1000')
}
