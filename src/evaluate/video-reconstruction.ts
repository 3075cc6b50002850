// Video reconstruction: the first frame of a clip is driven by its other frames and compared with them.
import type { KeypointDetector } from '../model/keypoint-detector.ts'
import type { Keypoints } from '../model/keypoints.ts'
import type { EncodedPicture, MotionModel } from '../model/open-model.ts'
import { resized, squareFrame } from '../model/pixels.ts'
import type { EvaluatedFrame } from './evaluated-frame.ts'
import { averageKeypointDistance, Mean } from './keypoint-distance.ts'
import { type Likeness, likeness } from './likeness.ts'

/** Whether generated frames show the pose of the true ones; 0 is best. */
export interface Akd {
  /**
   * Mean absolute difference of coordinates between the keypoints found in the true frame and in the generated
   * one, in pixels of the model's frames: see `averageKeypointDistance`. For numbers at 256x256, multiply by
   * 255 / (size - 1).
   */
  readonly pixels: number
  /** The same for the source picture as it is. */
  readonly still: number
  /**
   * The detector that found them. Published numbers are of landmarks of faces and bodies, and do not compare with
   * either. The model's own detector also misses whatever it never follows.
   */
  readonly by: 'teacher' | 'own'
}

/** Means over driving frames. */
export interface VideoReconstruction extends Likeness {
  /** The same measures for the source picture as it is: any animation has to beat these. */
  readonly still: Likeness
  /** Average keypoint distance. */
  readonly akd: Akd
}

/** A clip's first frame, which is driven by the others. */
interface Source {
  readonly pixels: Uint8Array
  readonly encoded: EncodedPicture
  readonly keypoints: Keypoints
  /** The keypoints that `Finder` finds in it. */
  readonly found: Float32Array
}

type Model = Pick<MotionModel, 'config' | 'detect' | 'encode' | 'generate'>
type Teacher = Pick<KeypointDetector, 'size' | 'detect'>

/**
 * Video reconstruction (Siarohin et al. 2019, section 4, and the published pose-evaluation code): the first frame of a
 * clip is driven by its other frames with absolute keypoints, and compared with them.
 */
export class VideoReconstructionMeter {
  private readonly made = new LikenessMeter()
  private readonly still = new LikenessMeter()
  private readonly madeDistance = new Mean()
  private readonly stillDistance = new Mean()
  private readonly finder: Finder
  private source: Source | undefined

  constructor(
    private readonly model: Model,
    teacher: Teacher | undefined,
  ) {
    this.finder = teacher === undefined ? ownFinder(model) : teacherFinder(teacher, model.config.size)
  }

  /** A clip begins. */
  async begin(first: EvaluatedFrame): Promise<void> {
    const { pixels, keypoints } = first
    const encoded = await this.model.encode(pixels)
    this.source = { pixels, keypoints, encoded, found: await this.finder.inFrame(first) }
  }

  /** A driving frame, after `begin`. @returns the generated frame, RGB [size, size, 3] */
  async add(driving: EvaluatedFrame): Promise<Uint8Array> {
    const { pixels, keypoints, encoded, found } = this.source!
    const result = await this.model.generate(encoded, keypoints, driving.keypoints)
    this.made.add(likeness(driving.pixels, result))
    this.still.add(likeness(driving.pixels, pixels))
    const { size } = this.model.config
    const truth = await this.finder.inFrame(driving)
    this.madeDistance.add(averageKeypointDistance(truth, await this.finder.inPicture(result), size))
    this.stillDistance.add(averageKeypointDistance(truth, found, size))
    return result
  }

  result(): VideoReconstruction {
    const { by } = this.finder
    const akd = { pixels: this.madeDistance.value, still: this.stillDistance.value, by }
    return { ...this.made.result(), still: this.still.result(), akd }
  }
}

class LikenessMeter {
  private readonly l1 = new Mean()
  private readonly psnr = new Mean()
  private readonly ssim = new Mean()

  add({ l1, psnr, ssim }: Likeness): void {
    this.l1.add(l1)
    this.psnr.add(psnr)
    this.ssim.add(ssim)
  }

  result(): Likeness {
    return { l1: this.l1.value, psnr: this.psnr.value, ssim: this.ssim.value }
  }
}

/** Finds the keypoints that AKD compares, in true frames and in pictures RGB [size, size, 3] of the model's size. */
interface Finder {
  readonly by: Akd['by']
  inFrame(frame: EvaluatedFrame): Promise<Float32Array>
  inPicture(pixels: Uint8Array): Promise<Float32Array>
}

function ownFinder(model: Pick<MotionModel, 'detect'>): Finder {
  return {
    by: 'own',
    inFrame: async ({ keypoints }) => keypoints.value,
    inPicture: async (pixels) => (await model.detect(pixels)).value,
  }
}

function teacherFinder(teacher: Teacher, size: number): Finder {
  const inPicture = async (pixels: Uint8Array) =>
    (await teacher.detect(resized(squareFrame(pixels), teacher.size).data)).value
  return {
    by: 'teacher',
    inPicture,
    // A teacher of larger frames sees the true frame as coarse as the generated one, so that only the pose differs.
    inFrame: async (frame) =>
      teacher.size === size && frame.teacher !== undefined ? frame.teacher.value : inPicture(frame.pixels),
  }
}
