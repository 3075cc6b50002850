// The work of `pantin bench`: measures the parts that were asked for, and writes the report, the CSV and the plot.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BenchFlags,
  type GrowthName,
  growthNames,
  type PartChoice,
  type PartName,
  partNames,
} from '../../src/cli/bench-parts.ts'
import type { Context } from '../../src/cli/context.ts'
import { listClips } from '../../src/clips/source.ts'
import { assertWritableTarget, writeFileAtomic } from '../../src/files/atomic.ts'
import { makeFolder } from '../../src/files/folders.ts'
import { writePicture } from '../../src/media/picture.ts'
import { describeMachine } from '../../src/run/config-file.ts'
import { InputError, PantinError } from '../../src/util/errors.ts'
import { defined } from '../../src/util/options.ts'
import { FaceSheet, sheetPath } from './face-sheet.ts'
import { growthPlot } from './growth-plot.ts'
import {
  describeDetectors,
  describeReport,
  detectorsCsv,
  type Found,
  figuresCsv,
  growthCsv,
  judged,
  reportOf,
} from './report.ts'
import { parseStepModel, type StepModel } from './step-graphs.ts'
import { noTorch } from './torch.ts'

/** `pantin bench`. The flags fit the choice: `checkBenchFlags`. @throws InputError before any work */
export async function bench(
  context: Context,
  choice: PartChoice,
  named: readonly string[],
  flags: BenchFlags,
): Promise<void> {
  await context.reporter.prepare()
  const { csv, plot, force = false } = flags
  for (const path of [csv, plot]) {
    if (path !== undefined) await assertWritableTarget(path, { force })
  }
  if (choice === 'faces') await benchFacesOf(context, named, flags)
  else if (choice === 'quality') await benchQuality(context, named, flags)
  else if (choice === 'compress') await benchCompressOf(context, named, flags)
  else if (choice === 'detector') await benchDetectorsAlone(context, flags)
  else await benchParts(context, choice, flags)
}

/** The detectors alone: a table of all three, on any device, and their graphs. */
async function benchDetectorsAlone({ reporter, signal }: Context, flags: BenchFlags): Promise<void> {
  const { benchDetector, figuresOfDetectors } = await import('./detector.ts')
  const { keep, csv, rounds, threads, device, force = false } = flags
  const found = await benchDetector({
    force,
    signal,
    device,
    ...(keep !== undefined && { keep }),
    ...(rounds !== undefined && { rounds }),
    ...(threads !== undefined && { threads }),
    onRun: (done, total) => reporter.progress({ phase: 'latency', done, total, unit: 'runs' }),
  })
  if (csv !== undefined) await writeFileAtomic(csv, detectorsCsv(found))
  const figures = found.threads === null ? [] : judged(figuresOfDetectors(found, found.threads))
  reporter.result({ ...found, figures, leftOut: [] }, () => describeDetectors(found, keep))
}

/** A model on clips of faces. @param named the model, then clips */
async function benchFacesOf(
  { reporter, signal }: Context,
  [model = '', ...clips]: readonly string[],
  flags: BenchFlags,
): Promise<void> {
  const { benchFaces, defaultEvery } = await import('./faces.ts')
  const { describeFaces, facesCsv, facesReport } = await import('./face-report.ts')
  const { out, csv, from, crop, threads, device, every = defaultEvery, force = false } = flags
  const listed = await listClips(clips)
  const sheets = out === undefined ? undefined : listed.map((clip) => sheetPath(out, clip))
  if (out !== undefined) await makeFolder(out)
  for (const path of sheets ?? []) await assertWritableTarget(path, { force })
  let sheet: FaceSheet | undefined
  let measured = 0
  const found = await benchFaces(model, listed, {
    ...{ every, device, signal },
    ...(from !== undefined && { from }),
    ...(crop !== undefined && { crop }),
    ...(threads !== undefined && { threads }),
    onClip(_, source) {
      sheet = sheets && new FaceSheet(source)
    },
    onFrame: (frame) => sheet?.add(frame),
    async onMeasured() {
      const path = sheets?.[measured++]
      if (path !== undefined) await writePicture(path, sheet!.picture())
    },
    onProgress: (done, total) => reporter.progress({ phase: 'faces', done, total, unit: 'frames' }),
  })
  const report = facesReport({
    ...{ machine: describeMachine(), model, every, clips: found, sheets: sheets ?? [] },
  })
  if (csv !== undefined) await writeFileAtomic(csv, facesCsv(report))
  reporter.result(report, () => describeFaces(report))
}

