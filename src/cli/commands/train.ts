import { Option } from 'commander'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { formatCount, formatSeconds } from '../format.ts'
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
} from '../options.ts'

interface TrainFlags {
  readonly out: string
  readonly net?: string
  readonly size?: number
  readonly keypoints?: number
  readonly head?: HeadName
  readonly skip?: SkipName
  readonly dilations?: DilationsName
  readonly generator?: 'small' | 'light'
  readonly steps?: number
  readonly minutes?: number
  readonly batch?: number
  readonly seed?: number
  readonly device?: DeviceName
  readonly holdout?: number
  readonly fit?: FitName
  readonly init?: string
  readonly perceptual?: string
  readonly resume?: true
  readonly force?: true
}

/** `pantin train VIDEO... --out RUN`. Defaults are the library's, and stand in the help only. */
export const addTrain: AddCommand = (program, call) => {
  const command = program
    .command('train')
    .summary('train a motion model on videos')
    .description('Trains a motion model on videos, without labels, and writes a run folder.')
    .argument('<video...>', 'videos, or puppet:SEED for made-up ones')
    .requiredOption('-o, --out <run>', 'folder to write the run to')
    .option('--net <name>', "the detector's network (default: lednet)")
    .option(
      '--size <pixels>',
      'side of the square frames (default: 64)',
      wholeNumber('--size', { min: 1, max: 4096 }),
    )
    .option(
      '--keypoints <n>',
      'number of keypoints (default: 10)',
      wholeNumber('--keypoints', { min: 1, max: 100 }),
    )
    .addOption(headOption())
    .addOption(skipOption())
    .addOption(dilationsOption())
    .addOption(
      new Option(
        '--generator <which>',
        'what paints the frames; light: in real time at 128 and 256 pixels (default: small)',
      ).choices(['small', 'light']),
    )
    .addOption(
      new Option('--steps <n>', 'train for so many steps')
        .argParser(wholeNumber('--steps', { min: 1 }))
        .conflicts('minutes'),
    )
    .option(
      '--minutes <m>',
      'train for so long (default: 8, where --steps is not given)',
      positiveNumber('--minutes'),
    )
    .option('--batch <n>', 'frame pairs a step (default: 8)', wholeNumber('--batch', { min: 1, max: 256 }))
    .option(
      '--seed <n>',
      'the same seed gives the same weights on the CPU (default: 42)',
      wholeNumber('--seed'),
    )
    .addOption(deviceOption())
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
    .option('--perceptual <file.onnx>', 'compare pictures by the features of this network too')
    .option('--resume', 'continue the run in --out from its last checkpoint')
    .addOption(new Option('--force', 'replace the run in --out').conflicts('resume'))
  withCommonFlags(command).action(call(runTrain))
}

async function runTrain({ reporter, signal }: Context, videos: string[], flags: TrainFlags): Promise<void> {
  const { train } = await import('../../train/train.ts')
  await reporter.prepare()
  // Only what was given: a resumed run keeps the rest as it was begun.
  const { out, net, size, keypoints, head, skip, dilations, generator } = flags
  const { steps, minutes, batch, seed, device, holdout, fit, init, perceptual } = flags
  const model = { net, size, keypoints, head, skip, dilations, generator }
  const given = { ...model, steps, minutes, batch, seed, device, holdout, fit, init, perceptual }
  const run = await train(videos, {
    ...defined(given),
    out,
    resume: flags.resume ?? false,
    force: flags.force ?? false,
    signal,
    onProgress: (event) =>
      reporter.progress({ unit: event.phase === 'decode' ? 'frames' : 'steps', ...event }),
  })
  const { path, ...rest } = run
  reporter.result({ run: path, ...rest }, () => {
    const done = `${formatCount(run.steps)} steps, ${formatSeconds(run.seconds)} on ${run.device}`
    const loss = Number.isFinite(run.loss) ? `, loss ${run.loss.toFixed(4)}` : ''
    if (!run.interrupted) return `trained ${done}${loss}\nrun: ${out}`
    return `stopped and saved after ${done}${loss}\ncontinue with: ${resumeCommand(videos, out)}`
  })
}

const resumeCommand = (videos: readonly string[], out: string) =>
  ['pantin', 'train', ...videos, '--out', out, '--resume'].map(quoted).join(' ')

/** For a shell, where a name has characters that it would read otherwise. */
const quoted = (word: string) => (/^[\w./:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** An object without its undefined entries. */
function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
}
