import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { part, positiveNumber, wholeNumber } from '../options.ts'
import { defined, reportRun, type TrainingFlags, trainingOptions, withTrainingFlags } from '../training.ts'

interface DistilFlags extends TrainingFlags {
  readonly teacher: string
  readonly losses?: string
  readonly soften?: number
  readonly variants?: number
  readonly colour?: number
  readonly mix?: number
  readonly warp?: number
  readonly cache?: string
}

/** `pantin distil VIDEO... --teacher RUN|FILE.onnx --net NET --out RUN`. */
export const addDistil: AddCommand = (program, call) => {
  const command = program
    .command('distil')
    .summary('train a light detector to find what another finds')
    .description(
      'Trains a light detector to find what a teacher finds in videos, without labels, and writes a run folder.',
    )
    .argument(
      '<video...>',
      'videos and pictures or folders of them, or puppet:SEED (puppet:1..20) for made-up videos',
    )
    .requiredOption('-t, --teacher <run>', 'run folder, or ONNX file that gives keypoints')
    .requiredOption('-o, --out <run>', 'folder to write the run to')
    .option('--net <name>', "the student's network (default: ficelle)")
    .option(
      '--losses <list>',
      'weights of losses, such as distance=10,jacobian=1,divergence=0 (the defaults: see the README)',
    )
    .option('--soften <factor>', 'compare heatmaps at so much more temperature', positiveNumber('--soften'))
    .option(
      '--variants <n>',
      'warped and recoloured copies of each frame to learn from too (default: 3)',
      wholeNumber('--variants', { max: 1000 }),
    )
    .option('--colour <part>', 'recolour copies by up to so much (default: 0.3)', part('--colour'))
    .option(
      '--warp <amount>',
      'how far copies are warped: deviation of the entries of an affine map (default: 0.05)',
      positiveNumber('--warp'),
    )
    .option(
      '--mix <part>',
      'blend so many of the copies with those of other frames (default: 0)',
      part('--mix'),
    )
    .option('--cache <folder>', "keep the teacher's results here, for other students of the same videos")
  withCommonFlags(withTrainingFlags(command, 'frames')).action(call(runDistil))
}

async function runDistil({ reporter, signal }: Context, named: string[], flags: DistilFlags): Promise<void> {
  const { distil } = await import('../../train/distil/distil.ts')
  const { teacher, soften, variants, colour, warp, mix, cache, out } = flags
  const { listClips } = await import('../../clips/clip-list.ts')
  const { parseLosses } = await import('../losses.ts')
  const { transformDefaults } = await import('../../train/transform.ts')
  const losses = flags.losses === undefined ? undefined : parseLosses(flags.losses)
  await reporter.prepare()
  const run = await distil(await listClips(named, { pictures: true }), {
    ...(await trainingOptions(flags)),
    ...defined({ losses, soften, variants, colour, mix, cache }),
    ...(warp !== undefined && { transform: { ...transformDefaults, sigmaAffine: warp } }),
    teacher,
    signal,
    onProgress: (event) =>
      reporter.progress({ unit: event.phase === 'train' ? 'steps' : 'frames', ...event }),
  })
  reportRun(reporter, run, ['pantin', 'distil', ...named, '--teacher', teacher, '--out', out])
}
