import { type Command, Option } from 'commander'
import { detectorOptions } from '../../motion/options.ts'
import type { ComparedAs } from '../../study/comparison.ts'
import { InputError } from '../../util/errors.ts'
import { defined, given, type OptionValues } from '../../util/options.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import { type DeviceName, deviceOption, sizes, wholeNumber, withFlags } from '../options.ts'
import { assertNoTrialFlags, type TrialFlags, withTrialFlags } from '../study/trial-flags.ts'

interface CompareFlags extends TrialFlags, OptionValues<typeof detectorOptions> {
  readonly nets?: string
  readonly as: ComparedAs | 'both'
  readonly input: readonly [number, number, number]
  readonly outputs: number
  readonly rounds?: number
  readonly threads?: number
  readonly seed: number
  readonly latency: boolean
  readonly layers?: true
  readonly html?: string
  readonly csv?: string
  readonly device?: DeviceName
  readonly force?: true
}

/** `pantin compare`. */
export const addCompare: AddCommand = (program, call) => {
  const command = program
    .command('compare')
    .summary('measure what networks cost, side by side')
    .description(
      'Counts what networks cost, plain and as keypoint detectors, and measures how long each takes on this machine. With --train, trains each as a detector too, from several seeds, and says which network is best for which budget.',
    )
    .option('--nets <names>', 'names of networks, joined by commas (default: all)')
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
    .option('--html <file.html>', 'also write one page with plots and diagrams')
    .option('--csv <file.csv>', 'also write the table')
    .option('--force', 'replace existing files; with --train, the trials in --out')
  withFlags(command, detectorOptions)
  withCommonFlags(withPlugins(withTrialFlags(command))).action(call(runCompare))
}

async function runCompare(context: Context, flags: CompareFlags, command: Command): Promise<void> {
  const { reporter, signal } = context
  const { html, csv, train, layers = false } = flags
  checkFlags(flags)
  if (train === undefined) assertNoTrialFlags(flags)
  else checkWithTrials(flags)
  const { assertWritableTarget, writeFileAtomic } = await import('../../files/atomic.ts')
  // The same command goes on with trials, and must not trip over its own report.
  const force = flags.force ?? train !== undefined
  for (const path of [html, csv]) if (path !== undefined) await assertWritableTarget(path, { force })
  if (train !== undefined) {
    const { runTrained } = await import('../study/trained.ts')
    return runTrained(context, { ...flags, train, options: trialChoices(flags, command) })
  }
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
    const { comparisonCsv } = await import('../../report/csv.ts')
    await writeFileAtomic(csv, comparisonCsv(found))
  }
  const { comparisonJson } = await import('../../report/comparison-text.ts')
  const { describeComparison } = await import('../../report/comparison-text.ts')
  const files = { html: html ?? null, csv: csv ?? null }
  reporter.result({ ...comparisonJson(found, { layers }), ...files }, () => {
    const wrote = [html, csv].flatMap((path) => (path === undefined ? [] : `wrote ${path}`))
    return [describeComparison(found, { layers }), wrote.join('\n')].filter(Boolean).join('\n\n')
  })
}

/** What options mean together; each on its own was checked when it was read. */
function checkFlags({ as, head, skip, html, csv, latency, rounds, threads, device }: CompareFlags): void {
  if (as === 'network' && (head ?? skip) !== undefined) {
    throw new InputError({ what: '--head and --skip are for detectors', remedy: 'leave out --as network' })
  }
  if (!latency && (rounds ?? threads ?? device) !== undefined) {
    throw new InputError({
      what: '--rounds, --threads and --device are for measuring latency',
      remedy: 'leave out --no-latency',
    })
  }
  checkEnding('--html', html, '.html')
  checkEnding('--csv', csv, '.csv')
}

/** Options that mean nothing, or something else, beside --train. */
function checkWithTrials({ as, skip, layers, input }: CompareFlags): void {
  if (as === 'network' || layers) {
    throw new InputError({
      what: '--as network and --layers do not go with --train',
      remedy: 'leave them out',
    })
  }
  if (skip !== undefined) {
    throw new InputError({
      what: 'with --train, more than one skip can be tried',
      where: '--skip',
      got: skip,
      remedy: `say --skips ${skip}`,
    })
  }
  const [channels, height, width] = input
  if (channels === 3 && height === width) return
  throw new InputError({
    what: 'a detector reads square RGB pictures',
    where: '--input',
    got: input.join('x'),
    expected: `3x${height}x${height}`,
  })
}

/** What trials take over; a size and a number of keypoints only where they were given, for a teacher has its own. */
function trialChoices({ nets, input, outputs, latency, ...flags }: CompareFlags, command: Command) {
  const { rounds, threads, device, force } = flags
  const { skip: _, ...detector } = given(detectorOptions, flags)
  const isGiven = (name: 'input' | 'outputs') => command.getOptionValueSource(name) === 'cli'
  return {
    ...detector,
    ...defined({
      ...{ rounds, threads, device, force },
      nets: nets === undefined ? undefined : netNamesOf(nets),
    }),
    ...(isGiven('input') && { size: input[1] }),
    ...(isGiven('outputs') && { keypoints: outputs }),
    latency,
  }
}

function checkEnding(option: string, path: string | undefined, ending: string): void {
  if (path === undefined || path.toLowerCase().endsWith(ending)) return
  throw new InputError({
    what: `the file needs the ending ${ending}`,
    where: option,
    got: path,
    remedy: `take ${path}${ending}`,
  })
}

function choices({ nets, as, input, outputs, latency, seed, ...rest }: CompareFlags) {
  const { rounds, threads, device } = rest
  return {
    ...given(detectorOptions, rest),
    ...defined({
      ...{ rounds, threads, device },
      nets: nets === undefined ? undefined : netNamesOf(nets),
      as: as === 'both' ? undefined : [as],
    }),
    ...{ input, outputs, latency, seed },
  }
}

function netNamesOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.every((name) => name !== '')) return names
  throw new InputError({
    what: 'this value cannot be used',
    where: '--nets',
    got: text === '' ? 'nothing' : text,
    expected: 'names of networks, joined by commas, such as lednet,hourglass',
  })
}
