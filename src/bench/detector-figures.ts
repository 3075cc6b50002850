import { availableParallelism } from 'node:os'
import { benchDetector, type DetectorBench, type DetectorBenchOptions } from './detector.ts'
import { detectorFrameSize } from './detector-models.ts'
import type { Figure } from './figure.ts'

export interface DetectorFiguresOptions extends Pick<DetectorBenchOptions, 'rounds' | 'signal' | 'onRun'> {
  /** Counts of threads to measure with (default: 1, and one for each core). */
  readonly threads?: readonly number[]
}

/** The exact and the light detector against the published one on the CPU, once for each count of threads. */
export async function detectorFigures(options: DetectorFiguresOptions = {}): Promise<Figure[]> {
  const { threads: counts = [...new Set([1, availableParallelism()])], ...rest } = options
  const figures: Figure[] = []
  for (const threads of counts) {
    figures.push(...figuresOfDetectors(await benchDetector({ ...rest, threads, device: 'cpu' }), threads))
  }
  return figures
}

/** What one bench of the detectors, on the CPU, found. */
export function figuresOfDetectors({ rows, rounds }: DetectorBench, threads: number): Figure[] {
  const [published, ...ours] = rows
  const count = `${threads}thread${threads === 1 ? '' : 's'}`
  return ours.map(({ form, latency, ratio, target }) => ({
    name: `detector.${form}.cpu.${count}`,
    value: latency.median,
    unit: 'ms',
    peer: { name: 'the published detector', value: published!.latency.median },
    ratio,
    target: { atLeast: target },
    how:
      `1x3x${detectorFrameSize}x${detectorFrameSize}, ${threads} thread${threads === 1 ? '' : 's'}, medians of ` +
      `${rounds} interleaved rounds; least ${latency.min.toPrecision(3)} against ` +
      `${published!.latency.min.toPrecision(3)} ms`,
  }))
}
