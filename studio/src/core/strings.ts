// The strings of a picture: directions in which its keypoints move together. Pulled, they give a pose; a point that is
// pulled itself pulls the strings that move it.
import type { Pose } from 'pantin/web'
import { directionsOf } from './directions.ts'

/** A direction in which keypoints move. */
export interface PulledString {
  readonly name: string
  /** [K, 2], flat: how far each keypoint goes at a full pull, as parts of the keypoints' spread. */
  readonly value: readonly number[]
  /** [K, 2, 2], flat: what a full pull adds to the identity, by which each local map is changed. */
  readonly jacobian: readonly number[]
}

/** What the strings are tied to: the keypoints of the picture at rest. */
export interface Puppet {
  readonly strings: readonly PulledString[]
  readonly rest: Pose
}

/** How the strings are pulled. */
export interface Pull {
  /** Of each string: 0 is at rest, 1 and -1 are full pulls. */
  readonly pulls: readonly number[]
  /** How far points were pulled beyond the strings. */
  readonly offsets: Offsets
  /** How far beside their places points are aimed, so that the picture gets to the places: see `settled`. */
  readonly aims: Offsets
}

/** x and y by the number of the point, in [-1, 1]. */
export type Offsets = ReadonlyMap<number, readonly [number, number]>

/** A string does not go further. */
const furthest = 1.5
/** A pulled point takes its neighbours along within about this part of the spread. */
const reach = 0.3
/** The same for its aim: a short way that nearly everything goes tears nothing. */
const aimReach = 1
/** What a pull costs, over the square of how far the point is from where it is put: cheap, so that it gets there. */
const stiffness = 0.002
export const atRest = ({ strings }: Puppet): Pull => ({
  pulls: strings.map(() => 0),
  ...{ offsets: new Map(), aims: new Map() },
})

/** Root mean square distance of points from their middle. */
export function spreadOf(points: readonly (readonly number[])[]): number {
  const [x, y] = [0, 1].map((axis) => points.reduce((sum, p) => sum + p[axis]!, 0) / points.length)
  const squares = points.reduce((sum, p) => sum + (p[0]! - x!) ** 2 + (p[1]! - y!) ** 2, 0)
  return Math.sqrt(squares / points.length)
}

/** Where the keypoints are put, and their local maps. */
export function poseOf({ strings, rest }: Puppet, { pulls, offsets }: Omit<Pull, 'aims'>): Pose {
  const spread = spreadOf(rest.value)
  const along = (at: number, which: 'value' | 'jacobian') =>
    strings.reduce((sum, string, s) => sum + pulls[s]! * string[which][at]!, 0)
  const value = rest.value.map((point, k) => {
    const own = [spread * along(2 * k, 'value'), spread * along(2 * k + 1, 'value')]
    const [x, y] = carried(rest.value, k, offsets, reach * spread)
    return [point[0]! + own[0]! + x, point[1]! + own[1]! + y]
  })
  const jacobian = rest.jacobian?.map((map, k) =>
    [0, 1].map((row) =>
      [0, 1].map((column) =>
        [0, 1].reduce((sum, i) => {
          const change = (row === i ? 1 : 0) + along(4 * k + 2 * row + i, 'jacobian')
          return sum + change * map[i]![column]!
        }, 0),
      ),
    ),
  )
  return { value, ...(jacobian && { jacobian }) }
}

/** How far a point is carried along by others. @param reach in [-1, 1] */
function carried(
  points: readonly (readonly number[])[],
  k: number,
  offsets: Offsets,
  reach: number,
): readonly [number, number] {
  let [x, y] = [0, 0]
  for (const [other, offset] of offsets) {
    const apart = Math.hypot(points[k]![0]! - points[other]![0]!, points[k]![1]! - points[other]![1]!) / reach
    const part = Math.exp(-apart * apart)
    x += part * offset[0]
    y += part * offset[1]
  }
  return [x, y]
}

/** The pose that a model is given, which aims points beside their places. */
export function aimedPose(puppet: Puppet, pull: Pull): Pose {
  const { value, ...maps } = poseOf(puppet, pull)
  const { value: rest } = puppet.rest
  const reach = aimReach * spreadOf(rest)
  const aimed = value.map((point, k) => {
    const [x, y] = carried(rest, k, pull.aims, reach)
    return [point[0]! + x, point[1]! + y]
  })
  return { value: aimed, ...maps }
}

/** The sum of a part of offsets and a part of others. */
export function mixed(one: Offsets, other: Offsets, part: number, otherPart: number): Offsets {
  const points = new Set([...one.keys(), ...other.keys()])
  const none = [0, 0] as const
  return new Map(
    [...points].map((k) => {
      const [[ax, ay], [bx, by]] = [one.get(k) ?? none, other.get(k) ?? none]
      return [k, [part * ax + otherPart * bx, part * ay + otherPart * by] as const]
    }),
  )
}

/**
 * Pulls a point to a place. The strings are pulled as cheaply as gets it there (least squares with a ridge): a pull costs what
 * the strings go, how far all points go by it, and how much it stretches what lies between them, so that a pulled knee does not
 * throw a hand. The point goes the rest of the way by itself.
 *
 * @param from how the strings were before the point was taken
 */
