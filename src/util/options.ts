// Tables of options: plain data from which types, checks, command-line flags, resume checks and forms are derived.
import { InputError } from './errors.ts'

/** What an option of every kind says of itself. */
interface Described {
  /** A few words, for forms. */
  readonly label: string
  /** One line, for `--help` and for forms. The default is added to it. */
  readonly help: string
  /** What its value is called in help: `n` is shown as `<n>`. */
  readonly value?: string
  /** The default in words, where it depends on other options. */
  readonly otherwise?: string
  /** Where a configuration records it, such as `detector.head.kind` (default: under its own name). */
  readonly at?: string
  /** Another option of the table that cannot be given with it. */
  readonly conflicts?: string
  /** Whether people are asked for it, by a flag and in forms (default: yes). Code can always give it. */
  readonly shown?: false
}

/** One of a list of names. */
export interface ChoiceOption extends Described {
  /** Tells this kind of option from others. */
  readonly kind: 'choice'
  /** The names. */
  readonly choices: readonly string[]
  /** The value if none is given. */
  readonly default?: string
}

/** A number within bounds. */
export interface NumberOption extends Described {
  /** Tells this kind of option from others. */
  readonly kind: 'number'
  /** Whether it must be a whole number. */
  readonly whole?: true
  /** The least value that is allowed. */
  readonly min?: number
  /** The greatest value that is allowed. */
  readonly max?: number
  /** The value must be above this. */
  readonly above?: number
  /** The value must be below this. */
  readonly below?: number
  /** A value that a message shows. */
  readonly example?: number
  /** The value if none is given. */
  readonly default?: number
  /** Words that can be given instead of a number. */
  readonly or?: readonly string[]
  /** Values that a form offers, instead of a field for any number. */
  readonly offered?: readonly number[]
}

/** A name, a path, or any other text. */
export interface TextOption extends Described {
  /** Tells this kind of option from others. */
  readonly kind: 'text'
  /** The value if none is given. */
  readonly default?: string
  /** What the text must match (default: any text). */
  readonly pattern?: {
    /** Matches every text that is allowed. */
    readonly matches: RegExp
    /** The same in words, for messages. */
    readonly expected: string
  }
}

/** Given or not given. */
export interface SwitchOption extends Described {
  /** Tells this kind of option from others. */
  readonly kind: 'switch'
  /** The value if none is given. */
  readonly default?: boolean
}

/** An option of any kind. */
export type Option = ChoiceOption | NumberOption | TextOption | SwitchOption

/** Options by their names. Names are those of the library; a flag has hyphens instead of capitals. */
export type OptionTable = Readonly<Record<string, Option>>

/** An option that some words can be given for. */
export interface Worded {
  /** The words. */
  readonly or: readonly string[]
}

/** What an option's value is. */
export type OptionValue<O extends Option> = O extends ChoiceOption
  ? O['choices'][number]
  : O extends NumberOption
    ? number | (O extends Worded ? O['or'][number] : never)
    : O extends SwitchOption
      ? boolean
      : string

/** What somebody who gives options of a table gives. */
export type OptionValues<T extends OptionTable> = { readonly [K in keyof T]?: OptionValue<T[K]> }

/** Whether a value is one of an option's. */
export function fits(option: Option, value: unknown): boolean {
  switch (option.kind) {
    case 'choice':
      return option.choices.some((choice) => choice === value)
    case 'text':
      return typeof value === 'string' && (option.pattern?.matches.test(value) ?? true)
    case 'switch':
      return typeof value === 'boolean'
    case 'number': {
      if (option.or?.some((word) => word === value)) return true
      if (typeof value !== 'number' || !Number.isFinite(value)) return false
      const { whole, min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = option
      if (whole && !Number.isSafeInteger(value)) return false
      return value >= min && value <= max && value > above && value < below
    }
  }
}

/** What values an option takes, for messages: `a whole number, 1 to 256`. */
export function expectation(option: Option): string {
  switch (option.kind) {
    case 'choice':
      return `one of ${option.choices.join(', ')}`
    case 'text':
      return option.pattern?.expected ?? 'a text'
    case 'switch':
      return 'true or false'
    case 'number': {
      const example = option.example === undefined ? '' : `, such as ${option.example}`
      const range = rangeOf(option)
      const words = option.or === undefined ? '' : `, or ${option.or.join(', ')}`
      if (option.whole) return `a whole number${range && `, ${range}`}${example}${words}`
      const from = option.min === undefined || range === '' ? '' : 'from '
      return `a number${range && ` ${from}${range}`}${example}${words}`
    }
  }
}

function rangeOf({ min, max, above, below }: NumberOption): string {
  const least = min ?? (above === undefined ? undefined : `above ${above}`)
  const most = max ?? (below === undefined ? undefined : `under ${below}`)
  if (most === undefined) return least === undefined ? '' : min === undefined ? `${least}` : `${min} or more`
  return least === undefined ? `at most ${most}` : `${least} to ${most}`
}

/** @throws InputError that names the first of the given options whose value is none of its own. */
export function assertUsable<T extends OptionTable>(table: T, values: OptionValues<T>): void {
  for (const [name, value] of Object.entries(given(table, values))) {
    const option = table[name]!
    if (fits(option, value)) continue
    throw new InputError({
      what: `the option ${name} is not usable`,
      got: typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing'),
      expected: expectation(option),
    })
  }
}

/** Help with the default after it. */
export function helpOf(option: Option): string {
  const { help, otherwise } = option
  const usual = otherwise ?? (option.default === undefined ? undefined : String(option.default))
  return usual === undefined ? help : `${help} (default: ${usual})`
}

/** An option's value as a configuration records it. */
export function recorded(name: string, { at = name }: Option, config: object): unknown {
  return at.split('.').reduce<unknown>((value, key) => {
    const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
    return entries.find(([own]) => own === key)?.[1]
  }, config)
}

/** The values of a whole table as a configuration records them, by the options' names. */
export const recordedAll = (table: OptionTable, config: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(table).map(([name, option]) => [name, recorded(name, option, config)]))

/** An object's entries without undefined ones. */
export type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** An object without its undefined entries: what was given, for a call that has defaults for the rest. */
export function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
}

/** The options of a table that are given among other values. */
export function given<T extends OptionTable>(table: T, values: OptionValues<T>): OptionValues<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) => Object.hasOwn(table, name) && value !== undefined),
  ) as OptionValues<T>
}
