import { type Command, Option } from 'commander'
import { commandLine } from '../report/command-line.ts'
import { formatCount, formatSeconds } from '../report/format.ts'
import type { TrainedRun } from '../train/sitting.ts'
import type { Design } from '../zoo/design.ts'
import {
  type DeviceName,
  type DilationsName,
  deviceOption,
  dilationsOption,
  type FitName,
  fraction,
  type HeadName,
  headOption,
  positiveNumber,
  type SkipName,
  skipOption,
  wholeNumber,
} from './options.ts'
import type { Reporter } from './reporter.ts'

/** What the commands that train have in common. */

export interface TrainingFlags {
  readonly out: string
  readonly net?: string
  readonly head?: HeadName
  readonly skip?: SkipName
  readonly dilations?: DilationsName
  readonly design?: string
  readonly steps?: number
  readonly minutes?: number
  readonly batch?: number
  readonly seed?: number
  readonly device?: DeviceName
  readonly threads?: number
  readonly holdout?: number
  readonly fit?: FitName
  readonly init?: string
  readonly resume?: true
  readonly force?: true
}

/** Adds these flags. Defaults are the library's, and stand in the help only. */
export function withTrainingFlags(command: Command, batchOf: string): Command {
  return command
    .addOption(headOption())
    .addOption(skipOption())
    .addOption(dilationsOption())
    .option('--design <file.json>', 'what ficelle is made of, with --net ficelle; search finds some')
    .addOption(
      new Option('--steps <n>', 'train for so many steps')
        .argParser(wholeNumber('--steps', { min: 1 }))
        .conflicts('minutes'),
    )
    .option(
      '--minutes <m>',
      'take steps for so long (default: 8, where --steps is not given)',
      positiveNumber('--minutes'),
    )
    .option('--batch <n>', `${batchOf} a step (default: 8)`, wholeNumber('--batch', { min: 1, max: 256 }))
    .option(
      '--seed <n>',
      'with --steps, the same seed gives the same weights on the CPU (default: 42)',
      wholeNumber('--seed'),
    )
    .addOption(deviceOption())
    .option(
      '--threads <n>',
      'of the CPU, within one op (default: one for each core)',
      wholeNumber('--threads', { min: 1, max: 256 }),
    )
    .option(
      '--holdout <part>',
      'end of each video to leave out of training (default: 0.2)',
      fraction('--holdout'),
    )
    .addOption(
      new Option('--fit <how>', 'how frames become square (default: crop, around what moves)').choices([
        'crop',
        'letterbox',
      ]),
    )
    .option('--init <folder>', "begin with this model's or network's weights, where they fit")
    .option(
      '--resume',
      'continue the run in --out from its last checkpoint; only --device and --threads may be others',
    )
    .addOption(new Option('--force', 'replace the run in --out').conflicts('resume'))
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** An object without its undefined entries: only what was given, since a resumed run keeps the rest as it was. */
export function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
}

/** The options of the library that these flags are. @throws InputError for a design that cannot be read. */
export async function trainingOptions(flags: TrainingFlags) {
  const { net, head, skip, dilations, steps, minutes, batch, seed, device, threads, holdout, fit, init } =
    flags
  return {
    ...defined({ net, head, skip, dilations, steps, minutes, batch, seed, device }),
    ...defined({ threads, holdout, fit, init }),
    ...(flags.design !== undefined && { design: await readDesign(flags.design) }),
    out: flags.out,
    resume: flags.resume ?? false,
    force: flags.force ?? false,
  }
}

async function readDesign(path: string): Promise<Design> {
  const { readDesignFile } = await import('../convert/design-file.ts')
  return readDesignFile(path)
}

/** @param words the command that continues the run, without `--resume` */
export function reportRun(reporter: Reporter, run: TrainedRun, words: readonly string[]): void {
  const { path, ...rest } = run
  reporter.result({ run: path, ...rest }, () => {
    const done = `${formatCount(run.steps)} steps, ${formatSeconds(run.seconds)} on ${run.device}`
    const loss = Number.isFinite(run.loss) ? `, loss ${run.loss.toFixed(4)}` : ''
    if (!run.interrupted) return `trained ${done}${loss}\nrun: ${path}`
    return `stopped and saved after ${done}${loss}\ncontinue with: ${commandLine([...words, '--resume'])}`
  })
}
