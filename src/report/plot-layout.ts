// Layout of plots: logarithmic axes with round ticks, and places for the labels of points, so that no label covers another
// label or a point. Reports and the studio use it.

/** A logarithmic axis. */
export interface Scale {
  /** Where a value stands, in pixels. */
  at(value: number): number
  /** The values that are marked. */
  readonly ticks: readonly number[]
}

/** An axis shows at least this ratio by default, so that differences of a few percent look small. */
const defaultRatio = 6
/** Part of the axis that stays free on each side. */
const margin = 0.07

/**
 * A logarithmic axis that shows all values.
 *
 * @param values above 0
 * @param range pixels of the axis' beginning and end; the end may be smaller
 * @param mostTicks that there is room for
 * @param leastRatio that the axis shows, of its end to its beginning
 */
export function logScale(
  values: readonly number[],
  range: readonly [number, number],
  mostTicks: number,
  leastRatio = defaultRatio,
): Scale {
  const logs = values.map(Math.log10)
  const middle = (Math.min(...logs) + Math.max(...logs)) / 2
  const least = Math.log10(leastRatio) / 2
  const half = Math.max(least, (Math.max(...logs) - Math.min(...logs)) / 2) / (1 - 2 * margin)
  const [low, high] = [middle - half, middle + half]
  const [from, to] = range
  return {
    at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from),
    ticks: ticksBetween(10 ** low, 10 ** high, mostTicks, leastRatio < defaultRatio),
  }
}

/** 1, 2 and 5 times powers of ten; the powers alone where that would be too many. @param narrow others where those are few */
function ticksBetween(low: number, high: number, most: number, narrow: boolean): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))]
  const powers = Array.from({ length: last - first + 1 }, (_, i) => first + i)
  const multiples = (factors: readonly number[]) =>
    powers
      .flatMap((power) => factors.map((factor) => Number((factor * 10 ** power).toPrecision(1))))
      .filter((tick) => tick >= low && tick <= high)
  const fine = multiples([1, 2, 5])
  if (narrow && fine.length < 3) return evenTicks(low, high, most)
  return fine.length <= most ? fine : multiples([1])
}

/** Whole multiples of 1, 2 or 5 times a power of ten: where the axis spans less than three of those themselves. */
function evenTicks(low: number, high: number, most: number): number[] {
  const power = Math.floor(Math.log10(high - low)) - 1
  const steps = [1, 2, 5, 10, 20, 50].map((factor) => Number((factor * 10 ** power).toPrecision(1)))
  const step = steps.find((one) => (high - low) / one < most) ?? high
  const first = Math.ceil(low / step)
  const count = Math.floor(high / step) - first + 1
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * step).toPrecision(6)))
}

