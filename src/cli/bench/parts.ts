import type { Figure } from '../../bench/figure.ts'
import type { GrowthSeries } from '../../bench/growth-series.ts'
import { type GrowthName, growthNames, growthValues } from '../../bench/growth-values.ts'
import type { LeftOut } from '../../bench/left-out.ts'
import { PantinError } from '../../util/errors.ts'
import type { Context } from '../context.ts'
import type { PartName } from './part-names.ts'

export interface PartOptions {
  /** Timed runs of each thing; every part has a default of its own. */
  readonly rounds?: number
  readonly threads?: number
  /** A Python that has PyTorch. */
  readonly python?: string
  /** Backbones of the training step. */
  readonly nets?: readonly string[]
  /** Length of the long clip of `real-time`; without it there is none. */
  readonly minutes?: number
  /** Series of `growth`. */
  readonly series?: readonly GrowthName[]
  /** Measure less of each: for all parts together. */
  readonly brief: boolean
}

/** What was measured. */
export interface Found {
  readonly figures: Figure[]
  readonly leftOut: LeftOut[]
  readonly growth: GrowthSeries[]
}

/**
 * Measures parts one after the other. Where there are several, one that cannot be measured here is left out.
 *
 * @throws the part's error where there is one alone. The signal's reason, if it is aborted.
 */
export async function measureParts(
  parts: readonly PartName[],
  options: PartOptions,
  context: Context,
): Promise<Found> {
  const found: Found = { figures: [], leftOut: [], growth: [] }
  for (const name of parts) {
    context.signal.throwIfAborted()
    try {
      await measures[name](found, options, context)
    } catch (error) {
      context.signal.throwIfAborted()
      if (parts.length === 1 || !(error instanceof PantinError)) throw error
      found.leftOut.push({ name, why: error.message })
    }
  }
  return found
}

type Measure = (found: Found, options: PartOptions, context: Context) => Promise<void>

const measures: Readonly<Record<PartName, Measure>> = {
  async step({ figures, leftOut }, { brief, nets, python, ...options }, { reporter, signal }) {
    const { stepFigures } = await import('../../bench/step.ts')
    figures.push(
      ...(await stepFigures({
        signal,
        ...count(options),
        ...(nets && { nets }),
        ...(python !== undefined && { python }),
        ...(brief && { turns: 1 }),
        onLeftOut: (one) => leftOut.push(one),
        onProgress: (done, total) => reporter.progress({ phase: 'step', done, total, unit: 'processes' }),
      })),
    )
  },
  async detector({ figures }, options, { reporter, signal }) {
    const { detectorFigures } = await import('../../bench/detector-figures.ts')
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
    const { realTimeFigures } = await import('../../bench/real-time.ts')
    let done = 0
    const total = realTimeCount + (minutes > 0 ? 1 : 0)
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
    const { browserFigures } = await import('../../bench/browser.ts')
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
    const { figuresOfGrowth, growth } = await import('../../bench/growth.ts')
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

/** Of motion in real time, the long clip left out. */
const realTimeCount = 5

const count = ({ rounds, threads }: Pick<PartOptions, 'rounds' | 'threads'>) => ({
  ...(rounds !== undefined && { rounds }),
  ...(threads !== undefined && { threads }),
})
