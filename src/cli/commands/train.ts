import { Option } from 'commander'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { part, wholeNumber } from '../options.ts'
import { defined, reportRun, type TrainingFlags, trainingOptions, withTrainingFlags } from '../training.ts'

interface TrainFlags extends TrainingFlags {
  readonly size?: number
  readonly keypoints?: number
  readonly generator?: 'small' | 'light'
  readonly mirror?: true
  readonly colour?: number
  readonly perceptual?: string
  readonly finetune?: string
}

/** `pantin train VIDEO... --out RUN`. */
export const addTrain: AddCommand = (program, call) => {
  const command = program
    .command('train')
    .summary('train a motion model on videos')
    .description('Trains a motion model on videos, without labels, and writes a run folder.')
    .argument('<video...>', 'videos or folders of them, or puppet:SEED (puppet:1..20) for made-up ones')
    .requiredOption('-o, --out <run>', 'folder to write the run to')
    .option('--net <name>', "the detector's network (default: ficelle)")
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
    .addOption(
      new Option(
        '--generator <which>',
        'what paints the frames; light: in real time at 128 and 256 pixels (default: small)',
      ).choices(['small', 'light']),
    )
    .option('--mirror', 'show half of the pairs mirrored')
    .option(
      '--colour <part>',
      'change brightness, contrast and saturation of pairs by up to so much, such as 0.3 (default: 0)',
      part('--colour'),
    )
    .option('--finetune <run>', 'train this run further, on these videos, into another folder')
    .option('--perceptual <file.onnx>', 'compare pictures by the features of this network too')
  withCommonFlags(withTrainingFlags(command, 'frame pairs')).action(call(runTrain))
}

async function runTrain({ reporter, signal }: Context, named: string[], flags: TrainFlags): Promise<void> {
  const { train } = await import('../../train/train.ts')
  const { listClips } = await import('../../clips/clip-list.ts')
  await reporter.prepare()
  const { size, keypoints, generator, mirror, colour, perceptual, finetune } = flags
  const augments = mirror !== undefined || colour !== undefined
  const run = await train(await listClips(named), {
    ...(await trainingOptions(flags)),
    ...defined({ size, keypoints, generator, perceptual, finetune }),
    ...(augments && { augment: { flip: mirror ?? false, colour: colour ?? 0 } }),
    signal,
    onProgress: (event) =>
      reporter.progress({ unit: event.phase === 'train' ? 'steps' : 'frames', ...event }),
  })
  reportRun(reporter, run, ['pantin', 'train', ...named, '--out', flags.out])
}
