import type { Clip } from '../media/clip.ts'
import { createFitter, type FitMode } from '../media/fit.ts'
import { fitClip } from '../media/fit-clip.ts'
import type { Frame } from '../media/frame.ts'
import type { KeypointDetector } from '../model/keypoint-detector.ts'
import type { Keypoints } from '../model/keypoints.ts'
import type { MotionModel } from '../model/open-model.ts'
import { InputError } from '../util/errors.ts'
import { seenJoints } from './seen-joints.ts'

/** A frame of a clip, with what measures read of it. */
export interface SeenFrame {
  /** As the model sees it, RGB [size, size, 3]. */
  readonly pixels: Uint8Array
  readonly keypoints: Keypoints
  /** The teacher's keypoints; undefined where there is none. */
  readonly teacher: Keypoints | undefined
  /** A puppet's joints, [J, 2] in the coordinates of keypoints; undefined for other clips. */
  readonly joints: Float32Array | undefined
}

/**
 * Prepares looking at a clip: the model and the teacher see the same square of it, each at its own size.
 *
 * @returns a function that looks at a frame; by `model`, the teacher is not asked.
 * @throws InputError if the clip is smaller than the model takes, or cannot be decoded.
 */
export async function seeClip(
  model: Pick<MotionModel, 'config' | 'detect'>,
  teacher: Pick<KeypointDetector, 'size' | 'detect'> | undefined,
  clip: Clip,
  mode: FitMode,
): Promise<(frame: Frame, by?: 'both' | 'model') => Promise<SeenFrame>> {
  const { size } = model.config
  const fitter = await fitClip(clip, size, mode)
  const { left, top, width } = fitter.window
  const crop = { left, top, side: width }
  const fitTeacher =
    teacher === undefined || teacher.size === size
      ? undefined
      : createFitter(clip, teacher.size, mode === 'crop' ? { mode, crop } : { mode })
  return async (frame, by = 'both') => {
    const pixels = fitter(frame)
    return {
      pixels,
      keypoints: await model.detect(pixels),
      teacher: by === 'both' ? await teacher?.detect(fitTeacher?.(frame) ?? pixels) : undefined,
      joints: seenJoints(frame, fitter),
    }
  }
}

/** @throws InputError where the keypoints of two detectors are not of one number. */
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
