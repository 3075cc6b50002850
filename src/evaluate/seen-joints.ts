import type { Fitter } from '../media/fit.ts'
import { seenSquare } from '../media/fit-clip.ts'
import { type Frame, fromPixel, toPixel } from '../media/frame.ts'
import { type JointName, jointNames } from '../synthetic/puppet/figure.ts'
import { hasJoints } from '../synthetic/puppet/puppet.ts'

/**
 * A puppet's joints where a network sees them: in the coordinates of the fitted frame, by the fit that its pixels
 * go through. Joints outside of the crop are beyond -1 and 1; none is left out.
 *
 * @returns [J, 2] in the order of `jointNames`; undefined for a frame whose joints nobody knows.
 */
export function seenJoints(frame: Frame, fitter: Fitter): Float32Array | undefined {
  if (!hasJoints(frame)) return undefined
  const { size } = fitter
  const { left, top, side } = seenSquare(fitter)
  // The inverse of `videoPosition`.
  const along = (v: number, length: number, start: number) =>
    fromPixel(((toPixel(v, length) + 0.5 - start) * size) / side - 0.5, size)
  return frame.joints.map((v, i) => (i % 2 === 0 ? along(v, frame.width, left) : along(v, frame.height, top)))
}

/**
 * From the neck to the middle between the hips: a puppet's one length that no pose shortens, as the distance
 * between the eyes is a face's.
 *
 * @param joints [J, 2] in the order of `jointNames`
 */
export function torsoLength(joints: Float32Array): number {
  const at = (name: JointName): readonly [number, number] => {
    const j = jointNames.indexOf(name)
    return [joints[2 * j]!, joints[2 * j + 1]!]
  }
  const [neck, left, right] = [at('neck'), at('leftHip'), at('rightHip')]
  return Math.hypot((left[0] + right[0]) / 2 - neck[0], (left[1] + right[1]) / 2 - neck[1])
}
