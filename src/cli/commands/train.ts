// `pantin train`: a motion model from videos.
import { modelOptions } from '../../motion/options.ts'
import { starterNames } from '../../run/starters.ts'
import type { TrainOptions } from '../../train/config.ts'
import { augmentOptions, isModelOption, reconstructionOptions } from '../../train/options.ts'
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

export interface TrainFlags
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
      `begin with the model and weights of this run or starter (${starterNames()}), or with none, and write ` +
        'another run (default: face, if every video shows a face and no option decides the model)',
    )
    .option(
      '--losses <list>',
      'weights of losses, such as reconstruction=10,equivarianceValue=1; the others keep their usual weights',
    )
  const keptBy = (usual: string) => ({ otherwise: `${usual}; where a model is trained further, its own` })
  withFlags(command, modelOptions, {
    size: keptBy(String(modelOptions.size.default)),
    keypoints: keptBy(String(modelOptions.keypoints.default)),
    generator: keptBy(modelOptions.generator.default),
  })
  withFlags(command, augmentOptions)
  withFlags(command, reconstructionOptions)
  withCommonFlags(
    withPlugins(
      withTrainingFlags(command, {
        help: 'frame pairs per step',
        otherwise: '8; 4 where a model is trained further',
      }),
    ),
  ).action(call(runTrain))
}

async function runTrain(context: Context, named: string[], flags: TrainFlags): Promise<void> {
  const { reporter, signal } = context
  const { train } = await import('../../train/train.ts')
  const { listClips } = await import('../../clips/source.ts')
  await reporter.prepare()
  const clips = await listClips(named)
  const run = await train(clips, {
    ...(await optionsOfTrain(context, clips, flags)),
    signal,
    onEvent: showTraining(reporter),
  })
  reportRun(reporter, run, ['pantin', 'train', ...named, '--out', flags.out, ...pluginWords(flags)])
}

/** What the flags say, as options of `train()`: with the starter that suits the clips, if nothing else is asked for. */
export async function optionsOfTrain(
  context: Pick<Context, 'reporter' | 'signal'>,
  clips: readonly string[],
  flags: TrainFlags,
): Promise<TrainOptions> {
  const { parseLosses } = await import('../training.ts')
  const { trainLosses } = await import('../../train/losses.ts')
  const { mirror, colour, tint, vary, cache } = flags
  const losses = flags.losses === undefined ? undefined : parseLosses(flags.losses, trainLosses)
  const augment =
    mirror === undefined && colour === undefined && tint === undefined && vary === undefined
      ? undefined
      : {
          ...{ flip: mirror ?? false, colour: colour ?? augmentOptions.colour.default },
          ...defined({ tint, vary }),
        }
  const from = await startOf(clips, flags, context)
  return {
    ...(await trainingOptions(flags)),
    ...given(modelOptions, flags),
    ...given(reconstructionOptions, flags),
    ...defined({ augment, from, losses, cache }),
  }
}

/** What training begins with: the run or starter that is named, or a starter that suits the clips. */
async function startOf(
  clips: readonly string[],
  { from, resume, init, ...flags }: TrainFlags,
  { reporter, signal }: Pick<Context, 'reporter' | 'signal'>,
): Promise<string | undefined> {
  if (from !== undefined) return from === 'none' ? undefined : from
  const decided = Object.entries(flags).some(([name, value]) => value !== undefined && isModelOption(name))
  if (decided || resume || init !== undefined) return undefined
  const { suitingStarter } = await import('../../train/setup.ts')
  const starter = await suitingStarter(clips, { fit: flags.fit, signal })
  if (starter !== undefined) {
    reporter.note(
      `every video shows a face: training begins with the starter ${starter}; --from none begins with nothing`,
    )
  }
  return starter
}
