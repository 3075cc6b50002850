// The demo: the starters move a portrait and a puppet, then one of them is trained further on one clip. A page shows both.
import type { Dirent } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openClip } from '../../clips/source.ts'
import { type Evaluation, evaluate } from '../../evaluate/evaluate.ts'
import { writeFileAtomic } from '../../files/atomic.ts'
import { codeOf, fileError } from '../../files/file-errors.ts'
import { isIgnorable } from '../../files/folders.ts'
import type { Clip } from '../../media/clip.ts'
import { loadCodecs } from '../../media/codecs.ts'
import { type MotionModel, openModel } from '../../model/open-model.ts'
import { demoFiles, demoPage, formerFiles, type TrainedPart } from '../../report/demo-page.ts'
import { starterFolder } from '../../run/config-file.ts'
import { readMetrics } from '../../run/run.ts'
import { type TrainedRun, train } from '../../train/train.ts'
import { InputError } from '../../util/errors.ts'
import { version } from '../../util/version.ts'
import type { Reporter } from '../context.ts'
import { isStop } from '../process.ts'
import { showTraining } from '../training.ts'
import {
  type Cast,
  chooseCast,
  filmAnimation,
  filmBeforeAndAfter,
  heldOutFrom,
  keepFrames,
  writeSheet,
} from './films.ts'

export interface DemoOptions {
  /** Folder to make. */
  readonly out: string
  /** Of training. */
  readonly minutes: number
  /** Chooses who is moved; 0 for the examples of the starters. */
  readonly seed: number
  /** Whether films and pictures say that a trained model made them. */
  readonly mark: boolean
  /** Replace an earlier demo. */
  readonly force: boolean
  readonly signal: AbortSignal
  readonly reporter: Reporter
}

export interface DemoResult {
  readonly out: string
  readonly page: string
  /** From the beginning to the page with the films of the starters. */
  readonly secondsToPage: number
  /** Of training. */
  readonly steps: number
  readonly seconds: number
  readonly device: string
  readonly interrupted: boolean
  /** The starter and the trained model on frames that training did not see; missing if the demo was interrupted. */
  readonly before?: Evaluation
  readonly after?: Evaluation
}

/** In two minutes, many small steps learn more than few large ones. */
const pace = { batch: 4, logEvery: 1 } as const

/**
 * Moves a portrait and a puppet that no starter was trained on, writes a page that shows them, trains the starter for
 * faces further on one clip, and adds what that changed.
 *
 * @throws InputError if the folder cannot be used, EnvironmentError without video codecs, both before any work. The
 * signal's reason, if it is aborted before the page is there.
 */
export async function demo(options: DemoOptions): Promise<DemoResult> {
  const { out, minutes, seed, force, signal, reporter } = options
  const began = performance.now()
  await loadCodecs()
  await prepareFolder(out, force)
  const cast = chooseCast(seed)
  const page = join(out, demoFiles.page)
  await moveByStarters(cast, options)
  await writePage(options, minutes)
  const secondsToPage = (performance.now() - began) / 1000
  reporter.note(
    `look at ${page} now. Next: ${minutes} min of training on one clip, from the starter "face". Ctrl-C ends it.`,
  )

  const result = { out, page, secondsToPage }
  const nothing = { steps: 0, seconds: 0, device: 'none yet', interrupted: true }
  try {
    const run = await train(cast.own, {
      ...{ out: join(out, demoFiles.run), minutes, seed, force, signal, ...pace },
      // By its path: a run named "face" in the current folder is not meant here.
      from: starterFolder('face'),
      holdout: 1 - heldOutFrom,
      onEvent: showTraining(reporter),
    })
    const { steps, seconds, device, interrupted } = run
    if (!interrupted) {
      return { ...result, ...(await compare(run, cast, options)), steps, seconds, device, interrupted }
    }
    await writePage(options, undefined)
    return { ...result, steps, seconds, device, interrupted }
  } catch (error) {
    if (!isStop(error, signal.aborted)) throw error
    await writePage(options, undefined)
    return { ...result, ...nothing }
  }
}

/** Films both starters, and writes moments of the films. */
async function moveByStarters(cast: Cast, { out, mark, signal, reporter }: DemoOptions): Promise<void> {
  const films = []
  for (const name of ['face', 'puppet'] as const) {
    signal.throwIfAborted()
    reporter.note(`the starter "${name}" moves ${cast[name].source.split(',')[0]}, which it has never seen`)
    const model = await openModel(starterFolder(name), { signal })
    try {
      const file = join(out, demoFiles[name])
      const onProgress = reporter.progress.bind(reporter)
      films.push(await filmAnimation(model, cast[name], { out: file, mark, signal, onProgress }))
    } finally {
      await model.close()
    }
  }
  await writeSheet(join(out, demoFiles.sheet), films, mark)
}

/** Measures and films the starter and the trained model on the end of the clip, and writes the whole page. */
async function compare(run: TrainedRun, cast: Cast, options: DemoOptions) {
  const { out, mark, signal, reporter } = options
  reporter.note(
    'measuring the starter and the trained model on the end of the clip, which training did not see',
  )
  const models: MotionModel[] = []
  try {
    for (const one of [starterFolder('face'), run]) models.push(await openModel(one, { signal }))
    await using opened = await openClip(cast.own, { signal })
    const clip = await keepFrames(opened, signal)
    const onProgress = reporter.progress.bind(reporter)
    const film = join(out, demoFiles.trained)
    await filmBeforeAndAfter(models, clip, { out: film, mark, signal, onProgress })
    const [before, after] = [
      await measure(models[0]!, clip, options),
      await measure(models[1]!, clip, options),
    ]
    const { steps, seconds, device } = run
    const curve = (await readMetrics(join(run.path, 'metrics.jsonl'))).flatMap(({ step, loss }) =>
      typeof loss === 'number' ? [{ x: step, y: loss }] : [],
    )
    const facts = { steps, seconds, device, before, after }
    await writeFileAtomic(join(out, demoFiles.metrics), `${JSON.stringify({ version, ...facts }, null, 2)}\n`)
    await writePage(options, { ...facts, curve })
    return { before, after }
  } finally {
    await Promise.all(models.map((model) => model.close()))
  }
}

async function measure(
  model: MotionModel,
  clip: Clip,
  { signal, reporter }: DemoOptions,
): Promise<Evaluation> {
  const found = await evaluate(model, [clip], {
    ...{ from: heldOutFrom, signal },
    onProgress: (done, total) => reporter.progress({ phase: 'eval', done, total, unit: 'frames' }),
  })
  if (found.still !== undefined) return found
  throw new Error('the starter for faces has no generator')
}

/** @param training minutes that are to come, what came of it, or nothing if it was stopped */
async function writePage(
  { out, seed }: DemoOptions,
  training: number | TrainedPart | undefined,
): Promise<void> {
  await writeFileAtomic(join(out, demoFiles.page), demoPage({ training, seed, version }))
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

const known: ReadonlySet<string> = new Set([...Object.values(demoFiles), ...formerFiles])

/** Whether a demo makes it, by its name. All but the run are files. */
const isDemos = (entry: Dirent) =>
  known.has(entry.name) && (entry.name === demoFiles.run || entry.isFile() || entry.isSymbolicLink())
