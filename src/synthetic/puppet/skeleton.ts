// The skeleton of a puppet: where each body part and joint is, for a pose.
import type { Character } from './character.ts'
import { apply, compose, cos, type Point, place, type Similarity, sin } from './geometry.ts'
import type { LimbAngles, Pose } from './motion.ts'

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
