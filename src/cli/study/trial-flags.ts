import { type Command, Option } from 'commander'
import { detectorOptions } from '../../motion/options.ts'
import { settingsOptions } from '../../train/options.ts'
import { InputError } from '../../util/errors.ts'
import type { OptionValue, OptionValues } from '../../util/options.ts'
import { flagOf, wholeNumber } from '../options.ts'

/** Options of `compare --train`. */
export interface TrialFlags
  extends Pick<OptionValues<typeof settingsOptions>, 'steps' | 'minutes' | 'batch' | 'holdout' | 'fit'> {
  readonly train?: readonly string[]
  readonly test?: readonly string[]
  readonly teacher?: string
  readonly out?: string
  readonly methods?: readonly MethodName[]
  readonly skips?: readonly OptionValue<typeof detectorOptions.skip>[]
  readonly seeds?: number
  readonly jobs?: number
}

export type MethodName = 'distilled' | 'scratch'

const methodNames: readonly MethodName[] = ['distilled', 'scratch']

const { otherwise: _, ...minutes } = settingsOptions.minutes

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
      ).argParser(oneOrMore('--skips', detectorOptions.skip.choices)),
    )
    .option('--seeds <n>', 'trials of each (default: 3)', wholeNumber('--seeds', { min: 1, max: 100 }))
    .option(
      '--jobs <n>',
      'trials at once, each on its share of the cores (default: 1)',
      wholeNumber('--jobs', { min: 1, max: 64 }),
    )
    .addOption(flagOf('steps', { ...settingsOptions.steps, otherwise: '1000' }))
    .addOption(flagOf('minutes', { ...minutes, help: 'train for this many minutes, instead of --steps' }))
    .addOption(flagOf('batch', settingsOptions.batch))
    .addOption(flagOf('holdout', { ...settingsOptions.holdout, otherwise: '0.2; 0 with --test' }))
    .addOption(flagOf('fit', settingsOptions.fit))
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
