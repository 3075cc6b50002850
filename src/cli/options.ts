// Tables of options as command-line flags, and parsers for the values of flags. Each names its flag in its errors.
import { type Command, Option as Flag } from 'commander'
import type { Framing } from '../faces/framing.ts'
import { smoothingDefaults } from '../model/one-euro.ts'
import { starterNames } from '../run/starters.ts'
import { settingsOptions } from '../train/options.ts'
import { InputError } from '../util/errors.ts'
import {
  expectation,
  fits,
  helpOf,
  type NumberOption,
  type Option,
  type OptionTable,
  type OptionValue,
} from '../util/options.ts'

/** A function that commander calls with an option's text. */
export type Parser<T> = (text: string) => T

/** The flag's name of an option: `learningRate` becomes `--learning-rate`. */
export const flagName = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** The flag of an option. Defaults are the library's, and stand in the help only. */
export function flagOf(name: string, option: Option): Flag {
  const long = flagName(name)
  const flag = new Flag(
    option.kind === 'switch' ? long : `${long} <${option.value ?? 'value'}>`,
    helpOf(option),
  )
  if (option.conflicts !== undefined) flag.conflicts(option.conflicts)
  if (option.kind === 'choice') flag.choices(option.choices)
  if (option.kind === 'number') {
    const parse = numberOf(long, option)
    flag.argParser((text) => (option.or?.includes(text) ? text : parse(text)))
  }
  return flag
}

/** What a command may say in words of its own. */
interface Wording {
  readonly help?: string
  readonly otherwise?: string
  readonly value?: string
}

/**
 * Adds the flags of a table to a command.
 *
 * @param changes what this command says otherwise of some of them, such as their help
 */
export function withFlags<T extends OptionTable>(
  command: Command,
  table: T,
  changes: { readonly [K in keyof T]?: Wording } = {},
): Command {
  const own: Readonly<Record<string, Wording | undefined>> = changes
  for (const [name, option] of Object.entries<Option>(table)) {
    if (option.shown !== false) command.addOption(flagOf(name, { ...option, ...own[name] }))
  }
  return command
}

/** A number as an option takes it. */
function numberOf(flag: string, option: NumberOption): Parser<number> {
  return (text) => {
    const value = option.whole && !/^[+-]?\d{1,16}$/.test(text) ? Number.NaN : parseNumber(text)
    if (fits(option, value)) return value
    throw invalid(flag, text, expectation(option))
  }
}

export interface Range {
  readonly min?: number
  readonly max?: number
}

/** A whole number in decimal digits. */
export const wholeNumber = (flag: string, range: Range = {}): Parser<number> =>
  numberOf(flag, { ...number, whole: true, min: 0, ...range })

/** A number above 0. */
export const positiveNumber = (flag: string): Parser<number> => numberOf(flag, { ...number, above: 0 })

/** A part of a whole: 0 or more, under 1. */
export const fraction = (flag: string): Parser<number> =>
  numberOf(flag, { ...number, min: 0, below: 1, example: 0.2 })

const number = { kind: 'number', label: '', help: '' } as const

/** Sizes joined by x, such as `1x3x64x64`. */
export function sizes(option: string, example: string): Parser<readonly number[]> {
  const axes = example.split('x').length
  return (text) => {
    const parts = text.split('x')
    const values = parts.map((part) => (/^\d{1,6}$/.test(part) ? Number(part) : 0))
    if (parts.length === axes && values.every((value) => value > 0)) return values
    throw invalid(option, text, `${axes} whole numbers above 0, joined by x, such as ${example}`)
  }
}

/** Names joined by commas, such as `lednet,hourglass`. */
export function nameList(option: string): Parser<readonly string[]> {
  return (text) => {
    const names = text.split(',').map((name) => name.trim())
    if (names.every((name) => name !== '')) return names
    throw invalid(option, text, 'names joined by commas, such as lednet,hourglass')
  }
}

