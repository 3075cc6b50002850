import { type Command, Option } from 'commander'
import { InputError } from '../../util/errors.ts'
import { type FitName, fraction, positiveNumber, type SkipName, wholeNumber } from '../options.ts'

/** Options of `compare --train`. */
export interface TrialFlags {
  readonly train?: readonly string[]
  readonly test?: readonly string[]
  readonly teacher?: string
  readonly out?: string
  readonly methods?: readonly MethodName[]
  readonly skips?: readonly SkipName[]
  readonly seeds?: number
  readonly jobs?: number
  readonly steps?: number
  readonly minutes?: number
  readonly batch?: number
  readonly holdout?: number
  readonly fit?: FitName
}

export type MethodName = 'distilled' | 'scratch'

const methodNames: readonly MethodName[] = ['distilled', 'scratch']
const skipNames: readonly SkipName[] = ['none', 'sum', 'gated', 'all']

/** Adds these options. Defaults that depend on others stand in the help only. */
export function withTrialFlags(command: Command): Command {
  return command
    .option(
      '--train <video...>',
      'also train each detector on these videos (or folders of them), and measure what it learned',
    )
    .option('--test <video...>', 'videos to measure on (default: the ends of the others, see --holdout)')
    .option('--teacher <run|file.onnx>', 'a detector that others are distilled from')
    .option('-o, --out <folder>', 'folder for the trials; the same command goes on where it was stopped')
    .addOption(
      new Option(
        '--methods <names>',
        'distilled, scratch (default: both, scratch without a teacher)',
      ).argParser(oneOrMore('--methods', methodNames)),
    )
    .addOption(
      new Option(
        '--skips <names>',
        'values of --skip to try each network with (default: all,none)',
      ).argParser(oneOrMore('--skips', skipNames)),
    )
    .option('--seeds <n>', 'trials of each (default: 3)', wholeNumber('--seeds', { min: 1, max: 100 }))
    .option(
      '--jobs <n>',
      'trials at once, each on its share of the cores (default: 1)',
      wholeNumber('--jobs', { min: 1, max: 64 }),
    )
    .addOption(
      new Option('--steps <n>', 'train for so many steps (default: 1000)')
        .argParser(wholeNumber('--steps', { min: 1 }))
        .conflicts('minutes'),
    )
    .option('--minutes <m>', 'train for so long, in place of --steps', positiveNumber('--minutes'))
    .option('--batch <n>', 'pictures a step (default: 8)', wholeNumber('--batch', { min: 1, max: 256 }))
    .option(
      '--holdout <part>',
      'end of each video to leave out of training (default: 0.2; 0 with --test)',
      fraction('--holdout'),
    )
    .addOption(
      new Option('--fit <how>', 'how frames become square (default: crop, around what moves)').choices([
        'crop',
        'letterbox',
      ]),
    )
}

const ownFlags = [
  'test',
  'teacher',
  'out',
  'methods',
  'skips',
  'seeds',
  'jobs',
  'steps',
  'minutes',
  'batch',
  'holdout',
  'fit',
] as const satisfies readonly (keyof TrialFlags)[]

/** @throws InputError where they are given for a comparison that trains nothing. */
export function assertNoTrialFlags(flags: TrialFlags): void {
  const given = ownFlags.filter((name) => flags[name] !== undefined)
  if (given.length === 0) return
  throw new InputError({
    what: 'this is for comparisons that train',
    where: given.map((name) => `--${name}`).join(', '),
    remedy: 'name videos with --train',
  })
}

/** Names out of a list, joined by commas, each once. */
function oneOrMore<T extends string>(option: string, known: readonly T[]) {
  return (text: string): readonly T[] => {
    const names = new Set(text.split(',').map((name) => name.trim()))
    const found = known.filter((name) => names.has(name))
    if (found.length === names.size) return [...names].flatMap((name) => found.filter((one) => one === name))
    throw new InputError({
      what: 'this value cannot be used',
      where: option,
      got: text === '' ? 'nothing' : text,
      expected: `one or more of ${known.join(', ')}, joined by commas`,
    })
  }
}
