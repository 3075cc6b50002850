import { Option } from 'commander'
import { InputError } from '../util/errors.ts'

/** Parsers for the values of options. Each names its option in the error it throws. */

/** A function that commander calls with an option's text. */
export type Parser<T> = (text: string) => T

export interface Range {
  readonly min?: number
  readonly max?: number
}

/** A whole number in decimal digits. */
export function wholeNumber(
  option: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: Range = {},
): Parser<number> {
  const limits = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`
  return (text) => {
    const value = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value
    throw invalid(option, text, `a whole number, ${limits}`)
  }
}

/** A number above 0. */
export function positiveNumber(option: string): Parser<number> {
  return (text) => {
    const value = parseNumber(text)
    if (value > 0 && Number.isFinite(value)) return value
    throw invalid(option, text, 'a number above 0')
  }
}

/** A part of a whole: 0 or more, under 1. */
export function fraction(option: string): Parser<number> {
  return (text) => {
    const value = parseNumber(text)
    if (value >= 0 && value < 1) return value
    throw invalid(option, text, 'a number from 0 to under 1, such as 0.2')
  }
}

/** A part of a whole, or all of it: 0 to 1. */
export function part(option: string): Parser<number> {
  return (text) => {
    const value = parseNumber(text)
    if (value >= 0 && value <= 1) return value
    throw invalid(option, text, 'a number from 0 to 1')
  }
}

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

export type DeviceName = 'auto' | 'cpu' | 'webgpu' | 'cuda'
export type FitName = 'crop' | 'letterbox'

/** `--device`, for commands that compute. */
export const deviceOption = (): Option =>
  new Option('--device <name>', 'what to compute on (default: auto, a GPU where one works)').choices([
    'auto',
    'cpu',
    'webgpu',
    'cuda',
  ])

/** `--fit`, for commands that read videos with a trained model. */
export const fitOption = (): Option =>
  new Option('--fit <how>', 'how frames become square (default: as in training)').choices([
    'crop',
    'letterbox',
  ])

export type HeadName = 'light' | 'fomm'
export type SkipName = 'none' | 'sum' | 'gated' | 'all'
export type DilationsName = 'clipped' | 'published'

/** `--head`, for commands that make a detector of a network. */
export const headOption = (): Option =>
  new Option('--head <kind>', "a detector's head: pantin's, or the published one (default: light)").choices([
    'light',
    'fomm',
  ])

/** `--skip`, for commands that make a detector of a network. */
export const skipOption = (): Option =>
  new Option(
    '--skip <how>',
    "how the encoder's 1/4 map joins a detector's decoder; all: finer maps too (default: all, none with --head fomm)",
  ).choices(['none', 'sum', 'gated', 'all'])

/** `--dilations`, for commands that build a network for a size. */
export const dilationsOption = (): Option =>
  new Option(
    '--dilations <which>',
    'those larger than the map are clipped to it, or stay as published',
  ).choices(['clipped', 'published'])
