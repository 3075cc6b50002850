// The part `quality`: minutes of training until held-out frames are good enough, of pantin and of the published FOMM in PyTorch.
import { rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Command } from 'commander'
import { addTrain, optionsOfTrain, type TrainFlags } from '../../src/cli/commands/train.ts'
import type { Context } from '../../src/cli/context.ts'
import { openClip } from '../../src/clips/source.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { nodeFaces } from '../../src/faces/node.ts'
import { openRun } from '../../src/run/run.ts'
import { coresHere } from '../../src/runtime/node.ts'
import { type RunConfig, runConfigSchema, type TrainOptions } from '../../src/train/config.ts'
import { cacheClips } from '../../src/train/frames.ts'
import { RecordFile } from '../../src/train/kept-frames.ts'
import type { TrainEvent } from '../../src/train/step.ts'
import { train } from '../../src/train/train.ts'
import { InputError } from '../../src/util/errors.ts'
import { type FollowedTraining, isOver, type QualityPoint, type QualityRule } from './quality-course.ts'
import { checkTorch, trainFomm } from './torch.ts'

export interface QualityOptions extends QualityRule {
  /** Seconds of pantin's steps between evaluations. */
  readonly interval: number
  /** A Python that has PyTorch. Without one, pantin alone is measured. */
  readonly python?: string
  /** Keeps the run and the frames. */
  readonly folder: string
  /** Options of `pantin train`, as words of a command line. */
  readonly words: readonly string[]
  readonly force: boolean
  /** After each evaluation. */
  onPoint(name: string, point: QualityPoint): void
}

/** The peer's evaluations take longer, and its training too: it has one for this number of pantin's. */
const peerIntervals = 4

/** Pairs of frames in one of the peer's steps. */
const peerBatch = 4

/** The published model halves a quarter of the picture five times. */
const publishedMultiple = 128

/**
 * Trains pantin's model on a clip, and then the published FOMM in PyTorch, each until the target or the limit.
 *
 * @param clip a video, `puppet:SEED` or `head:SEED`
 * @throws InputError for a clip or options that cannot be used, before anything is trained
 */
export async function qualitySides(
  context: Pick<Context, 'reporter' | 'signal'>,
  clip: string,
  options: QualityOptions,
): Promise<FollowedTraining[]> {
  const { folder, python, words, interval, target, limit, force, onPoint } = options
  const { signal } = context
  if (python !== undefined) await checkTorch(python, signal)
  const training = await readTrainWords(context, clip, [
    ...['--out', join(folder, 'run'), ...(force ? ['--force'] : []), ...words],
  ])
  const ours = await follow(clip, training, { ...options, signal })
  if (python === undefined) return [ours]

  const config = await configOf(join(folder, 'run'))
  const size = Math.ceil(config.model.size / publishedMultiple) * publishedMultiple
  await writeFrames(clip, config, { folder, size, signal })
  const course: QualityPoint[] = []
  let version = ''
  const threads = coresHere()
  const peer = { threads, batch: peerBatch, target, limit, interval: peerIntervals * interval }
  await trainFomm(python, folder, peer, {
    signal,
    onPoint(point) {
      version = point.version
      course.push(point)
      onPoint('fomm', point)
    },
  })
  const how = `${size}x${size}, batch ${peerBatch}, ${threads} threads, evaluated every ${peer.interval} s`
  return [ours, { name: `published FOMM, PyTorch ${version}`, course, how }]
}

/** Reads words of a command line as `pantin train` does. @throws CommanderError, InputError */
export async function readTrainWords(
  context: Pick<Context, 'reporter' | 'signal'>,
  clip: string,
  words: readonly string[],
): Promise<TrainOptions> {
  let read: readonly [readonly string[], TrainFlags] | undefined
  const program = new Command('pantin').exitOverride()
  addTrain(program, () => async (...args) => {
    read = args as unknown as readonly [readonly string[], TrainFlags]
  })
  await program.parseAsync(['train', clip, ...words], { from: 'user' })
  const [named, flags] = read!
  if (named.length > 1 || flags.resume || flags.holdout === 0) {
    throw new InputError({
      what: 'these options of training do not serve bench quality',
      got: words.join(' '),
      expected: 'no further clip, no --resume, and frames that are held out',
    })
  }
  return optionsOfTrain(context, named, flags)
}

/** Trains until the target or the limit. Evaluations are made when the run is saved, and do not count in its time. */
async function follow(
  clip: string,
  training: TrainOptions,
  { interval, onPoint, signal, ...rule }: QualityOptions & { readonly signal: AbortSignal },
): Promise<FollowedTraining> {
  const course: QualityPoint[] = []
  const stop = new AbortController()
  let minutes = 0
  const measured = async (step: number) => {
    if (step === course.at(-1)?.steps || signal.aborted || stop.signal.aborted) return
    const config = await configOf(training.out)
    const { l1, still } = await evaluate(training.out, clip, { from: 1 - config.training.holdout, signal })
    const point = { steps: step, minutes, l1: l1!, still: still!.l1, ratio: l1! / still!.l1 }
    course.push(point)
    onPoint('pantin', point)
    if (isOver(course, rule)) stop.abort()
  }
  const run = await train(clip, {
    ...training,
    checkpointSeconds: interval,
    signal: AbortSignal.any([signal, stop.signal]),
    onEvent(event: TrainEvent) {
      if (event.kind === 'step') minutes = event.seconds / 60
      return event.kind === 'saved' ? measured(event.step) : undefined
    },
  })
  signal.throwIfAborted()
  return {
    name: 'pantin',
    course,
    how: `${describe(await configOf(run.path))}, evaluated every ${interval} s`,
  }
}

async function configOf(run: string): Promise<RunConfig> {
  const opened = await openRun(run, runConfigSchema)
  opened.close()
  return opened.config
}

function describe({ model, training }: RunConfig): string {
  const { net, size, generator } = model
  const { batch, replicas, init, minutes, steps, grow } = training
  const length = steps === undefined ? `a run of ${minutes} minutes` : `a run of ${steps} steps`
  const parts = replicas === undefined || replicas === 1 ? '' : ` of ${replicas} replicas`
  const kind = generator.kind === 'light' ? 'light' : 'small'
  const grows = grow === undefined ? '' : `, grows from ${grow.replaceAll(',', ' and ')}`
  const from = init === undefined ? 'from nothing' : `from ${basename(init)}`
  return `${net}, ${kind} generator, ${size}x${size}, batch ${batch}${parts}, ${from}${grows}, ${length}`
}

/** Frames as training sees them, for the peer: `frames.rgb` and its description. */
export async function writeFrames(
  clip: string,
  { training }: RunConfig,
  { folder, size, signal }: { readonly folder: string; readonly size: number; readonly signal?: AbortSignal },
): Promise<void> {
  const { fit, crop, face, holdout } = training
  const path = join(folder, 'frames.rgb')
  await rm(path, { force: true })
  const opened = await openClip(clip)
  try {
    const frames = await cacheClips([opened], {
      ...{ size, fit, crop, face, holdout, faces: nodeFaces },
      ...(signal && { signal }),
      records: (length) => RecordFile.create(path, length),
    })
    const [{ count, training: first }] = frames.clips as [(typeof frames.clips)[number]]
    frames.close()
    const description = { clip, size, count, training: first, from: first }
    await writeFile(join(folder, 'frames.json'), `${JSON.stringify(description)}\n`)
  } finally {
    await opened.close()
  }
}