export interface Box {
  /** The upper left corner. */
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface Spot {
  readonly x: number
  readonly y: number
}

export type Segment = readonly [Spot, Spot]

export interface LabelOptions {
  /** Labels stay in here. */
  readonly area: Box
  /** Of a point, in pixels. */
  readonly radius: number
  /** Width of a label; all are `height` high. */
  widthOf(text: string): number
  readonly height: number
  /** Lines that labels keep off where they can. */
  readonly avoid?: readonly Segment[]
}

export interface Label {
  readonly box: Box
  /** Which side of the box the text keeps to: the one that faces its point. */
  readonly anchor: 'start' | 'middle' | 'end'
  /** From the label to its point, where they are not close. */
  readonly leader: Segment | undefined
}

const distances = [0, 4, 9, 15, 22, 30, 40, 52, 66, 82, 100, 120, 145]
/** Directions with their costs: the right reads best. */
const directions = [
  [1, 0, 0],
  [-1, 0, 3],
  [0, -1, 2],
  [0, 1, 2],
  [0.7, -0.7, 1],
  [0.7, 0.7, 1],
  [-0.7, -0.7, 4],
  [-0.7, 0.7, 4],
  [0.35, -0.95, 2],
  [0.35, 0.95, 2],
  [-0.35, -0.95, 3],
  [-0.35, 0.95, 3],
  [0.94, -0.34, 2],
  [0.94, 0.34, 2],
  [-0.94, -0.34, 4],
  [-0.94, 0.34, 4],
] as const

/**
 * Gives each point's label the nearest free place. Points marked `first` choose first, then points in a crowd.
 *
 * @returns a place for each point, in their order; undefined if none is free.
 */
export function placeLabels(
  points: readonly (Spot & { readonly text: string; readonly first?: boolean })[],
  options: LabelOptions,
): (Label | undefined)[] {
  const crowd = points.map((a) => points.filter((b) => Math.hypot(a.x - b.x, a.y - b.y) < 60).length)
  const rank = points.map(({ first, y }, i) => (first ? -1e9 : -1e5 * crowd[i]!) + y)
  const order = points.map((_, i) => i).sort((a, b) => rank[a]! - rank[b]!)
  const placed: Label[] = []
  const labels: (Label | undefined)[] = points.map(() => undefined)
  for (const i of order) {
    const free = candidates(points[i]!, options)
      .filter(({ label }) => isFree(label, points, placed, options))
      .sort((a, b) => a.cost - b.cost)
    const best = (free.find(({ label }) => isClear(label, placed)) ?? free[0])?.label
    if (best === undefined) continue
    labels[i] = best
    placed.push(best)
  }
  return labels
}

function candidates(point: Spot & { readonly text: string }, options: LabelOptions) {
  const { radius, height, avoid = [] } = options
  const width = options.widthOf(point.text)
  return distances.flatMap((distance) =>
    directions.map(([dx, dy, aside]) => {
      const reach = radius + 3 + distance
      const middle = { x: point.x + dx * (reach + width / 2), y: point.y + dy * (reach + height / 2) }
      const box = { x: middle.x - width / 2, y: middle.y - height / 2, width, height }
      const leader = distance < 9 ? undefined : leaderTo(box, point, radius)
      const crossed = avoid.filter((segment) => crosses(segment, box)).length
      const anchor = dx > 0.5 ? 'start' : dx < -0.5 ? 'end' : 'middle'
      return { label: { box, anchor, leader } as const, cost: distance + aside + 14 * Math.min(crossed, 1) }
    }),
  )
}

/** From the nearest place of the box's border to the point's. */
function leaderTo(box: Box, point: Spot, radius: number): Segment {
  const near = {
    x: Math.min(Math.max(point.x, box.x), box.x + box.width),
    y: Math.min(Math.max(point.y, box.y), box.y + box.height),
  }
  const length = Math.hypot(near.x - point.x, near.y - point.y)
  const part = Math.min(1, (radius + 1) / Math.max(length, 1e-9))
  return [near, { x: point.x + part * (near.x - point.x), y: point.y + part * (near.y - point.y) }]
}

/** Whether a label is inside and covers nothing. */
function isFree(
  { box }: Label,
  points: readonly Spot[],
  placed: readonly Label[],
  { area, radius }: LabelOptions,
): boolean {
  const inside =
    box.x >= area.x &&
    box.y >= area.y &&
    box.x + box.width <= area.x + area.width &&
    box.y + box.height <= area.y + area.height
  return (
    inside &&
    !points.some(({ x, y }) => overlap(box, around(x, y, radius + 1))) &&
    !placed.some((other) => overlap(box, other.box))
  )
}

/** Whether no line between a label and its point passes through another label. */
const isClear = ({ box, leader }: Label, placed: readonly Label[]): boolean =>
  placed.every(
    (other) => !(other.leader && crosses(other.leader, box)) && !(leader && crosses(leader, other.box)),
  )

const around = (x: number, y: number, reach: number): Box => ({
  x: x - reach,
  y: y - reach,
  width: 2 * reach,
  height: 2 * reach,
})

/** Boxes that share more than a border. */
export const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height

/** Whether a line passes through a box, seen at every second pixel. */
function crosses([from, to]: Segment, box: Box): boolean {
  const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / 2))
  for (let i = 0; i <= steps; i++) {
    const x = from.x + (i / steps) * (to.x - from.x)
    const y = from.y + (i / steps) * (to.y - from.y)
    if (x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height) return true
  }
  return false
}
