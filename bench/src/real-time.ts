// The part `real-time`: how fast a clip is tracked and a picture animated, file to file, and how soon training begins.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { animate } from '../../src/animate/animate.ts'
import { writeTrack } from '../../src/animate/track.ts'
import { type MotionModel, openModel } from '../../src/model/open-model.ts'
import { type MotionConfig, publishedConfig, smallConfig } from '../../src/motion/config.ts'
import { train } from '../../src/train/train.ts'
import { defaultNet } from '../../src/zoo/registry.ts'
import type { Figure } from './figure.ts'
import { clipFrameRate, makeClip, makeRun } from './fixtures.ts'
import { liveLatency } from './live-latency.ts'
import { longClipFigure } from './long-clip.ts'
import { median } from './stepper.ts'

export interface RealTimeOptions {
  /** Length of the clips in seconds (default 20). */
  readonly seconds?: number
  /** Number of measurements of each figure (default 3). The median counts. */
  readonly rounds?: number
  /** Length of a long clip to watch the memory of training on. 0 (default): none. 3600 takes some minutes. */
  readonly longClipSeconds?: number
  readonly signal?: AbortSignal
  /** After each figure. */
  onFigure?(figure: Figure): void
}

type Measure = (bench: Bench) => Promise<Figure>

interface Bench extends Required<Pick<RealTimeOptions, 'seconds' | 'rounds'>> {
  /** Folder of the clips and runs. */
  readonly folder: string
  readonly signal: AbortSignal | undefined
}

/**
 * All figures of motion in real time, on the CPU. Clips are puppets and weights are random: time depends on neither.
 *
 * @throws EnvironmentError if there are no video codecs. The signal's reason, if it is aborted.
 */
export async function realTimeFigures(options: RealTimeOptions = {}): Promise<Figure[]> {
  const { seconds = 20, rounds = 3, longClipSeconds = 0, signal } = options
  const folder = await mkdtemp(join(tmpdir(), 'pantin-real-time-'))
  try {
    const bench: Bench = { folder, seconds, rounds, signal }
    const figures: Figure[] = []
    const add = (figure: Figure) => {
      figures.push(figure)
      options.onFigure?.(figure)
    }
    for (const measure of measures) add(await measure(bench))
    if (longClipSeconds > 0) {
      add(await longClipFigure({ folder, seconds: longClipSeconds, ...(signal && { signal }) }))
    }
    return figures
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The model of `train --generator light`. */
const light = (size: number) => smallConfig({ net: defaultNet, size, generator: 'light' })

const measures: readonly Measure[] = [
  (bench) => trackFigure(bench, 256, 100),
  (bench) => animateFigure(bench, 256, 25),
  (bench) => animateFigure(bench, 128, 80),
  latencyFigure,
  startupFigure,
]

/** Number of figures, without the long clip's. */
export const realTimeFigureCount = measures.length

async function trackFigure(bench: Bench, size: number, atLeast: number): Promise<Figure> {
  const clip = await clipOf(bench, size)
  return withRun(bench, light(size), async (model) => {
    const out = join(bench.folder, 'track.json')
    const value = await medianRate(bench, () => writeTrack(model, clip, { out, overwrite: true }))
    const how = `track, H.264 to JSON, ${clipText(bench, size)}, the light detector, random weights; model open`
    return { name: `track.${size}`, value, unit: 'frames/s', target: { atLeast }, how }
  })
}

/** The light model. At the published model's own size, that one stands beside it. */
async function animateFigure(bench: Bench, size: number, atLeast: number): Promise<Figure> {
  const value = await animationRate(bench, light(size), bench)
  const how = `animate, H.264 to H.264, ${clipText(bench, size)}, random weights, reference frame looked for; model open`
  const figure = { name: `animate.${size}.light`, value, unit: 'frames/s', target: { atLeast }, how } as const
  if (size !== publishedConfig.size) return figure
  // One second of it takes as long as all the seconds of the light one.
  const short = { seconds: Math.min(1, bench.seconds), rounds: 1 }
  const published = await animationRate(bench, publishedConfig, short)
  return { ...figure, peer: { name: 'published model, same path, source encoded once', value: published } }
}

async function animationRate(
  bench: Bench,
  config: MotionConfig,
  { seconds, rounds }: Pick<Bench, 'seconds' | 'rounds'>,
): Promise<number> {
  const { size } = config
  const driving = await clipOf({ ...bench, seconds }, size)
  return withRun(bench, config, (model) => {
    const files = { source: `puppet:5,size=${size}`, driving, out: join(bench.folder, 'moved.mp4') }
    return medianRate({ ...bench, rounds }, () => animate(model, { ...files, overwrite: true }))
  })
}

async function latencyFigure(bench: Bench): Promise<Figure> {
  const size = 256
  return withRun(bench, light(size), async (model) => {
    const { median, p95, frames } = await liveLatency(model, 25 * Math.min(4, bench.seconds), bench.signal)
    return {
      name: `live.latency.${size}`,
      value: median,
      unit: 'ms',
      how: `median of ${frames} frames of a camera, 480x480 in 4:2:0, to RGB pictures, random weights; 95% within ${p95.toFixed(1)} ms`,
    }
  })
}

/** From the call of `train` to the end of its first step. */
async function startupFigure(bench: Bench): Promise<Figure> {
  const size = 64
  const clip = await clipOf(bench, 256)
  const times: number[] = []
  for (let round = 0; round < bench.rounds; round++) {
    const start = performance.now()
    let first: number | undefined
    await train(clip, {
      out: join(bench.folder, 'startup'),
      size,
      steps: 1,
      device: 'cpu',
      force: true,
      ...(bench.signal && { signal: bench.signal }),
      onEvent({ kind }) {
        if (kind === 'step') first ??= (performance.now() - start) / 1000
      },
    })
    times.push(first ?? Number.NaN)
  }
  return {
    name: 'train.startup',
    value: median(times),
    unit: 's',
    target: { atMost: 5 },
    how: `decoding ${clipText(bench, 256)} to ${size}x${size}, cache, graph, session and the first step`,
  }
}

const clipOf = ({ folder, seconds }: Bench, size: number) =>
  makeClip(folder, { size, frames: Math.round(seconds * clipFrameRate) })

const clipText = ({ seconds }: Bench, size: number) =>
  `${seconds} s of ${size}x${size} at ${clipFrameRate} frames/s`

/** Opens a run with random weights, as the commands open a run. */
async function withRun<T>(
  { folder }: Bench,
  config: MotionConfig,
  use: (model: MotionModel) => Promise<T>,
): Promise<T> {
  const run = await makeRun(folder, `run-${config.generator.kind}-${config.size}`, config)
  const model = await openModel(run, { device: 'cpu' })
  try {
    return await use(model)
  } finally {
    await model.close()
  }
}

/** Frames per second, the median of the rounds. */
async function medianRate(
  { rounds, signal }: Bench,
  work: () => Promise<{ readonly frames: number }>,
): Promise<number> {
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    signal?.throwIfAborted()
    const start = performance.now()
    const { frames } = await work()
    rates.push((1000 * frames) / (performance.now() - start))
  }
  return median(rates)
}
