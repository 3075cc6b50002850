// The flags that the commands which train have in common, the weights of losses, and the report of a run.
import { type Command, Option } from 'commander'
import { detectorOptions } from '../motion/options.ts'
import { formatCount, formatSeconds } from '../report/format.ts'
import type { TrainedRun } from '../train/loop.ts'
import { distilLosses, type LossTable } from '../train/losses.ts'
import { settingsOptions } from '../train/options.ts'
import type { TrainEvent } from '../train/step.ts'
import { InputError, nearest } from '../util/errors.ts'
import { defined, given, type OptionValues } from '../util/options.ts'
import type { Reporter } from './context.ts'
import { squareOf, withFlags } from './options.ts'
import { commandLine } from './process.ts'
import type { ProgressEvent } from './progress.ts'

export interface TrainingFlags
  extends OptionValues<typeof detectorOptions>,
    OptionValues<typeof settingsOptions> {
  readonly out: string
  readonly net?: string
  readonly design?: string
  readonly netOptions?: string
  readonly plugin?: readonly string[]
  readonly resume?: true
  readonly force?: true
}

/** Adds these flags. @param batchOf what a batch is made of, such as `frame pairs` */
/** @param batch what this command says of `--batch` */
export function withTrainingFlags(
  command: Command,
  batch: { readonly help: string; readonly otherwise?: string },
): Command {
  withFlags(command, detectorOptions)
  command
    .option('--design <file.json>', 'what ficelle is made of, with --net ficelle; search finds some')
    .option('--net-options <file.json>', "options of the network's own, such as the widths of hourglass")
  return withFlags(command, settingsOptions, { batch })
    .option(
      '--resume',
      'continue the run in --out from its last checkpoint; only --device and --threads may be others',
    )
    .addOption(new Option('--force', 'replace the run in --out').conflicts('resume'))
}

/** The options of the library that these flags are. @throws InputError for a design that cannot be read. */
export async function trainingOptions(flags: TrainingFlags) {
  const { net, out, resume = false, force = false } = flags
  const { readDesignFile, readOptionsFile } = await import('../convert/network-folder.ts')
  const design = flags.design === undefined ? undefined : await readDesignFile(flags.design)
  const netOptions = flags.netOptions === undefined ? undefined : await readOptionsFile(flags.netOptions)
  return {
    ...given(detectorOptions, flags),
    ...given(settingsOptions, flags),
    ...defined({ net, design, netOptions }),
    ...{ out, resume, force },
  }
}

/** The words of `--plugin` flags, for a command line that goes on with a run. */
export const pluginWords = ({ plugin = [] }: TrainingFlags): string[] =>
  plugin.flatMap((file) => ['--plugin', file])

/** A step's line of progress, as scripts read it on stderr. */
interface StepProgress extends ProgressEvent {
  /** The loss, its terms, and `gradientNorm`. */
  readonly report: Readonly<Record<string, number>>
}

/** Shows the progress of a training. The lines keep their form, whatever becomes of the library's events. */
export const showTraining =
  (reporter: Reporter) =>
  (event: TrainEvent): void => {
    if (event.kind === 'decode' || event.kind === 'label') {
      reporter.progress({ unit: 'frames', phase: event.kind, done: event.done, total: event.total })
    }
    if (event.kind !== 'step') return
    const { step: done, steps: total, progress, rate, etaSeconds, loss, terms, device } = event
    const shown: StepProgress = {
      ...{ unit: 'steps', phase: 'train', done, total, progress, rate, etaSeconds, loss },
      ...{ report: { loss, ...terms }, device },
    }
    reporter.progress(shown)
  }

/** @param words the command that continues the run, without `--resume` */
export function reportRun(reporter: Reporter, run: TrainedRun, words: readonly string[]): void {
  const { path, ...rest } = run
  reporter.warn(run.notices)
  reporter.result({ run: path, ...rest }, () => {
    const done = `${formatCount(run.steps)} steps, ${formatSeconds(run.seconds)} on ${run.device}`
    const loss = Number.isFinite(run.loss) ? `, loss ${run.loss.toFixed(4)}` : ''
    const lines = run.squares.map((square) => `square of ${square.clip}: ${squareOf(square)}\n`)
    // A hundred clips would hide what was trained.
    const squares = lines.length > 8 ? '' : lines.join('')
    if (run.finishedBefore) {
      return (
        `this run is finished, and nothing was left to do: ${done}\n${squares}run: ${path}\n` +
        `to train further from its weights: ${commandLine(['pantin', 'train', 'VIDEO...', '--from', path, '--out', 'FOLDER'])}`
      )
    }
    if (!run.interrupted) return `trained ${done}${loss}\n${squares}run: ${path}`
    return `stopped and saved after ${done}${loss}\ncontinue with: ${commandLine([...words, '--resume'])}`
  })
}

/** Reads weights of losses, `name=weight` joined by commas. @throws InputError */
export function parseLosses(
  text: string,
  { names }: Pick<LossTable<never>, 'names'> = distilLosses,
): Record<string, number> {
  return Object.fromEntries(
    text.split(',').map((item) => {
      const [name = '', weight = '', ...others] = item.trim().split('=')
      const known = names.includes(name)
      if (known && others.length === 0 && /^\d+(\.\d+)?(e-?\d+)?$/i.test(weight))
        return [name, Number(weight)]
      const guess = known ? undefined : nearest(name, names)
      throw new InputError({
        what: known ? 'the weight of a loss cannot be used' : `there is no loss "${name}"`,
        where: '--losses',
        got: item,
        expected: `name=weight, with a name of ${names.join(', ')} and a weight of 0 or more`,
        ...(guess !== undefined && { remedy: `did you mean "${guess}"?` }),
      })
    }),
  )
}
