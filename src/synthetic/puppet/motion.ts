// How a puppet moves: smooth waves, and the pose that they give at a time.
import type { Random } from '../../util/random.ts'
import { sin } from './geometry.ts'

/** A quantity that moves smoothly without end: a time in seconds to a value between about -1 and 1. */
export type Wave = (time: number) => number

/** A sum of three sinusoids with frequencies between `low` and `high` hertz. */
export function wave(random: Random, low: number, high: number): Wave {
  const parts = [1, 0.6, 0.4].map((amplitude) => ({
    amplitude: amplitude / 1.6,
    rate: 2 * Math.PI * random.between(low, high),
    phase: 2 * Math.PI * random.uniform(),
  }))
  return (time) =>
    parts.reduce((sum, { amplitude, rate, phase }) => sum + amplitude * sin(rate * time + phase), 0)
}

/** A pose. Angles are in radians. */
export interface Pose {
  readonly x: number
  readonly y: number
  readonly sway: number
  readonly scale: number
  readonly head: number
  /** Left, then right, as seen. */
  readonly limbs: readonly [LimbAngles, LimbAngles]
  /** How far the string is pulled, about 0 to 1. */
  readonly pull: number
}

/** Angles of an arm and a leg: upper limbs from straight down, positive outward; lower limbs from the upper ones. */
export interface LimbAngles {
  readonly arm: number
  readonly elbow: number
  readonly leg: number
  readonly knee: number
}

/** Draws a motion by lot: the string lifts all limbs together, and each limb has its own wave besides. */
export function drawMotion(random: Random): (time: number) => Pose {
  const slow = () => wave(random, 0.08, 0.35)
  const [x, y, sway, scale] = [slow(), slow(), slow(), slow()]
  const pullWave = wave(random, 0.3, 0.8)
  const head = wave(random, 0.2, 0.7)
  const limbs = [0, 1].map(() => ({
    arm: wave(random, 0.2, 0.7),
    elbow: wave(random, 0.25, 0.9),
    leg: wave(random, 0.2, 0.6),
    knee: wave(random, 0.25, 0.8),
  }))
  const lift = random.between(0.7, 1)
  return (time) => {
    const pull = 0.5 + 0.5 * pullWave(time)
    const side = (i: 0 | 1): LimbAngles => {
      const own = limbs[i]!
      return {
        arm: 0.45 + lift * pull * 1.5 + 0.45 * own.arm(time),
        elbow: 0.15 + 0.85 * own.elbow(time),
        leg: 0.16 + lift * pull * 0.55 + 0.14 * own.leg(time),
        knee: -0.18 + 0.42 * own.knee(time),
      }
    }
    return {
      x: 0.07 * x(time),
      y: 0.035 * y(time),
      sway: 0.1 * sway(time),
      scale: 1 + 0.045 * scale(time),
      head: 0.2 * head(time),
      limbs: [side(0), side(1)],
      pull,
    }
  }
}
