// Curves of a training, from lines of its metrics: the loss, what it is made of, and the error on held-out frames.
import type { MetricsRecord } from 'pantin/web'
import { stored } from './stored.ts'

/** A point of a curve: x is a step. */
export type Point = readonly [x: number, y: number]

/** What a line of metrics says of a training: the loss at a step, or the error on held-out frames. */
export interface CurvePoint {
  readonly step: number
  readonly loss?: number
  /** What the loss is made of, without terms that are 0. */
  readonly terms?: Readonly<Record<string, number>>
  readonly heldOut?: HeldOut
}

/** The mean absolute difference to held-out frames, of pictures in [0, 1]. */
export interface HeldOut {
  /** Of the moved picture. */
  readonly l1: number
  /** Of the still picture. */
  readonly still: number
}

/** Numbers of a line that are no terms of the loss. */
const others = new Set(['step', 'elapsed', 'learningRate', 'loss', 'gradientNorm'])

/** The points that lines of metrics give. Lines that say nothing of either are left out. */
export function curvePointsOf(records: readonly MetricsRecord[]): CurvePoint[] {
  return records.flatMap(({ step, ...record }): CurvePoint[] => {
    const heldOut = heldOutOf(record.preview)
    if (heldOut !== undefined) return [{ step, heldOut }]
    if (typeof record.loss !== 'number') return []
    return [{ step, loss: record.loss, terms: termsOf(record) }]
  })
}

/** The terms of a loss among numbers by name. */
export function termsOf(numbers: Readonly<Record<string, unknown>>): Readonly<Record<string, number>> {
  const terms = Object.entries(numbers).filter(
    (entry): entry is [string, number] =>
      !others.has(entry[0]) && typeof entry[1] === 'number' && entry[1] > 0,
  )
  return Object.fromEntries(terms)
}

export function heldOutOf(measures: unknown): HeldOut | undefined {
  const { l1, still } = (measures ?? {}) as Partial<HeldOut>
  return typeof l1 === 'number' && typeof still === 'number' ? { l1, still } : undefined
}

/** What a chart shows of trainings: `loss`, `heldOut`, or the name of a term. */
export function valueAt({ loss, terms, heldOut }: CurvePoint, shown: string): number | undefined {
  if (shown === 'loss') return loss
  return shown === 'heldOut' ? heldOut && heldOut.l1 / heldOut.still : terms?.[shown]
}

const words: Readonly<Record<string, string>> = {
  loss: 'loss',
  heldOut: 'error on held-out frames (1: the still picture)',
  reconstruction: 'difference of pictures',
  perceptual: 'difference of features',
  equivarianceValue: 'points of a warped picture',
  equivarianceJacobian: 'directions of a warped picture',
  flow: 'motion',
  occlusion: 'what is hidden',
  landmarks: 'places of landmarks',
  openings: 'openings of eyes and mouth',
  kept: 'what the model knew before',
  nearPoints: 'difference of pictures near known points',
  adversarial: 'what looks unreal',
  featureMatching: 'features that look unreal',
  value: 'places of keypoints, squared',
  distance: 'distance of keypoints',
  jacobian: 'directions around keypoints',
  heatmap: 'difference of heatmaps',
  divergence: 'divergence of heatmaps',
  attention: 'what the network looks at',
  features: 'features inside the network',
  picture: 'difference from the picture of the teacher',
}

/** The name of a curve for people. A loss of the user's own has its name. */
export const curveTitle = (name: string): string => words[name] ?? name

/** Part of a curve, 0 to 0.2, over which each of its points is a mean. */
export const smoothing = stored<number>('curves.smoothing', 0.05)

/** Each point as the mean of its neighbours, within a part of the curve. */
export function smoothed(points: readonly Point[], part: number): readonly Point[] {
  const width = Math.floor((points.length * part) / 2)
  if (width === 0) return points
  const sums = [0]
  for (const [, y] of points) sums.push(sums.at(-1)! + y)
  return points.map(([x], i) => {
    const [from, to] = [Math.max(0, i - width), Math.min(points.length, i + width + 1)]
    return [x, (sums[to]! - sums[from]!) / (to - from)] as const
  })
}
