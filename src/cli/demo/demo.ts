// The demo: the main job from end to end, on puppets, in a folder of its own, with a page that shows it.
import type { Dirent } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeTrack } from '../../animate/track.ts'
import { type Evaluation, evaluate } from '../../evaluate/evaluate.ts'
import { writeFileAtomic } from '../../files/atomic.ts'
import { codeOf, fileError } from '../../files/file-errors.ts'
import { isIgnorable } from '../../files/folders.ts'
import { loadCodecs } from '../../media/codecs.ts'
import { type MotionModel, openModel } from '../../model/open-model.ts'
import { detectorGraph, generatorGraph } from '../../motion/model.ts'
import { countParameters, parametersOf } from '../../motion/weights.ts'
import { demoFiles, demoPage, type Point } from '../../report/demo-page.ts'
import { readMetrics } from '../../run/run.ts'
import { type TrainedRun, train } from '../../train/train.ts'
import { InputError } from '../../util/errors.ts'
import { version } from '../../util/version.ts'
import { defaultNet } from '../../zoo/registry.ts'
import type { Reporter } from '../context.ts'
import { isStop } from '../process.ts'
import { showTraining } from '../training.ts'
import { type Cast, chooseCast, familiarFrom, filmAnimation, strangersFrom, writeSheet } from './films.ts'

export interface DemoOptions {
  /** Folder to make. */
  readonly out: string
  /** Of training. */
  readonly minutes: number
  readonly seed: number
  /** Replace an earlier demo. */
  readonly force: boolean
  readonly signal: AbortSignal
  readonly reporter: Reporter
}

export interface DemoResult {
  readonly out: string
  readonly page: string
  readonly steps: number
  readonly seconds: number
  readonly device: string
  readonly interrupted: boolean
  /** Missing if the demo was interrupted. */
  readonly strangers?: Evaluation
  readonly familiar?: Evaluation
}

/** What the model sees, in pixels. */
const size = 64
/** In a few minutes, many small steps learn more than fewer large ones. */
const pace = { batch: 4, learningRate: 2e-3 } as const

/**
 * Trains on puppets, moves a still puppet that was never seen, measures, and writes a page that shows it.
 *
 * @throws InputError if the folder cannot be used, EnvironmentError without video codecs, both before any work.
 */
export async function demo(options: DemoOptions): Promise<DemoResult> {
  const { out, minutes, seed, force, signal, reporter } = options
  await loadCodecs()
  await prepareFolder(out, force)
  const cast = chooseCast(seed, size)
  const run = await train(cast.trained, {
    out: join(out, demoFiles.run),
    net: defaultNet,
    size,
    minutes,
    seed,
    ...pace,
    // Other puppets are held out here, and later movements of the trained ones.
    holdout: 0,
    force,
    signal,
    onEvent: showTraining(reporter),
  })
  const { steps, seconds, device, interrupted } = run
  const result = { out, page: join(out, demoFiles.page), steps, seconds, device, interrupted }
  if (interrupted) return result
  try {
    return { ...result, ...(await show(run, cast, options)) }
  } catch (error) {
    // The run exists by now.
    if (isStop(error, signal.aborted)) return { ...result, interrupted: true }
    throw error
  }
}