export function pulled(puppet: Puppet, from: Pull, k: number, to: readonly [number, number]): Pull {
  const without = (offsets: Offsets) => new Map([...offsets].filter(([point]) => point !== k))
  const others = without(from.offsets)
  const spread = spreadOf(puppet.rest.value)
  const placeIn = (pull: Omit<Pull, 'aims'>) => poseOf(puppet, pull).value[k]!
  const now = placeIn({ pulls: from.pulls, offsets: others })
  const [dx, dy] = [to[0] - now[0]!, to[1] - now[1]!]
  const directions = directionsOf(puppet.strings, puppet.rest.value, spread)
  const rows = directions.map(({ value }) => [spread * value[2 * k]!, spread * value[2 * k + 1]!] as const)
  const sum = (i: 0 | 1, j: 0 | 1) => rows.reduce((total, row) => total + row[i] * row[j], 0)
  const ridge = stiffness * spread * spread
  const [a, b, d] = [sum(0, 0) + ridge, sum(0, 1), sum(1, 1) + ridge]
  const determinant = a * d - b * b
  const [u, v] = [(d * dx - b * dy) / determinant, (a * dy - b * dx) / determinant]
  const parts = rows.map(([x, y]) => x * u + y * v)
  const pulls = from.pulls.map((pull, s) =>
    limited(directions.reduce((sum, { pulls }, i) => sum + parts[i]! * pulls[s]!, pull)),
  )
  const reached = placeIn({ pulls, offsets: others })
  const rest = [to[0] - reached[0]!, to[1] - reached[1]!] as const
  return { pulls, offsets: new Map([...others, [k, rest]]), aims: without(from.aims) }
}

const limited = (pull: number): number => Math.min(furthest, Math.max(-furthest, pull))

/** A pull between two others, at a part of the way: slow at both ends. */
export function between(one: Pull, other: Pull, part: number): Pull {
  const t = part * part * (3 - 2 * part)
  const points = (which: 'offsets' | 'aims') => mixed(one[which], other[which], 1 - t, t)
  return {
    pulls: one.pulls.map((pull, s) => pull + t * (other.pulls[s]! - pull)),
    offsets: points('offsets'),
    aims: points('aims'),
  }
}

/**
 * Strings of a model that comes with none: the principal directions of keypoints that were seen moving.
 *
 * @param seen poses of one thing that moved, at least two
 * @param most number of strings
 */
export function stringsOf(seen: readonly Pose[], most = 5): readonly PulledString[] {
  const points = seen[0]!.value.length
  const middle = (rows: readonly (readonly number[])[]) =>
    rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length)
  const values = seen.map(({ value }) => value.flat())
  const centre = middle(values)
  const spread = spreadOf(Array.from({ length: points }, (_, k) => centre.slice(2 * k, 2 * k + 2)))
  const moves = values.map((row) => row.map((x, i) => (x - centre[i]!) / spread))
  const maps = relativeMaps(seen, middle)
  const strings: PulledString[] = []
  const total = energy(moves)
  while (strings.length < most && energy(moves) > 0.01 * total) {
    const direction = mainDirection(moves)
    const weights = moves.map((row) => row.reduce((sum, x, i) => sum + x * direction[i]!, 0))
    const full = 2 * Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0) / weights.length)
    const squares = weights.reduce((sum, w) => sum + w * w, 0)
    const jacobian = (maps[0] ?? []).map(
      (_, i) => (full * maps.reduce((sum, row, f) => sum + weights[f]! * row[i]!, 0)) / squares,
    )
    strings.push({
      name: `Movement ${strings.length + 1}`,
      value: direction.map((x) => full * x),
      jacobian,
    })
    moves.forEach((row, f) => {
      row.forEach((x, i) => {
        row[i] = x - weights[f]! * direction[i]!
      })
    })
  }
  return strings
}

const energy = (rows: readonly (readonly number[])[]): number =>
  rows.reduce((sum, row) => sum + row.reduce((own, x) => own + x * x, 0), 0)

/** The unit vector along which rows spread most, by power iteration. */
function mainDirection(rows: readonly (readonly number[])[]): readonly number[] {
  let direction: number[] = [...rows.reduce((a, b) => (energy([a]) > energy([b]) ? a : b))]
  for (let i = 0; i < 50; i++) {
    const next = direction.map(() => 0)
    for (const row of rows) {
      const weight = row.reduce((sum, x, at) => sum + x * direction[at]!, 0)
      row.forEach((x, at) => {
        next[at] = next[at]! + weight * x
      })
    }
    const length = Math.sqrt(energy([next])) || 1
    direction = next.map((x) => x / length)
  }
  return direction
}

/** What each local map does after the mean one, less the identity, flat; without maps, empty rows. */
function relativeMaps(
  seen: readonly Pose[],
  middle: (rows: readonly (readonly number[])[]) => number[],
): readonly (readonly number[])[] {
  const maps = seen.map(({ jacobian }) => jacobian?.flat(2) ?? [])
  const mean = middle(maps)
  return maps.map((row) =>
    row.map((_, at) => {
      const k = at - (at % 4)
      const [a, b, c, d] = mean.slice(k, k + 4) as [number, number, number, number]
      const over = 1 / (a * d - b * c)
      const inverse = [d * over, -b * over, -c * over, a * over]
      const [i, j] = [Math.floor((at % 4) / 2), at % 2]
      const product = row[k + 2 * i]! * inverse[j]! + row[k + 2 * i + 1]! * inverse[2 + j]!
      return product - (i === j ? 1 : 0)
    }),
  )
}
