// `pantin distil`: a light detector that finds what a teacher finds, or a light model that does what a teacher does.
import { starterNames } from '../../run/starters.ts'
import { distillationOptions, warpOptions } from '../../train/options.ts'
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

interface DistilFlags
  extends TrainingFlags,
    OptionValues<typeof distillationOptions>,
    OptionValues<typeof warpOptions> {
  readonly teacher: string
  readonly losses?: string
  readonly cache?: string
}

/** `pantin distil VIDEO... --teacher RUN|FILE.onnx --net NET --out RUN`. */
export const addDistil: AddCommand = (program, call) => {
  const command = program
    .command('distil')
    .summary('train a light detector, or a light model, to do what another does')
    .description(
      'Trains a light detector to find what a teacher finds in videos, without labels, and writes a run folder. With --what model, a whole light model learns to move pictures as the teacher does.',
    )
    .argument(
      '<video...>',
      'videos and pictures or folders of them, or puppet:SEED (puppet:1..20) for made-up videos',
    )
    .requiredOption(
      '-t, --teacher <run>',
      `run folder, starter (${starterNames()}), or ONNX file that gives keypoints`,
    )
    .requiredOption('-o, --out <run>', 'folder to write the run to')
    .option('--net <name>', "the student's network (default: ficelle)")
    .option(
      '--losses <list>',
      'weights of losses, such as distance=10,jacobian=1,divergence=0 (usual weights: docs/cli.md)',
    )
    .option('--cache <folder>', "keep the teacher's results here, for other students of the same videos")
  withFlags(command, distillationOptions)
  withFlags(command, warpOptions)
  withCommonFlags(withPlugins(withTrainingFlags(command, { help: 'frames per step' }))).action(
    call(runDistil),
  )
}

async function runDistil({ reporter, signal }: Context, named: string[], flags: DistilFlags): Promise<void> {
  const { distil } = await import('../../train/train.ts')
  const { teacher, warp, cache, out } = flags
  const { listClips } = await import('../../clips/source.ts')
  const { parseLosses } = await import('../training.ts')
  const { warpDefaults } = await import('../../evaluate/warp.ts')
  const losses = flags.losses === undefined ? undefined : parseLosses(flags.losses)
  const transform = warp === undefined ? undefined : { ...warpDefaults, sigmaAffine: warp }
  await reporter.prepare()
  const run = await distil(await listClips(named, { pictures: true }), {
    ...(await trainingOptions(flags)),
    ...given(distillationOptions, flags),
    ...defined({ losses, cache, transform }),
    teacher,
    signal,
    onEvent: showTraining(reporter),
  })
  reportRun(reporter, run, [
    'pantin',
    'distil',
    ...named,
    '--teacher',
    teacher,
    '--out',
    out,
    ...pluginWords(flags),
  ])
}
