// `pantin train`: a motion model from videos.
import { modelOptions } from '../../motion/options.ts'
import { starterNames } from '../../run/starters.ts'
import { augmentOptions, reconstructionOptions } from '../../train/options.ts'
import { defined, given, type OptionValues } from '../../util/options.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import { withFlags } from '../options.ts'
import {
  pluginWords,
  reportRun,
  showTraining,
  type TrainingFlags,
  trainingOptions,
  withTrainingFlags,
} from '../training.ts'

interface TrainFlags
  extends TrainingFlags,
    OptionValues<typeof modelOptions>,
    OptionValues<typeof augmentOptions>,
    OptionValues<typeof reconstructionOptions> {
  readonly from?: string
  readonly cache?: string
  readonly losses?: string
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
    .option('--cache <folder>', 'keep decoded frames here, for further runs on the same videos')
    .option(
      '--from <run>',
      `begin with the model and weights of this run or starter (${starterNames()}), and write another run`,
    )
    .option(
      '--losses <list>',
      'weights of losses, such as reconstruction=10,equivarianceValue=1; the others keep their usual weights',
    )
  withFlags(command, modelOptions)
  withFlags(command, augmentOptions)
  withFlags(command, reconstructionOptions)
  withCommonFlags(withPlugins(withTrainingFlags(command, 'frame pairs'))).action(call(runTrain))
}

async function runTrain({ reporter, signal }: Context, named: string[], flags: TrainFlags): Promise<void> {
  const { train } = await import('../../train/train.ts')
  const { listClips } = await import('../../clips/source.ts')
  await reporter.prepare()
  const { parseLosses } = await import('../training.ts')
  const { trainLosses } = await import('../../train/losses.ts')
  const { mirror, colour, from, cache } = flags
  const losses = flags.losses === undefined ? undefined : parseLosses(flags.losses, trainLosses)
  const augment =
    mirror === undefined && colour === undefined
      ? undefined
      : { flip: mirror ?? false, colour: colour ?? augmentOptions.colour.default }
  const run = await train(await listClips(named), {
    ...(await trainingOptions(flags)),
    ...given(modelOptions, flags),
    ...given(reconstructionOptions, flags),
    ...defined({ augment, from, losses, cache }),
    signal,
    onEvent: showTraining(reporter),
  })
  reportRun(reporter, run, ['pantin', 'train', ...named, '--out', flags.out, ...pluginWords(flags)])
}