/** Trainings of a clip until it is animated well enough. @param words options of training */
async function benchQuality(
  context: Context,
  [clip = '', ...words]: readonly string[],
  flags: BenchFlags,
): Promise<void> {
  const { qualitySides } = await import('./quality.ts')
  const { qualityCsv, qualityFigure } = await import('./quality-course.ts')
  const { target = 0.6, limit = 60, interval = 15, python, keep, csv, force = false } = flags
  const rule = { target, limit }
  const folder = keep ?? (await mkdtemp(join(tmpdir(), 'pantin-quality-')))
  try {
    await makeFolder(folder)
    const sides = await qualitySides(context, clip, {
      ...{ ...rule, interval, folder, words, force },
      ...(python !== undefined && { python }),
      onPoint: (name, { steps, ratio }) =>
        context.reporter.progress({ phase: `quality ${name}`, done: steps, unit: 'steps', loss: ratio }),
    })
    if (csv !== undefined) await writeFileAtomic(csv, qualityCsv(sides))
    const skipped = python === undefined ? [noTorch('quality')] : []
    const figures = [qualityFigure(sides[0]!, sides[1], rule)]
    const report = reportOf({ figures, skipped, growth: [] })
    context.reporter.result({ ...report, sides }, () =>
      [describeReport(report, []), ...figures.map(({ how }) => how.replaceAll('; ', '\n'))].join('\n'),
    )
  } finally {
    if (keep === undefined) await rm(folder, { recursive: true, force: true })
  }
}

/** Detectors in eight bits. @param runs without any, networks learn first */
async function benchCompressOf(
  { reporter, signal }: Context,
  runs: readonly string[],
  flags: BenchFlags,
): Promise<void> {
  const { benchCompress } = await import('./compress.ts')
  const { compressBenchCsv, describeCompress } = await import('./compress-report.ts')
  const { nets, clips, keep, csv, ...options } = flags
  const folder = keep ?? (await mkdtemp(join(tmpdir(), 'pantin-compress-')))
  const words = (text: string | undefined) => text?.split(',').map((word) => word.trim())
  try {
    const found = await benchCompress(runs, {
      ...{ folder, signal, force: options.force ?? false },
      ...defined({ steps: options.steps, roundedSteps: options.roundedSteps }),
      ...defined({ rounds: options.rounds, threads: options.threads }),
      ...defined({ python: options.python, nets: words(nets), clips: words(clips) }),
      onNetwork: (done, total, now) =>
        reporter.progress({ phase: 'compress', done, total, unit: 'networks', now }),
    })
    if (csv !== undefined) await writeFileAtomic(csv, compressBenchCsv(found))
    reporter.result(found, () => describeCompress(found))
  } finally {
    if (keep === undefined) await rm(folder, { recursive: true, force: true })
  }
}

async function benchParts(
  context: Context,
  choice: Exclude<PartChoice, 'detector' | 'faces' | 'quality' | 'compress'>,
  flags: BenchFlags,
): Promise<void> {
  const { rounds, threads, python, nets, series, minutes, csv, plot } = flags
  const found = await measureParts(
    choice === 'all' ? partNames : [choice],
    {
      brief: choice === 'all',
      ...(rounds !== undefined && { rounds }),
      ...(threads !== undefined && { threads }),
      ...(python !== undefined && { python }),
      ...(minutes !== undefined && { minutes }),
      ...(nets !== undefined && { models: nets.split(',').map(parseStepModel) }),
      ...(series !== undefined && { series: parseSeries(series) }),
    },
    context,
  )
  const report = reportOf(found)
  if (csv !== undefined) {
    const text = choice === 'growth' ? growthCsv(report.machine, found.growth) : figuresCsv(report)
    await writeFileAtomic(csv, text)
  }
  if (plot !== undefined && found.growth.length > 0) {
    await writeFileAtomic(plot, growthPlot(found.growth, report.machine))
  }
  context.reporter.result(report, () => describeReport(report, found.growth))
}

/** @throws InputError for an unknown series */
function parseSeries(text: string): GrowthName[] {
  return text.split(',').map((item) => {
    const name = growthNames.find((one) => one === item.trim())
    if (name !== undefined) return name
    throw new InputError({
      what: 'there is no such series',
      where: '--series',
      got: item,
      expected: growthNames.join(', '),
    })
  })
}

