// The strings of a picture: directions in which its keypoints move together. Pulled, they give a pose; a point that is
// pulled itself pulls the strings that move it.
import type { Pose } from 'pantin/web'
import { directionsOf } from './directions.ts'
import { follow, turned } from './rigid.ts'

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

/** Where strings and points are. */
export interface Pulled {
  /** Of each string: 0 is at rest, 1 and -1 are full pulls. */
  readonly pulls: readonly number[]
  /** How far points were pulled beyond the strings. */
  readonly offsets: Offsets
}

/** How the strings are pulled. */
export interface Pull extends Pulled {
  /** What the model is told instead, so that the picture gets to the places: see `settled`. */
  readonly aim?: Pulled
}

/** x and y by the number of the point, in [-1, 1]. */
export type Offsets = ReadonlyMap<number, readonly [number, number]>

/** A string does not go further. */
const furthest = 1.5
/** What a pull costs, over the square of how far the point is from where it is put: cheap, so that it gets there. */
const stiffness = 0.002
export const atRest = ({ strings }: Puppet): Pull => ({
  pulls: strings.map(() => 0),
  offsets: new Map(),
})

/** Root mean square distance of points from their middle. */
export function spreadOf(points: readonly (readonly number[])[]): number {
  const [x, y] = [0, 1].map((axis) => points.reduce((sum, p) => sum + p[axis]!, 0) / points.length)
  const squares = points.reduce((sum, p) => sum + (p[0]! - x!) ** 2 + (p[1]! - y!) ** 2, 0)
  return Math.sqrt(squares / points.length)
}

/** Poses that were computed. A pull is asked for several times in each picture that is shown. */
const known = new WeakMap<Pulled, { readonly puppet: Puppet; readonly pose: Pose }>()

/** Where the keypoints are put, and their local maps. Points that were pulled beyond the strings take their neighbours along. */
export function poseOf(puppet: Puppet, how: Pulled): Pose {
  const before = known.get(how)
  if (before?.puppet === puppet) return before.pose
  const pose = computedPose(puppet, how)
  known.set(how, { puppet, pose })
  return pose
}

function computedPose(puppet: Puppet, { pulls, offsets }: Pulled): Pose {
  const pose = stringPose(puppet, pulls)
  if (offsets.size === 0) return pose
  const places = new Map(
    [...offsets].map(([k, [x, y]]) => [k, [pose.value[k]![0]! + x, pose.value[k]![1]! + y]] as const),
  )
  const { value, turns } = follow(pose.value, places, spreadOf(puppet.rest.value))
  const jacobian = pose.jacobian?.map((map, k) => {
    const columns = [0, 1].map((column) => turned(turns[k]!, [map[0]![column]!, map[1]![column]!]))
    return [0, 1].map((row) => [columns[0]![row]!, columns[1]![row]!])
  })
  return { value, ...(jacobian && { jacobian }) }
}

/** Where strings alone put the keypoints, and their local maps. */
function stringPose({ strings, rest }: Puppet, pulls: readonly number[]): Pose {
  const spread = spreadOf(rest.value)
  const along = (at: number, which: 'value' | 'jacobian') =>
    strings.reduce((sum, string, s) => sum + pulls[s]! * string[which][at]!, 0)
  const value = rest.value.map((point, k) =>
    point.map((x, axis) => x + spread * along(2 * k + axis, 'value')),
  )
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

/** The pose that a model is given. */
export const aimedPose = (puppet: Puppet, pull: Pull): Pose => poseOf(puppet, pull.aim ?? pull)

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
 * throw a hand. The point goes the rest of the way with its neighbours.
 *
 * @param from how the strings were before the point was taken
 */
export function pulled(puppet: Puppet, from: Pull, k: number, to: readonly [number, number]): Pull {
  // Other points stay where they are aimed.
  const aim = from.aim && pulledTo(puppet, from.aim, k, to)
  return { ...pulledTo(puppet, from, k, to), ...(aim && { aim }) }
}

/** Directions of puppets that were pulled. They stay the same as long as a picture does. */
const directionsOfPuppets = new WeakMap<Puppet, ReturnType<typeof directionsOf>>()

function directionsIn(puppet: Puppet, spread: number): ReturnType<typeof directionsOf> {
  const before = directionsOfPuppets.get(puppet)
  if (before !== undefined) return before
  const directions = directionsOf(puppet.strings, puppet.rest.value, spread)
  directionsOfPuppets.set(puppet, directions)
  return directions
}

/** The same for what a model is told. */
export function pulledTo(puppet: Puppet, from: Pulled, k: number, to: readonly [number, number]): Pulled {
  const others = new Map([...from.offsets].filter(([point]) => point !== k))
  const spread = spreadOf(puppet.rest.value)
  const now = poseOf(puppet, { pulls: from.pulls, offsets: others }).value[k]!
  const [dx, dy] = [to[0] - now[0]!, to[1] - now[1]!]
  const directions = directionsIn(puppet, spread)
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
  const reached = stringPose(puppet, pulls).value[k]!
  const rest = [to[0] - reached[0]!, to[1] - reached[1]!] as const
  return { pulls, offsets: new Map([...others, [k, rest]]) }
}

const limited = (pull: number): number => Math.min(furthest, Math.max(-furthest, pull))

/** A pull between two others, at a part of the way: slow at both ends. */
export function between(one: Pull, other: Pull, part: number): Pull {
  const t = part * part * (3 - 2 * part)
  const mix = (a: Pulled, b: Pulled): Pulled => ({
    pulls: a.pulls.map((pull, s) => pull + t * (b.pulls[s]! - pull)),
    offsets: mixed(a.offsets, b.offsets, 1 - t, t),
  })
  const isAimed = one.aim !== undefined || other.aim !== undefined
  return { ...mix(one, other), ...(isAimed && { aim: mix(one.aim ?? one, other.aim ?? other) }) }
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