/** The path of a file with this ending. */
export function fileEnding(option: string, ending: string): Parser<string> {
  return (path) => {
    if (path.toLowerCase().endsWith(ending)) return path
    throw new InputError({
      what: `the file needs the ending ${ending}`,
      where: option,
      got: path,
      remedy: `name it ${path}${ending}`,
    })
  }
}

/** NaN for text that is no plain decimal number. */
const parseNumber = (text: string) =>
  /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN

function invalid(option: string, text: string, expected: string): InputError {
  return new InputError({
    what: 'this value cannot be used',
    where: option,
    got: text === '' ? 'nothing' : text,
    expected,
  })
}

/** The argument of commands that use a trained model. */
export const runArgument = ['<run>', `folder of a run, or a starter: ${starterNames()}`] as const

/** `--device`, for commands that compute. */
export const deviceOption = (): Flag => flagOf('device', settingsOptions.device)

/** `--device`, for commands that compute on this device if none is named. Help tells the default of a flag that has one. */
export function deviceOptionOf(usual: DeviceName): Flag {
  const { default: _, otherwise: __, ...device } = settingsOptions.device
  return flagOf('device', device).default(usual)
}

/** `--smooth`, for commands that follow keypoints through a video. */
export const smoothOption = [
  '--smooth',
  'smooth the keypoints in time by the one-euro filter, as the studio does: cutoff ' +
    `${smoothingDefaults.minCutoff} Hz, beta ${smoothingDefaults.beta}`,
] as const

/** `--no-mark`, for commands that write what a model made. */
export const markOption = [
  '--no-mark',
  'do not say in the file that a trained model made it. Some laws ask for this mark: see the guide on training',
] as const

const fitOption = (): Flag => flagOf('fit', { ...settingsOptions.fit, otherwise: 'as in training' })

/** Adds `--fit`, `--crop` and `--face` to a command that works with a trained model. */
export const withCropFlags = (command: Command): Command =>
  command
    .addOption(fitOption())
    .addOption(flagOf('crop', { ...settingsOptions.crop, otherwise: 'as in training' }))
    .addOption(flagOf('face', settingsOptions.face))

/** What `--html` and `--csv` say: files that a report is also written to. */
export interface ReportFlags {
  readonly html?: string
  readonly csv?: string
}

/**
 * Adds `--html` and `--csv` to a command that reports a table.
 *
 * @param page what is in the page, for the help.
 * @param work of a command that reports several kinds of work: the one that has these files.
 */
export const withReportFlags = (command: Command, page: string, work?: string): Command => {
  const only = work === undefined ? '' : `${work}: `
  return command
    .option('--html <file.html>', `${only}also write ${page}`, fileEnding('--html', '.html'))
    .option('--csv <file.csv>', `${only}also write the table`, fileEnding('--csv', '.csv'))
}

/**
 * Refuses files of a report that cannot be written, before anything is computed.
 *
 * @param force whether existing files are replaced.
 * @throws InputError if a file exists and is not replaced, or its folder cannot be written.
 */
export async function assertReportFiles({ html, csv }: ReportFlags, force: boolean): Promise<void> {
  const { assertWritableTarget } = await import('../files/atomic.ts')
  for (const path of [html, csv]) if (path !== undefined) await assertWritableTarget(path, { force })
}

/** A square and what decided it, in words: `X,Y,W,H (around a face)`. */
export function squareOf({ square, by, faces }: Framing): string {
  const { left, top, side } = square
  if (by === 'whole') return 'the whole frame, between bars'
  const others = faces !== undefined && faces > 1 ? `, of ${faces}` : ''
  const words = {
    face: `around a face${others}`,
    motion: 'around what moves',
    middle: 'in the middle',
    given: 'as given',
  }
  const none = faces === 0 ? '; no face was found' : ''
  return `${left},${top},${side},${side} (${words[by]}${none})`
}

/** What `--fit`, `--crop` and `--face` say. */
export interface CropFlags {
  readonly fit?: FitName
  readonly crop?: string
  readonly face?: number
}

export type DeviceName = OptionValue<typeof settingsOptions.device>
export type FitName = OptionValue<typeof settingsOptions.fit>