/** Films, measures and writes the page. */
async function show(run: TrainedRun, cast: Cast, { out, seed, signal, reporter }: DemoOptions) {
  const model = await openModel(run)
  const file = (name: keyof typeof demoFiles) => join(out, demoFiles[name])
  const onProgress = reporter.progress.bind(reporter)
  const film = (source: string, name: 'moved' | 'familiar') =>
    filmAnimation(model, { source, driving: cast.driving, out: file(name), every: 31, signal, onProgress })
  try {
    const moments = [await film(cast.source, 'moved'), await film(cast.familiarSource, 'familiar')]
    await writeSheet(file('sheet'), paired(moments[0]!, moments[1]!))
    await writeTrack(model, cast.drivingLarge, {
      out: file('track'),
      overlay: file('keypoints'),
      signal,
      onProgress: (done, total) => reporter.progress({ phase: 'track', done, total, unit: 'frames' }),
    })
    const strangers = await measure(model, cast.strangers, strangersFrom, options(signal, reporter))
    const familiar = await measure(model, cast.familiar, familiarFrom, options(signal, reporter))
    const facts = {
      net: defaultNet,
      ...modelFacts(model),
      puppets: cast.trained.length,
      steps: run.steps,
      seconds: run.seconds,
      device: run.device,
      seed,
      version,
    }
    await writeFileAtomic(file('metrics'), `${JSON.stringify({ ...facts, strangers, familiar }, null, 2)}\n`)
    const curve = await lossCurve(run.path)
    await writeFileAtomic(file('page'), demoPage({ ...facts, strangers, familiar, curve }))
    return { strangers, familiar }
  } finally {
    await model.close()
  }
}

const options = (signal: AbortSignal, reporter: Reporter) => ({
  signal,
  onProgress: (done: number, total: number) =>
    reporter.progress({ phase: 'eval', done, total, unit: 'frames' }),
})

async function measure(
  model: MotionModel,
  clips: readonly string[],
  from: number,
  rest: ReturnType<typeof options>,
): Promise<Evaluation> {
  const found = await evaluate(model, clips, { from, ...rest })
  if (found.still !== undefined) return found
  throw new Error('the demo trained a model without a generator')
}

function modelFacts({ config }: MotionModel) {
  const graphs = [detectorGraph(config), generatorGraph(config)]
  const params = graphs.reduce((sum, graph) => sum + countParameters(parametersOf(graph)), 0)
  return { params, size: config.size, keypoints: config.keypoints }
}

/** The n-th of one beside the n-th of the other. */
const paired = <T>(a: readonly T[], b: readonly T[]): T[] =>
  a.flatMap((item, i) => [item, ...b.slice(i, i + 1)])

async function lossCurve(run: string): Promise<Point[]> {
  const records = await readMetrics(join(run, 'metrics.jsonl'))
  return records.flatMap(({ step, loss }) => (typeof loss === 'number' ? [{ x: step, y: loss }] : []))
}

/**
 * Makes the demo's folder. An earlier demo in it is removed with `force`; anything else is never touched.
 *
 * @throws InputError if there is something in it, or it cannot be written.
 */
export async function prepareFolder(folder: string, force: boolean): Promise<void> {
  try {
    const found = await namesIn(folder)
    assertOwn(folder, found, force)
    // The run is replaced by train, which knows whether it is in use.
    const old = found.filter(({ name }) => name !== demoFiles.run)
    await Promise.all(old.map(({ name }) => rm(join(folder, name), { force: true })))
    await mkdir(folder, { recursive: true })
  } catch (error) {
    throw fileError(error, folder, 'written')
  }
}

/** The entries of the folder, without files of file managers and half-written files of a killed demo. */
async function namesIn(folder: string): Promise<Dirent[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  return found.filter(({ name }) => !isIgnorable(name))
}

function assertOwn(folder: string, found: readonly Dirent[], force: boolean): void {
  const names = found.map(({ name }) => name)
  const strange = found.filter((entry) => !isDemos(entry)).map(({ name }) => name)
  if (strange.length === 0 && (names.length === 0 || force)) return
  throw new InputError({
    what: strange.length > 0 ? 'the folder holds other things than a demo' : 'a demo is here already',
    where: folder,
    got: (strange.length > 0 ? strange : names).slice(0, 5).join(', '),
    expected: 'a new or an empty folder',
    remedy:
      strange.length > 0 ? 'choose another folder' : 'replace it with --force, or choose another folder',
  })
}

const known: ReadonlySet<string> = new Set(Object.values(demoFiles))

/** Whether a demo makes it, by its name. All but the run are files. */
const isDemos = (entry: Dirent) =>
  known.has(entry.name) && (entry.name === demoFiles.run || entry.isFile() || entry.isSymbolicLink())
