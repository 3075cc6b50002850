// `pantin compare`: what networks cost, side by side.
import { type Command, Option } from 'commander'
import { detectorOptions } from '../../motion/options.ts'
import type { ComparedAs } from '../../study/candidates.ts'
import { InputError } from '../../util/errors.ts'
import { defined, given, type OptionValues } from '../../util/options.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import {
  assertReportFiles,
  type DeviceName,
  deviceOption,
  nameList,
  type ReportFlags,
  sizes,
  wholeNumber,
  withFlags,
  withReportFlags,
} from '../options.ts'
import { commandLine } from '../process.ts'

interface CompareFlags extends ReportFlags, OptionValues<typeof detectorOptions> {
  readonly nets?: readonly string[]
  readonly as: ComparedAs | 'both'
  readonly input: readonly [number, number, number]
  readonly outputs: number
  readonly rounds?: number
  readonly threads?: number
  readonly seed: number
  readonly latency: boolean
  readonly layers?: true
  readonly device?: DeviceName
  readonly force?: true
}

/** `pantin compare`. */
export const addCompare: AddCommand = (program, call) => {
  const command = program
    .command('compare')
    .summary('measure what networks cost, side by side')
    .description(
      'Counts what networks cost, plain and as keypoint detectors, and measures how long each takes on this machine.',
    )
    .addOption(
      new Option('--nets <names>', 'names of networks, joined by commas (default: all)').argParser(
        nameList('--nets'),
      ),
    )
    .addOption(
      new Option('--as <what>', 'plain networks, or the keypoint detectors that train makes of them')
        .choices(['network', 'detector', 'both'])
        .default('both'),
    )
    .addOption(
      new Option('--input <CxHxW>', 'the picture')
        .argParser(sizes('--input', '3x64x64'))
        .default([3, 64, 64], '3x64x64'),
    )
    .option(
      '--outputs <n>',
      'channels of the result; keypoints, of a detector',
      wholeNumber('--outputs', { min: 1, max: 4096 }),
      10,
    )
    .option(
      '--rounds <n>',
      'timed runs of each (default: as many as fit in about two minutes, 3 to 50)',
      wholeNumber('--rounds', { min: 1, max: 100_000 }),
    )
    .option(
      '--threads <n>',
      'of the CPU, within one op (default: one for each core)',
      wholeNumber('--threads', { min: 1, max: 1024 }),
    )
    .option('--seed <n>', 'another seed, another order', wholeNumber('--seed'), 0)
    .addOption(deviceOption())
    .option('--no-latency', 'count only, run nothing')
    .option('--layers', 'also count each layer')
  withReportFlags(command, 'one page with plots and diagrams').option('--force', 'replace existing files')
  withFlags(command, detectorOptions)
  for (const flag of formerFlags) command.addOption(new Option(flag).hideHelp())
  withCommonFlags(withPlugins(command)).action(call(runCompare))
}

async function runCompare(context: Context, flags: CompareFlags, command: Command): Promise<void> {
  const { reporter, signal } = context
  const { html, csv, layers = false } = flags
  assertNoTraining(command)
  checkFlags(flags)
  await assertReportFiles(flags, flags.force ?? false)
  const { writeFileAtomic } = await import('../../files/atomic.ts')
  const { compare } = await import('../../study/compare.ts')
  await reporter.prepare()
  const found = await compare({
    ...choices(flags),
    signal,
    onProgress: (event) => reporter.progress(event),
  })
  signal.throwIfAborted()
  if (html !== undefined) {
    const { comparisonPage } = await import('../../report/comparison-page.ts')
    await writeFileAtomic(html, comparisonPage(found))
  }
  if (csv !== undefined) {
    const { comparisonCsv } = await import('../../report/comparison-text.ts')
    await writeFileAtomic(csv, comparisonCsv(found))
  }
  const { comparisonJson, describeComparison } = await import('../../report/comparison-text.ts')
  const files = { html: html ?? null, csv: csv ?? null }
  reporter.result({ ...comparisonJson(found, { layers }), ...files }, () => {
    const wrote = [html, csv].flatMap((path) => (path === undefined ? [] : `wrote ${path}`))
    return [describeComparison(found, { layers }), wrote.join('\n')].filter(Boolean).join('\n\n')
  })
}

/** What options mean together; each on its own was checked when it was read. */
function checkFlags({ as, head, skip, latency, rounds, threads, device }: CompareFlags): void {
  if (as === 'network' && (head ?? skip) !== undefined) {
    throw new InputError({ what: '--head and --skip are for detectors', remedy: 'leave out --as network' })
  }
  if (!latency && (rounds ?? threads ?? device) !== undefined) {
    throw new InputError({
      what: '--rounds, --threads and --device are for measuring latency',
      remedy: 'leave out --no-latency',
    })
  }
}

function choices({ nets, as, input, outputs, latency, seed, ...rest }: CompareFlags) {
  const { rounds, threads, device } = rest
  return {
    ...given(detectorOptions, rest),
    ...defined({
      ...{ rounds, threads, device },
      nets,
      as: as === 'both' ? undefined : [as],
    }),
    ...{ input, outputs, latency, seed },
  }
}

/** Flags of the time when this command trained too. */
const formerFlags = [
  ...[
    '--train <video...>',
    '--test <video...>',
    '--teacher <run>',
    '-o, --out <folder>',
    '--methods <names>',
  ],
  ...['--skips <names>', '--seeds <n>', '--jobs <n>', '--steps <n>', '--minutes <m>', '--batch <n>'],
  ...['--holdout <part>', '--fit <how>'],
]

/** @throws InputError for flags of training, with the command that trains. */
function assertNoTraining(command: Command): void {
  const used = command.options.filter(
    (option) => command.getOptionValueSource(option.attributeName()) === 'cli',
  )
  const former = used.filter(({ flags }) => formerFlags.includes(flags))
  if (former.length === 0) return
  throw new InputError({
    what: 'compare measures what networks cost, and trains nothing',
    where: former.map(({ long }) => long).join(', '),
    remedy: `use ${studyCommand(used, command)}`,
  })
}

/** The command of a study that does what these flags of `compare` did before. */
function studyCommand(used: readonly Option[], command: Command): string {
  const words = used.flatMap((option): string[] => {
    const { long } = option
    const value: unknown = command.getOptionValue(option.attributeName())
    const values = Array.isArray(value) ? value.map(String) : [String(value)]
    switch (long) {
      case '--train':
      case '--as':
      case '--layers':
      case '--seed':
        return []
      case '--input':
        return ['--size', values[1]!]
      case '--outputs':
        return ['--keypoints', ...values]
      case '--skip':
        return ['--skips', ...values]
      case '--nets':
        return ['--nets', values.join(',')]
      default:
        return typeof value === 'boolean' ? [long!] : [long!, ...values]
    }
  })
  const videos: unknown = command.getOptionValue('train')
  const named = Array.isArray(videos) ? videos.map(String) : ['VIDEO...']
  const out = command.getOptionValue('out') === undefined ? ['--out', 'FOLDER'] : []
  return commandLine(['pantin', 'study', ...named, ...out, ...words])
}
