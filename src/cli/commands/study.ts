// `pantin study`: trains detectors on every network, and says which network is best for which budget.
import { join, resolve } from 'node:path'
import { Option } from 'commander'
import { detectorOptions, modelOptions } from '../../motion/options.ts'
import type { CompareProgress } from '../../study/candidates.ts'
import type { TrialsProgress } from '../../study/trials/run-trials.ts'
import type { TrainedComparison } from '../../study/trials/study.ts'
import { settingsOptions } from '../../train/options.ts'
import { InputError } from '../../util/errors.ts'
import { defined, given, type OptionValue, type OptionValues } from '../../util/options.ts'
import type { RemoteRunner } from '../../work/remote.ts'
import { type AddCommand, type Context, type Reporter, withCommonFlags, withPlugins } from '../context.ts'
import { type MachineFlags, openWorkforce, wholePath, withMachineFlags } from '../machines.ts'
import {
  assertReportFiles,
  deviceOption,
  flagOf,
  nameList,
  type ReportFlags,
  wholeNumber,
  withFlags,
  withReportFlags,
} from '../options.ts'

// Each skip has trials of its own: see --skips.
const { skip, ...sharedOptions } = detectorOptions
const { size, keypoints } = modelOptions
const { steps, batch, holdout, fit } = settingsOptions
// A study's length is given in steps by default.
const { otherwise: _, ...minutes } = settingsOptions.minutes
const runOptions = { size, keypoints, ...sharedOptions, steps, minutes, batch, holdout, fit }

const methodNames = ['distilled', 'scratch'] as const

interface StudyFlags extends OptionValues<typeof runOptions>, MachineFlags, ReportFlags {
  readonly out: string
  readonly test?: readonly string[]
  readonly teacher?: string
  readonly nets?: readonly string[]
  readonly methods?: readonly (typeof methodNames)[number][]
  readonly skips?: readonly OptionValue<typeof skip>[]
  readonly seeds?: number
  readonly jobs?: number
  readonly device?: OptionValue<typeof settingsOptions.device>
  readonly latency: boolean
  readonly rounds?: number
  readonly threads?: number
}

/** `pantin study VIDEO... --out FOLDER`. */
export const addStudy: AddCommand = (program, call) => {
  const command = program
    .command('study')
    .summary('train networks side by side, and say which is best for which budget')
    .description(
      'Trains a keypoint detector on each network, from several seeds, on the same videos with the same budget. Measures what each learned and how long it takes on this machine, and says which network is best for which budget. The same command goes on where it was stopped.',
    )
    .argument('<video...>', 'videos to train on or folders of them, or puppet:SEED (puppet:1..20)')
    .requiredOption('-o, --out <folder>', 'folder for the trials and their results')
    .option('--test <video...>', 'videos to measure on (default: the ends of the others, see --holdout)')
    .option('--teacher <run|file.onnx>', 'a detector that the others are distilled from')
    .addOption(
      new Option(
        '--nets <names>',
        'names of networks, joined by commas (default: all that take frames of this size)',
      ).argParser(nameList('--nets')),
    )
    .addOption(
      new Option(
        '--methods <names>',
        'distilled, scratch (default: both, or scratch without a teacher)',
      ).argParser(oneOrMore('--methods', methodNames)),
    )
    .addOption(
      new Option(
        '--skips <names>',
        'values of --skip to try with each network, see train (default: all,none)',
      ).argParser(oneOrMore('--skips', skip.choices)),
    )
    .option('--seeds <n>', 'trials of each (default: 3)', wholeNumber('--seeds', { min: 1, max: 100 }))
    .option(
      '--jobs <n>',
      'trials at a time, each on its share of the cores (default: 1)',
      wholeNumber('--jobs', { min: 1, max: 64 }),
    )
  withFlags(command, runOptions, {
    size: { otherwise: "the teacher's, or 64" },
    keypoints: { otherwise: "the teacher's, or 10" },
    steps: { otherwise: '1000' },
    minutes: { help: 'train for this many minutes, instead of --steps' },
    holdout: { otherwise: '0.2, or 0 with --test' },
  })
  command
    .addOption(deviceOption())
    .option('--no-latency', 'do not measure latency')
    .option(
      '--rounds <n>',
      'timed runs of each detector (default: as many as fit in about two minutes, 3 to 50)',
      wholeNumber('--rounds', { min: 1, max: 100_000 }),
    )
    .addOption(flagOf('threads', settingsOptions.threads))
  withReportFlags(command, 'a page with plots and pictures').option('--force', 'replace the trials in --out')
  withMachineFlags(command)
  withCommonFlags(withPlugins(command)).action(call(runStudy))
}

/** Trains and reports, or files the trials for a cluster. */
async function runStudy({ reporter, signal }: Context, named: string[], flags: StudyFlags): Promise<void> {
  const { out, nets, methods, skips, seeds, jobs } = flags
  const { device, latency, rounds, threads, force: replace } = flags
  if (!latency && (rounds ?? threads) !== undefined) {
    throw new InputError({
      what: '--rounds and --threads are for measuring latency',
      remedy: 'leave out --no-latency',
    })
  }
  await assertOwnReports(out, flags, replace)
  const { listClips } = await import('../../clips/source.ts')
  // Results of a job may be gathered from another folder.
  const whole = flags.emit === undefined ? async (name: string) => name : wholePath
  const listed = async (names: readonly string[]) => Promise.all((await listClips(names)).map(whole))
  const clips = await listed(named)
  const test = flags.test && (await listed(flags.test))
  const teacher = flags.teacher && (await whole(flags.teacher))
  const { studyWith } = await import('../../study/trials/study.ts')
  await reporter.prepare()
  const force = await openWorkforce(reporter, flags, out)
  const found = await studyWith(clips, {
    ...given(runOptions, flags),
    ...defined({ test, teacher, nets, methods, skips, seeds, jobs, device, rounds, threads }),
    ...defined({ force: replace, runner: force.runner }),
    ...{ out, latency: latency && flags.emit === undefined, signal },
    ...(await studyProgress(reporter, force.remote)),
  }).finally(() => force.close())
  if (force.emit === undefined || signal.aborted) return reportStudy({ reporter, signal }, found, flags)
  const { job, tasks, text } = await force.emit()
  reporter.result({ out: resolve(out), job, tasks }, () => text)
}

