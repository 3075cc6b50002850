// The frames of a clip as measures need them: pixels at the model's size, keypoints, and joints or landmarks if they are
// known.
import { type Framing, type FramingOptions, frameClip } from '../faces/framing.ts'
import { type Clip, type Frame, fromPixel, toPixel } from '../media/clip.ts'
import { createFitter, type Fitter, seenSquare } from '../media/fit.ts'
import type { KeypointDetector, Keypoints } from '../model/keypoint-detector.ts'
import type { MotionModel } from '../model/open-model.ts'
import { hasLandmarks } from '../synthetic/made-clips.ts'
import { hasJoints } from '../synthetic/puppet/puppet.ts'
import { type JointName, jointNames } from '../synthetic/puppet/skeleton.ts'
import { InputError } from '../util/errors.ts'

/** A frame of a clip, with all that measures read. */
export interface EvaluatedFrame {
  /** As the model sees it, RGB [size, size, 3]. */
  readonly pixels: Uint8Array
  /** Keypoints that the model finds in the frame. */
  readonly keypoints: Keypoints
  /** The teacher's keypoints; undefined if there is none. */
  readonly teacher: Keypoints | undefined
  /** A puppet's joints, [J, 2] in the coordinates of keypoints; undefined for other clips. */
  readonly joints: Float32Array | undefined
  /** A head's landmarks, [66, 2] in the coordinates of keypoints; undefined for other clips. */
  readonly landmarks: Float32Array | undefined
}

/**
 * Prepares the evaluation of a clip. The model and the teacher see the same square of it, each at its own size.
 *
 * @returns the square that both see, and a function of a frame; with `model`, the teacher does not run.
 * @throws InputError if the clip is smaller than the model takes, or cannot be decoded.
 */
export async function clipEvaluator(
  model: Pick<MotionModel, 'config' | 'detect'>,
  teacher: Pick<KeypointDetector, 'size' | 'detect'> | undefined,
  clip: Clip,
  options: FramingOptions,
): Promise<{
  readonly framing: Framing
  readonly evaluated: (frame: Frame, by?: 'both' | 'model') => Promise<EvaluatedFrame>
}> {
  const { size } = model.config
  const { fitter, framing } = await frameClip(clip, size, options)
  const mode = options.fit
  const { left, top, width } = fitter.window
  const crop = { left, top, side: width }
  const fitTeacher =
    teacher === undefined || teacher.size === size
      ? undefined
      : createFitter(clip, teacher.size, mode === 'crop' ? { mode, crop } : { mode })
  const evaluated = async (frame: Frame, by: 'both' | 'model' = 'both') => {
    const pixels = fitter(frame)
    return {
      pixels,
      keypoints: await model.detect(pixels),
      teacher: by === 'both' ? await teacher?.detect(fitTeacher?.(frame) ?? pixels) : undefined,
      joints: jointsInFrame(frame, fitter),
      landmarks: hasLandmarks(frame) ? pointsInFrame(frame.landmarks, frame, fitter) : undefined,
    }
  }
  return { framing, evaluated }
}

/** @throws InputError if two detectors do not find the same number of keypoints. */
export function assertComparable(
  { config, path }: Pick<MotionModel, 'config' | 'path'>,
  teacher: Pick<KeypointDetector, 'keypoints' | 'path'>,
): void {
  if (config.keypoints === teacher.keypoints) return
  throw new InputError({
    what: 'the teacher finds another number of keypoints than the model',
    where: teacher.path,
    got: String(teacher.keypoints),
    expected: `${config.keypoints}, as ${path}`,
    remedy: 'name the teacher that the model was distilled from',
  })
}

/**
 * A puppet's joints where a network sees them: in the coordinates of the fitted frame, by the fit that its pixels
 * go through. Joints outside of the crop are beyond -1 and 1; none is left out.
 *
 * @returns [J, 2] in the order of `jointNames`; undefined for a frame without known joints.
 */
export function jointsInFrame(frame: Frame, fitter: Fitter): Float32Array | undefined {
  return hasJoints(frame) ? pointsInFrame(frame.joints, frame, fitter) : undefined
}

/** Points of a frame, [N, 2], where a network sees them. */
function pointsInFrame(points: Float32Array, frame: Frame, fitter: Fitter): Float32Array {
  const { size } = fitter
  const { left, top, side } = seenSquare(fitter)
  // The inverse of `videoPosition`.
  const along = (v: number, length: number, start: number) =>
    fromPixel(((toPixel(v, length) + 0.5 - start) * size) / side - 0.5, size)
  return points.map((v, i) => (i % 2 === 0 ? along(v, frame.width, left) : along(v, frame.height, top)))
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
