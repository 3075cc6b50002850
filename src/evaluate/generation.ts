// Meters of generated pictures. Video reconstruction: the first frame of a clip is driven by its other frames and compared
// with them. Transfer error: whether a picture of somebody else goes where it is sent.
import { createTransfer, type TransferOptions } from '../animate/transfer.ts'
import { type Keypoints, resized, squareFrame } from '../model/inputs-outputs.ts'
import type { KeypointDetector } from '../model/keypoint-detector.ts'
import type { EncodedPicture, MotionModel } from '../model/open-model.ts'
import type { EvaluatedFrame } from './evaluated-frame.ts'
import { averageKeypointDistance, keypointDistance, Mean } from './keypoint-distance.ts'
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

/** Whether a picture of somebody else goes where it is sent. No true result is needed. */
export interface TransferError {
  /**
   * Mean ‖asked - found‖₂ over keypoints and frames, in units of [-1, 1], between the keypoints that the picture
   * was to get and those that the model finds in what it made. 0 is best; a detector that always finds the same
   * points has 0 too, which `still` tells.
   */
  readonly distance: number
  /** The same distance if the picture stayed as it is. */
  readonly still: number
  /** Number of frames that were measured. */
  readonly frames: number
}

type Moving = Omit<Model, 'config'>

/** Moves one picture by the frames of one clip after another. */
export class TransferMeter {
  private readonly moved = new Mean()
  private readonly still = new Mean()
  private transfer: ((kpDriving: Keypoints) => Keypoints) | undefined

  private constructor(
    private readonly model: Moving,
    private readonly encoded: EncodedPicture,
    private readonly kpSource: Keypoints,
    private readonly options: TransferOptions,
  ) {}

  /** @param picture RGB [size, size, 3] */
  static async open(model: Moving, picture: Uint8Array, options: TransferOptions): Promise<TransferMeter> {
    return new TransferMeter(model, await model.encode(picture), await model.detect(picture), options)
  }

  /** A clip begins. Its first frame counts as posed like the picture, so that the clip is read once. */
  begin(first: Keypoints): void {
    this.transfer = createTransfer(this.kpSource, first, this.options)
  }

  /** A driving frame, after `begin`. */
  async add(kpDriving: Keypoints): Promise<void> {
    const asked = this.transfer!(kpDriving)
    const result = await this.model.generate(this.encoded, this.kpSource, asked)
    const found = await this.model.detect(result)
    this.moved.add(keypointDistance(asked.value, found.value))
    this.still.add(keypointDistance(asked.value, this.kpSource.value))
  }

  result(): TransferError {
    return { distance: this.moved.value, still: this.still.value, frames: this.moved.count }
  }
}