export interface PartOptions {
  /** Number of timed runs of each figure; every part has its own default. */
  readonly rounds?: number
  readonly threads?: number
  /** A Python that has PyTorch. */
  readonly python?: string
  /** Models of the training step. */
  readonly models?: readonly StepModel[]
  /** Length of the long clip of `real-time`; if it is absent, no long clip is made. */
  readonly minutes?: number
  /** Series of `growth`. */
  readonly series?: readonly GrowthName[]
  /** Measure less of each part: used when all parts are measured together. */
  readonly brief: boolean
}

/**
 * Measures parts one after the other. If several are asked for, a part that cannot be measured here is skipped.
 *
 * @throws the part's error, if only one part is asked for. The signal's reason, if it is aborted.
 */
export async function measureParts(
  parts: readonly PartName[],
  options: PartOptions,
  context: Context,
): Promise<Found> {
  const found: Found = { figures: [], skipped: [], growth: [] }
  for (const name of parts) {
    context.signal.throwIfAborted()
    try {
      await measures[name](found, options, context)
    } catch (error) {
      context.signal.throwIfAborted()
      if (parts.length === 1 || !(error instanceof PantinError)) throw error
      found.skipped.push({ name, why: error.message })
    }
  }
  return found
}

type Measure = (found: Found, options: PartOptions, context: Context) => Promise<void>

/** Each part is loaded when it is measured. */
const measures: Readonly<Record<PartName, Measure>> = {
  async step({ figures, skipped }, { brief, models, python, ...options }, { reporter, signal }) {
    const { stepFigures } = await import('./step.ts')
    figures.push(
      ...(await stepFigures({
        signal,
        ...count(options),
        ...(models && { models }),
        ...(python !== undefined && { python }),
        ...(brief && { processes: 1 }),
        onSkipped: (one) => skipped.push(one),
        onProgress: (done, total) => reporter.progress({ phase: 'step', done, total, unit: 'processes' }),
      })),
    )
  },
  async detector({ figures }, options, { reporter, signal }) {
    const { detectorFigures } = await import('./detector.ts')
    const { rounds, threads } = options
    figures.push(
      ...(await detectorFigures({
        signal,
        ...(rounds !== undefined && { rounds }),
        ...(threads !== undefined && { threads: [threads] }),
        onRun: (done, total) => reporter.progress({ phase: 'detector', done, total, unit: 'runs' }),
      })),
    )
  },
  async 'real-time'({ figures }, { brief, rounds, minutes = 0 }, { reporter, signal }) {
    const { realTimeFigureCount, realTimeFigures } = await import('./real-time.ts')
    let done = 0
    const total = realTimeFigureCount + (minutes > 0 ? 1 : 0)
    const progress = () => reporter.progress({ phase: 'real-time', done: done++, total, unit: 'figures' })
    progress()
    figures.push(
      ...(await realTimeFigures({
        signal,
        ...(rounds !== undefined && { rounds }),
        ...(brief && { seconds: 8 }),
        longClipSeconds: 60 * minutes,
        onFigure: progress,
      })),
    )
  },
  async browser({ figures }, { brief, ...options }, { reporter, signal }) {
    const { browserFigures } = await import('./browser.ts')
    figures.push(
      ...(await browserFigures({
        signal,
        ...count(options),
        ...(brief && { budgetSeconds: 20 }),
        onRun: (done, total) => reporter.progress({ phase: 'browser', done, total, unit: 'runs' }),
      })),
    )
  },
  async growth(found, { brief, series, ...options }, { reporter, signal }) {
    const { figuresOfGrowth, growth, growthValues } = await import('./growth.ts')
    const names = series ?? growthNames
    const progress = (done: number, total: number) =>
      reporter.progress({ phase: 'growth', done, total, unit: 'series' })
    progress(0, names.length)
    const made = await growth({
      signal,
      ...count(options),
      ...(brief && options.rounds === undefined && { rounds: 3 }),
      values: Object.fromEntries(names.map((name) => [name, growthValues[name]])),
      onSeries: progress,
    })
    found.growth.push(...made)
    found.figures.push(...figuresOfGrowth(made))
  },
}

const count = ({ rounds, threads }: Pick<PartOptions, 'rounds' | 'threads'>) => ({
  ...(rounds !== undefined && { rounds }),
  ...(threads !== undefined && { threads }),
})