/** How trials, and the report that follows them, show their progress. */
export async function studyProgress(reporter: Reporter, remote?: RemoteRunner) {
  const { trialKey } = await import('../../study/trials/plan.ts')
  return {
    onTrials: ({ done, total, progress, etaSeconds, trial }: TrialsProgress) =>
      reporter.progress({
        ...{ phase: 'trials', done, total, progress, unit: 'trials', rate: 0 },
        ...defined({ etaSeconds, now: remote?.now() ?? (trial && trialKey(trial)) }),
      }),
    onReport: (event: CompareProgress) => reporter.progress(event),
  }
}

/** The reports of a study, in its folder: absolute paths of files that it wrote elsewhere. */
const reportsFile = 'reports.json'

async function readReports(out: string): Promise<readonly string[]> {
  const { exists } = await import('../../files/folders.ts')
  const { readWhole } = await import('../../files/read.ts')
  const path = join(out, reportsFile)
  if (!(await exists(path))) return []
  const text = (await readWhole(path, 'a list of reports', 1 << 24)).toString('utf8')
  try {
    const paths: unknown = JSON.parse(text)
    return Array.isArray(paths) ? paths.filter((one) => typeof one === 'string') : []
  } catch {
    // Without it, no report counts as the study's own.
    return []
  }
}

/**
 * Refuses files of a report that cannot be written, and existing ones that this study has not written: the same command goes on
 * with its trials, and replaces its own report alone.
 *
 * @param force whether other files are replaced, too
 * @throws InputError
 */
export async function assertOwnReports(out: string, flags: ReportFlags, force = false): Promise<void> {
  await assertReportFiles(flags, true)
  if (force) return
  const { exists } = await import('../../files/folders.ts')
  const own = await readReports(out)
  for (const path of [flags.csv, flags.html]) {
    if (path === undefined || own.includes(resolve(path)) || !(await exists(path))) continue
    throw new InputError({
      what: 'a file of this name exists, and is not a report of this study',
      where: path,
      expected: `a new file, or a report that ${join(out, reportsFile)} names`,
      remedy: 'choose another name, or remove the file first',
    })
  }
}

/** Prints what a study found, and writes its files. Partial results are reported too. */
export async function reportStudy(
  { reporter, signal }: Context,
  found: TrainedComparison,
  { out, csv, html }: Pick<StudyFlags, 'out' | 'csv' | 'html'>,
): Promise<void> {
  const { writeFileAtomic } = await import('../../files/atomic.ts')
  const written = [csv, html].flatMap((path) => (path === undefined ? [] : [resolve(path)]))
  if (written.length > 0) {
    // First, so that a kill in between leaves no report that is not known as one.
    const reports = [...new Set([...(await readReports(out)), ...written])]
    await writeFileAtomic(join(out, reportsFile), `${JSON.stringify(reports, null, 1)}\n`)
  }
  if (csv !== undefined) {
    const { studyCsv } = await import('../../report/study-text.ts')
    await writeFileAtomic(csv, studyCsv(found))
  }
  if (html !== undefined) {
    const { drawStrips } = await import('../../report/study-page.ts')
    const { studyPage } = await import('../../report/study-page.ts')
    const strips = await drawStrips(resolve(out), found.plan, found.trials, {
      ...(!signal.aborted && { signal }),
      onProgress: (done, total) => reporter.progress({ phase: 'pictures', done, total, unit: 'networks' }),
    })
    await writeFileAtomic(html, studyPage(found, strips))
  }
  const { describeStudy, studyJson } = await import('../../report/study-text.ts')
  const value = {
    out: resolve(out),
    ...studyJson(found),
    interrupted: signal.aborted,
    html: html ?? null,
    csv: csv ?? null,
  }
  reporter.result(value, () => {
    const wrote = [html, csv].flatMap((path) => (path === undefined ? [] : `wrote ${path}`))
    return [describeStudy(found), wrote.join('\n')].filter(Boolean).join('\n\n')
  })
  // Scripts have to know that some trials ended without a result.
  if (found.unfinished > 0 && !signal.aborted) process.exitCode = 1
}

/** Names out of a list, joined by commas, each once. */
function oneOrMore<T extends string>(option: string, known: readonly T[]) {
  return (text: string): readonly T[] => {
    const names = new Set(text.split(',').map((name) => name.trim()))
    const found = known.filter((name) => names.has(name))
    if (found.length === names.size) return [...names].flatMap((name) => found.filter((one) => one === name))
    throw new InputError({
      what: 'this value cannot be used',
      where: option,
      got: text === '' ? 'nothing' : text,
      expected: `one or more of ${known.join(', ')}, joined by commas`,
    })
  }
}
