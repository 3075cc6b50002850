// Meters of generated pictures. Video reconstruction: the first frame of a clip is driven by its other frames and compared
// with them, by PSNR, SSIM and sharpness. Transfer error: whether a picture of somebody else goes where it is sent.
import { createTransfer, type TransferOptions } from '../animate/transfer.ts'
import { type KeypointDetector, type Keypoints, resized, squareFrame } from '../model/keypoint-detector.ts'
import type { EncodedPicture, MotionModel } from '../model/open-model.ts'
import { InputError } from '../util/errors.ts'
import type { EvaluatedFrame } from './evaluated-frame.ts'
import { averageKeypointDistance, keypointDistance, Mean } from './keypoint-measures.ts'

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
   * was to get and the keypoints that the model finds in the made picture. 0 is best; a detector that always finds the same
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

/** The similarity of two pictures, RGB [side, side, 3] of 0 to 255. Values are divided by 255. */
export interface Likeness {
  /** Mean absolute difference over all channels, values in [0, 1]. */
  readonly l1: number
  /** Peak signal to noise ratio over all channels, in dB; at most `mostPsnr`. */
  readonly psnr: number
  /** Structural similarity of the luma, at most 1. */
  readonly ssim: number
}

/**
 * PSNR of equal pictures, in dB, so that a mean over frames stays finite. No two pictures of bytes that
 * differ come near it below 10 megapixels.
 */
export const mostPsnr = 100

/** @throws InputError if the pictures differ in size, or are under 11 pixels a side. */
export function likeness(a: Uint8Array, b: Uint8Array): Likeness {
  if (a.length !== b.length) {
    const [got, expected] = [`${b.length} bytes`, `${a.length}`]
    throw new InputError({ what: 'only pictures of one size can be compared', got, expected })
  }
  let [absolute, squared] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! - b[i]!
    absolute += Math.abs(difference)
    squared += difference * difference
  }
  const side = Math.round(Math.sqrt(a.length / 3))
  const psnr = squared === 0 ? mostPsnr : 10 * Math.log10((255 ** 2 * a.length) / squared)
  return { l1: absolute / a.length / 255, psnr: Math.min(psnr, mostPsnr), ssim: ssim(luma(a), luma(b), side) }
}

/** Luma of ITU-R BT.601, as in the common implementations of SSIM: [side, side], 0 to 255. */
export function luma(pixels: Uint8Array): Float64Array {
  return Float64Array.from({ length: pixels.length / 3 }, (_, i) => {
    return 0.299 * pixels[3 * i]! + 0.587 * pixels[3 * i + 1]! + 0.114 * pixels[3 * i + 2]!
  })
}

const windowSide = 11
const sigma = 1.5
const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2]

/** The window's weights along one axis; the window is their product with themselves. */
const window = (() => {
  const line = Array.from({ length: windowSide }, (_, i) => Math.exp(-((i - 5) ** 2) / (2 * sigma ** 2)))
  const sum = line.reduce((total, weight) => total + weight, 0)
  return Float64Array.from(line, (weight) => weight / sum)
})()

/**
 * Structural similarity (Wang et al. 2004, "Image quality assessment: from error visibility to structural
 * similarity"): mean over all windows of 11x11 that lie within the picture, Gaussian of 1.5 pixels,
 * K1 = 0.01, K2 = 0.03.
 *
 * @param a [side, side], 0 to 255
 * @throws InputError for pictures under 11 pixels a side.
 */
export function ssim(a: Float64Array, b: Float64Array, side: number): number {
  if (side < windowSide) {
    const what = 'the pictures are too small for SSIM'
    throw new InputError({ what, got: `${side} pixels a side`, expected: `at least ${windowSide}` })
  }
  const mean = (of: Float64Array) => windowMeans(of, side)
  const times = (p: Float64Array, q: Float64Array) => p.map((v, i) => v * q[i]!)
  const [ma, mb] = [mean(a), mean(b)]
  const [maa, mbb, mab] = [mean(times(a, a)), mean(times(b, b)), mean(times(a, b))]
  let sum = 0
  for (let i = 0; i < ma.length; i++) {
    const [p, q] = [ma[i]!, mb[i]!]
    const variances = maa[i]! - p * p + mbb[i]! - q * q
    const covariance = mab[i]! - p * q
    sum += ((2 * p * q + c1) * (2 * covariance + c2)) / ((p * p + q * q + c1) * (variances + c2))
  }
  return sum / ma.length
}

/** Weighted means over every window within the picture, [side - 10, side - 10]. */
function windowMeans(picture: Float64Array, side: number): Float64Array {
  const inside = side - windowSide + 1
  const rows = new Float64Array(side * inside)
  const means = new Float64Array(inside * inside)
  for (let k = 0; k < windowSide; k++) {
    const weight = window[k]!
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < inside; x++) rows[y * inside + x]! += weight * picture[y * side + x + k]!
    }
  }
  for (let k = 0; k < windowSide; k++) {
    const weight = window[k]!
    for (let i = 0; i < means.length; i++) means[i]! += weight * rows[k * inside + i]!
  }
  return means
}
