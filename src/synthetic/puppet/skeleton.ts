// How a puppet moves: smooth waves, the pose that they give at a time, and the skeleton of that pose, which says where
// each body part and joint is.
import type { Random } from '../../util/random.ts'
import { apply, compose, cos, type Point, place, type Similarity, sin } from '../arithmetic.ts'
import type { Character } from './character.ts'

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

/** The joints of a puppet, in the order of `PuppetFrame.joints`. Left and right are as seen by the viewer. */
export const jointNames = [
  'head',
  'neck',
  'leftShoulder',
  'rightShoulder',
  'leftElbow',
  'rightElbow',
  'leftHand',
  'rightHand',
  'leftHip',
  'rightHip',
  'leftKnee',
  'rightKnee',
  'leftFoot',
  'rightFoot',
] as const
/** A joint of a puppet. */
export type JointName = (typeof jointNames)[number]

/** A body part of a puppet. 0 is left and 1 is right as seen by the viewer. */
export type PartName =
  | 'lowerLeg0'
  | 'lowerLeg1'
  | 'upperLeg0'
  | 'upperLeg1'
  | 'lowerArm0'
  | 'lowerArm1'
  | 'upperArm0'
  | 'upperArm1'
  | 'torso'
  | 'head'

/** Where each part and joint of a posed puppet is, on the canvas. */
export interface Skeleton {
  /** Each part has its pin at (0, 0). Limbs and torso extend along y, the head against y. */
  readonly parts: Readonly<Record<PartName, Similarity>>
  readonly joints: Readonly<Record<JointName, Point>>
  /** How far the string is pulled, about 0 to 1. */
  readonly pull: number
}

/** Height of the neck pin above the middle of the picture in the neutral pose. */
const neckHeight = 0.33

/** The skeleton of a character in a pose. */
export function poseSkeleton(character: Character, pose: Pose): Skeleton {
  const root = place(pose.x, pose.y, pose.sway, pose.scale)
  const torso = compose(root, place(0, -neckHeight))
  const head = compose(torso, place(0, 0, pose.head))
  const left = limbsOf(character, torso, pose.limbs[0], -1)
  const right = limbsOf(character, torso, pose.limbs[1], 1)
  const at = (part: Similarity, x = 0, y = 0) => apply(part, x, y)
  const hand = character.arm[1]
  const foot = character.leg[1]
  return {
    parts: {
      torso,
      head,
      upperArm0: left.upperArm,
      upperArm1: right.upperArm,
      lowerArm0: left.lowerArm,
      lowerArm1: right.lowerArm,
      upperLeg0: left.upperLeg,
      upperLeg1: right.upperLeg,
      lowerLeg0: left.lowerLeg,
      lowerLeg1: right.lowerLeg,
    },
    joints: {
      head: at(head, 0, -character.headHeight - 0.03),
      neck: at(torso),
      leftShoulder: at(left.upperArm),
      rightShoulder: at(right.upperArm),
      leftElbow: at(left.lowerArm),
      rightElbow: at(right.lowerArm),
      leftHand: at(left.lowerArm, 0, hand),
      rightHand: at(right.lowerArm, 0, hand),
      leftHip: at(left.upperLeg),
      rightHip: at(right.upperLeg),
      leftKnee: at(left.lowerLeg),
      rightKnee: at(right.lowerLeg),
      leftFoot: at(left.lowerLeg, 0, foot),
      rightFoot: at(right.lowerLeg, 0, foot),
    },
    pull: pose.pull,
  }
}

function limbsOf(character: Character, torso: Similarity, angles: LimbAngles, side: 1 | -1) {
  const hang = (outer: Similarity, x: number, y: number, angle: number) =>
    compose(outer, place(x, y, -side * angle))
  const upperArm = hang(torso, side * (character.shoulder - 0.012), 0.065, angles.arm)
  const upperLeg = hang(torso, side * hipOffset(character), character.torso - 0.03, angles.leg)
  return {
    upperArm,
    lowerArm: hang(upperArm, 0, character.arm[0], angles.elbow),
    upperLeg,
    lowerLeg: hang(upperLeg, 0, character.leg[0], angles.knee),
  }
}

/** Hips sit well within the hem, so that a lifted leg leaves no gap. */
export function hipOffset({ waist }: Character): number {
  return Math.min(waist * 0.62, 0.1)
}

/** A point at `radius` and `angle` (radians, from the right, clockwise) around (x, y). */
export function around(x: number, y: number, radius: number, angle: number): Point {
  return [x + radius * cos(angle), y + radius * sin(angle)]
}
