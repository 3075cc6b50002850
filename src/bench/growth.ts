import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeTrack } from '../animate/write-track.ts'
import { openModel } from '../model/open-model.ts'
import { smallConfig } from '../motion/config.ts'
import { detectorGraph } from '../motion/model.ts'
import { timeGraphs } from '../profile/time-graphs.ts'
import type { Figure } from './figure.ts'
import { type GrowthPoint, type GrowthSeries, pointFigures } from './growth-series.ts'
import { type GrowthName, growthNames, growthValues } from './growth-values.ts'
import { madeUpClip, madeUpFrameRate, madeUpRun } from './made-up.ts'
import { median, timeSteps } from './step-timing.ts'

/** How time grows with batch, size, keypoints and clip length. */

export interface GrowthOptions {
  /** Which series, and at which values (default: `growthValues`). */
  readonly values?: Readonly<Partial<Record<GrowthName, readonly number[]>>>
  /** Timed runs at each value (default: 5 of a step, 30 of a detector, 3 of a clip). */
  readonly rounds?: number
  /** On the CPU (default: one for each core). */
  readonly threads?: number
  readonly signal?: AbortSignal
  /** After each series. */
  onSeries?(done: number, total: number): void
}

/**
 * Times each series, on LEDNet and on the CPU.
 *
 * @throws EnvironmentError where there are no video codecs and clips are asked for. The signal's reason.
 */
export async function growth(options: GrowthOptions = {}): Promise<GrowthSeries[]> {
  const { values = growthValues } = options
  const names = growthNames.filter((name) => values[name] !== undefined)
  const found: GrowthSeries[] = []
  for (const name of names) {
    options.signal?.throwIfAborted()
    found.push(await measures[name](values[name]!, options))
    options.onSeries?.(found.length, names.length)
  }
  return found
}

/** As `growth`, a figure for each point, and one for whether long clips are as fast as short ones. */
export async function growthFigures(options: GrowthOptions = {}): Promise<Figure[]> {
  return figuresOfGrowth(await growth(options))
}

export const figuresOfGrowth = (series: readonly GrowthSeries[]): Figure[] => [
  ...series.flatMap(pointFigures),
  ...series.filter(({ name }) => name === 'track.seconds').map(flatRate),
]

/** Frames a second of the longest clip, held to those of the shortest. */
function flatRate({ points, how }: GrowthSeries): Figure {
  const rate = ({ x, value }: GrowthPoint) => (x * madeUpFrameRate) / value
  const [short, long] = [points[0]!, points.at(-1)!]
  return {
    name: 'growth.track.rate',
    value: rate(long),
    unit: 'frames/s',
    peer: { name: `a clip of ${short.x} s`, value: rate(short) },
    ratio: rate(long) / rate(short),
    target: { atLeast: 0.9 },
    how: `a clip of ${long.x} s; ${how}`,
  }
}

type Measure = (values: readonly number[], options: GrowthOptions) => Promise<GrowthSeries>

const measures: Readonly<Record<GrowthName, Measure>> = {
  'step.batch': (values, options) =>
    stepSeries(values, options, {
      name: 'step.batch',
      x: 'pairs in a batch',
      expected: 1,
      choose: (batch) => ({ batch, size: 64 }),
      fixed: '64x64',
    }),
  'step.size': (values, options) =>
    stepSeries(values, options, {
      name: 'step.size',
      x: 'side of frames, pixels',
      expected: 2,
      choose: (size) => ({ batch: 8, size }),
      fixed: 'batch 8',
    }),
  'detector.size': (values, options) =>
    detectorSeries(values, options, {
      name: 'detector.size',
      x: 'side of the frame, pixels',
      expected: 2,
      choose: (size) => ({ size, keypoints: 10 }),
      fixed: '10 keypoints',
    }),
  'detector.keypoints': (values, options) =>
    detectorSeries(values, options, {
      name: 'detector.keypoints',
      x: 'keypoints',
      expected: 1,
      choose: (keypoints) => ({ size: 64, keypoints }),
      fixed: '64x64',
    }),
  'track.seconds': trackSeries,
}

interface Varied<T> {
  readonly name: GrowthName
  readonly x: string
  readonly expected: number
  readonly choose: (value: number) => T
  /** What does not grow. */
  readonly fixed: string
}

async function stepSeries(
  values: readonly number[],
  { rounds = 5, threads = availableParallelism(), signal }: GrowthOptions,
  { choose, ...series }: Varied<{ readonly batch: number; readonly size: number }>,
): Promise<GrowthSeries> {
  const timings = new Map<number, { median: number; min: number }>()
  // There and back: a machine that is busy for a while slows one pass at each value, seldom both.
  for (const x of [...values, ...values.toReversed()]) {
    const task = { what: 'step', net: 'lednet', threads, warmUp: 1, steps: rounds, ...choose(x) } as const
    const now = await timeSteps(task, signal)
    const before = timings.get(x) ?? now
    timings.set(x, { median: Math.min(before.median, now.median), min: Math.min(before.min, now.min) })
  }
  const points = [...timings].map(([x, { median, min }]) => ({ x, value: median, least: min }))
  const how = `${series.fixed}, ${threads} threads, the better of two passes' medians of ${rounds}`
  return { ...series, title: 'training step of LEDNet', unit: 'ms', points, how }
}

async function detectorSeries(
  values: readonly number[],
  { rounds = 30, threads = availableParallelism(), signal }: GrowthOptions,
  { choose, ...series }: Varied<{ readonly size: number; readonly keypoints: number }>,
): Promise<GrowthSeries> {
  const graphs = values.map((value) => () => detectorGraph(smallConfig({ net: 'lednet', ...choose(value) })))
  const timed = await timeGraphs(graphs, { device: 'cpu', rounds, threads, ...(signal && { signal }) })
  const points = timed.latencies.map(({ median, min }, i) => ({ x: values[i]!, value: median, least: min }))
  const how = `${series.fixed}, not rewritten, ${threads} threads, medians of ${rounds} interleaved rounds`
  return { ...series, title: 'keypoint detector on LEDNet', unit: 'ms', points, how }
}

async function trackSeries(
  values: readonly number[],
  { rounds = 3, signal }: GrowthOptions,
): Promise<GrowthSeries> {
  const size = 256
  const folder = await mkdtemp(join(tmpdir(), 'pantin-growth-'))
  try {
    const run = await madeUpRun(folder, 'run', smallConfig({ net: 'lednet', size, generator: 'light' }))
    const model = await openModel(run, { device: 'cpu' })
    try {
      const clips = []
      for (const seconds of values)
        clips.push(await madeUpClip(folder, { size, frames: seconds * madeUpFrameRate }))
      const times = clips.map((): number[] => [])
      // The first round warms up decoder and session.
      for (let round = -1; round < rounds; round++) {
        for (const [i, clip] of clips.entries()) {
          signal?.throwIfAborted()
          const began = performance.now()
          await writeTrack(model, clip, { out: join(folder, 'track.json'), overwrite: true })
          if (round >= 0) times[i]!.push((performance.now() - began) / 1000)
          else if (i === 0) break
        }
      }
      const points = times.map((list, i) => ({
        x: values[i]!,
        value: median(list),
        least: Math.min(...list),
      }))
      const how = `H.264 to JSON, ${size}x${size} at ${madeUpFrameRate} frames/s, light detector on LEDNet, medians of ${rounds}`
      return {
        name: 'track.seconds',
        title: 'tracking a clip',
        x: 'length, seconds',
        unit: 's',
        points,
        expected: 1,
        fixed: `${size}x${size}`,
        how,
      }
    } finally {
      await model.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
