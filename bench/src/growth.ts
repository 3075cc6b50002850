// The part `growth`: how time grows with batch, size, keypoints and the length of a clip.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeTrack } from '../../src/animate/track.ts'
import { type GrowthName, growthNames } from '../../src/cli/bench-parts.ts'
import { openModel } from '../../src/model/open-model.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { detectorGraph } from '../../src/motion/model.ts'
import { timeGraphs } from '../../src/profile/time-graphs.ts'
import { coresHere } from '../../src/runtime/node.ts'
import type { Figure } from './figure.ts'
import { clipFrameRate, makeClip, makeRun } from './fixtures.ts'
import { median, type StepTask, timeSteps } from './stepper.ts'

/** The values that are timed by default. */
export const growthValues: Readonly<Record<GrowthName, readonly number[]>> = {
  'step.batch': [1, 2, 4, 8, 16],
  'step.size': [32, 48, 64, 96, 128],
  // As many as there are cores, each with two pairs or more.
  'step.replicas': [1, 2, 4, 8].filter((replicas) => replicas <= coresHere()),
  'detector.size': [64, 128, 192, 256, 384, 512],
  'detector.keypoints': [5, 10, 20, 30, 40, 50],
  'track.seconds': [2, 4, 8, 16],
}

export interface GrowthOptions {
  /** The series, and the values of each (default: `growthValues`). */
  readonly values?: Readonly<Partial<Record<GrowthName, readonly number[]>>>
  /** Number of timed runs at each value (default: 5 for a step, 30 for a detector, 3 for a clip). */
  readonly rounds?: number
  /** Threads of the CPU (default: one for each core). */
  readonly threads?: number
  readonly signal?: AbortSignal
  /** After each series. */
  onSeries?(done: number, total: number): void
}

/**
 * Times each series, on LEDNet and on the CPU.
 *
 * @throws EnvironmentError if clips are asked for and there are no video codecs. The signal's reason, if it is aborted.
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

/** A figure for each point, and one that says whether long clips are as fast as short ones. */
export const figuresOfGrowth = (series: readonly GrowthSeries[]): Figure[] => [
  ...series.flatMap(pointFigures),
  ...series.filter(({ name }) => name === 'track.seconds').map(flatRate),
]

/** Frames per second of the longest clip, compared with the shortest. */
function flatRate({ points, how }: GrowthSeries): Figure {
  const rate = ({ x, value }: GrowthPoint) => (x * clipFrameRate) / value
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
  'step.replicas': (values, options) =>
    stepSeries(values, options, {
      name: 'step.replicas',
      x: 'replicas',
      expected: -1,
      choose: (replicas) => ({ batch: 16, size: 64, replicas, threads: replicas }),
      fixed: 'batch 16, one thread each',
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
  /** The settings that do not change. */
  readonly fixed: string
}

async function stepSeries(
  values: readonly number[],
  { rounds = 5, threads = coresHere(), signal }: GrowthOptions,
  { choose, ...series }: Varied<Pick<StepTask, 'batch' | 'size'> & Partial<StepTask>>,
): Promise<GrowthSeries> {
  const timings = new Map<number, { median: number; min: number }>()
  // Forward and backward: if the machine is busy for a while, it slows one pass at a value, seldom both.
  for (const x of [...values, ...values.toReversed()]) {
    const task = {
      what: 'step',
      net: 'lednet',
      threads,
      replicas: 1,
      warmUp: 1,
      steps: rounds,
      ...choose(x),
    } as const
    const now = await timeSteps(task, signal)
    const before = timings.get(x) ?? now
    timings.set(x, { median: Math.min(before.median, now.median), min: Math.min(before.min, now.min) })
  }
  const points = [...timings].map(([x, { median, min }]) => ({ x, value: median, least: min }))
  const on = series.name === 'step.replicas' ? '' : `, ${threads} threads`
  const how = `${series.fixed}${on}, the better of two passes' medians of ${rounds}`
  return { ...series, title: 'training step of LEDNet', unit: 'ms', points, how }
}

async function detectorSeries(
  values: readonly number[],
  { rounds = 30, threads = coresHere(), signal }: GrowthOptions,
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
    const run = await makeRun(folder, 'run', smallConfig({ net: 'lednet', size, generator: 'light' }))
    const model = await openModel(run, { device: 'cpu' })
    try {
      const clips = []
      for (const seconds of values)
        clips.push(await makeClip(folder, { size, frames: seconds * clipFrameRate }))
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
      const how = `H.264 to JSON, ${size}x${size} at ${clipFrameRate} frames/s, light detector on LEDNet, medians of ${rounds}`
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

/** The times at several values of one setting, with all other settings fixed. */
export interface GrowthSeries {
  /** Part of the figures' names: `step.batch`. */
  readonly name: string
  /** What is timed, in words. */
  readonly title: string
  /** What grows, with its unit. */
  readonly x: string
  readonly unit: 'ms' | 's'
  readonly points: readonly GrowthPoint[]
  /** The expected exponent: time grows at most with this power of x, or falls with it if it is below 0. */
  readonly expected: number
  /** The settings that do not change. */
  readonly fixed: string
  readonly how: string
}

export interface GrowthPoint {
  readonly x: number
  /** The median. */
  readonly value: number
  readonly least: number
}

/**
 * The exponent with which time grows: the slope of a straight line through the logarithms (least squares).
 * 1 means in proportion to x, 2 in proportion to its square. NaN for fewer than two points.
 */
export function power({ points }: GrowthSeries): number {
  const logs = points.map(({ x, value }) => [Math.log(x), Math.log(value)] as const)
  const mean = (i: 0 | 1) => logs.reduce((sum, log) => sum + log[i], 0) / logs.length
  const [x, y] = [mean(0), mean(1)]
  const covariance = logs.reduce((sum, log) => sum + (log[0] - x) * (log[1] - y), 0)
  return covariance / logs.reduce((sum, log) => sum + (log[0] - x) ** 2, 0)
}

/** A figure for each point. */
const pointFigures = ({ name, title, unit, x: what, points, how }: GrowthSeries): Figure[] =>
  points.map(({ x, value, least }) => ({
    name: `growth.${name}.${x}`,
    value,
    unit,
    how: `${title}, ${what}: ${x}; ${how}; least ${least.toPrecision(3)} ${unit}`,
  }))
