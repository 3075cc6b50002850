// `pantin search`: looks for a design that is fast on this machine and near a teacher.
import { settingsOptions } from '../../train/options.ts'
import { defined } from '../../util/options.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import {
  type DeviceName,
  deviceOption,
  type FitName,
  flagOf,
  positiveNumber,
  wholeNumber,
} from '../options.ts'
import { commandLine } from '../process.ts'

interface SearchFlags {
  readonly teacher: string
  readonly out: string
  readonly test?: readonly string[]
  readonly candidates?: number
  readonly mutations?: number
  readonly steps?: number
  readonly rungs?: number
  readonly latency?: number
  readonly macs?: number
  readonly losses?: string
  readonly batch?: number
  readonly holdout?: number
  readonly fit?: FitName
  readonly seed?: number
  readonly threads?: number
  readonly device?: DeviceName
}

/** `pantin search VIDEO... --teacher RUN|FILE.onnx --out FOLDER`. */
export const addSearch: AddCommand = (program, call) => {
  const command = program
    .command('search')
    .summary('look for a design that is fast here and finds what a teacher finds')
    .description(
      'Draws designs of detectors, times each on this machine, and distils the designs that are fast enough, the best third of them three times as long, and so on; then tries changes of the best. The same command goes on where it was stopped.',
    )
    .argument('<video...>', 'videos to train on or folders of them, or puppet:SEED (puppet:1..20)')
    .requiredOption('-t, --teacher <run>', 'run folder, or ONNX file that gives keypoints')
    .requiredOption('-o, --out <folder>', 'folder for the search and its results')
    .option('--test <video...>', 'videos to measure on (default: the ends of the others, see --holdout)')
    .option(
      '--candidates <n>',
      'designs on the first rung, ficelle the first of them (default: 27)',
      wholeNumber('--candidates', { min: 1, max: 10_000 }),
    )
    .option(
      '--mutations <n>',
      'changes of the best to try in the same way afterwards (default: a third of --candidates)',
      wholeNumber('--mutations', { max: 10_000 }),
    )
    .option('--steps <n>', 'of training on the first rung (default: 100)', wholeNumber('--steps', { min: 1 }))
    .option(
      '--rungs <n>',
      'each has a third of the designs and three times the steps of the one before (default: 3)',
      wholeNumber('--rungs', { min: 1, max: 8 }),
    )
    .option(
      '--latency <ratio>',
      "designs that take longer than this multiple of ficelle's time are not trained (default: 1)",
      positiveNumber('--latency'),
    )
    .option('--macs <n>', 'multiply-adds of a detector at most, such as 50e6', positiveNumber('--macs'))
    .option('--losses <list>', 'weights of losses, as for distil')
    .addOption(flagOf('batch', settingsOptions.batch))
    .addOption(flagOf('holdout', { ...settingsOptions.holdout, otherwise: '0.2; 0 with --test' }))
    .addOption(flagOf('fit', settingsOptions.fit))
    .option('--seed <n>', 'another seed, other designs (default: 1)', wholeNumber('--seed'))
    .option(
      '--threads <n>',
      'of the CPU, within one op, where latency is measured (default: one for each core)',
      wholeNumber('--threads', { min: 1, max: 1024 }),
    )
    .addOption(deviceOption())
  withCommonFlags(withPlugins(command)).action(call(runSearch))
}

async function runSearch({ reporter, signal }: Context, named: string[], flags: SearchFlags): Promise<void> {
  const { losses: list, ...rest } = flags
  const { listClips } = await import('../../clips/source.ts')
  const test = flags.test && (await listClips(flags.test))
  const { teacher, out, candidates, mutations, steps, rungs, latency, macs } = rest
  const { batch, holdout, fit, seed, threads, device } = rest
  const { parseLosses } = await import('../training.ts')
  const losses = list === undefined ? undefined : parseLosses(list)
  const { search } = await import('../../study/search/search.ts')
  await reporter.prepare()
  const found = await search(await listClips(named), {
    ...{ teacher, out, signal },
    ...defined({ test, candidates, mutations, steps, rungs, latency, macs }),
    ...defined({ losses, batch, holdout, fit, seed, threads, device }),
    onProgress: (event) =>
      reporter.progress(
        event.phase === 'latency'
          ? { ...event, unit: 'designs' }
          : // Trainings differ in length: their number a second says nothing.
            { ...event, unit: 'trainings', rate: 0 },
      ),
  })
  const { describeSearch, searchJson } = await import('../../report/search-text.ts')
  reporter.result(searchJson(found), () =>
    describeSearch(found, (design) => distilCommand({ clips: named, teacher }, design)),
  )
  // Every training failed: scripts have to know.
  if (found.best === undefined && !found.interrupted) process.exitCode = 1
}

/** Names as they were given on the command line: a folder of clips is one name there, and many in the plan. */
export interface SearchNames {
  readonly clips: readonly string[]
  readonly teacher: string
}

/** Trains a design on the search's own clips. */
export const distilCommand = ({ clips, teacher }: SearchNames, design: string): string =>
  commandLine([
    ...['pantin', 'distil', ...clips, '--teacher', teacher],
    ...['--net', 'ficelle', '--design', design, '--out', 'RUN'],
  ])
