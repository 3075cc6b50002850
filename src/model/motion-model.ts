import type { Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { FitMode } from '../media/fit.ts'
import type { MotionConfig } from '../motion/config.ts'
import type { Device, Tensors } from '../runtime/session.ts'
import type { Keypoints } from './keypoints.ts'

/** A graph and the contents of its parameters. */
export interface Network {
  readonly graph: Graph
  readonly weights: ReadonlyMap<string, Tensor>
}

/** A picture with what the generator makes of it for all frames alike; see `MotionModel.encode`. */
export interface EncodedPicture {
  readonly tensors: Tensors
}

/** A trained motion model, ready to run on one picture at a time. */
export interface MotionModel {
  /** The run's folder. */
  readonly path: string
  readonly config: MotionConfig
  /** How the clips that it was trained on were made square. */
  readonly fit: FitMode
  /** Whether it can move pictures: a detector that was distilled from another detector cannot. */
  readonly hasGenerator: boolean
  /** The device that is really used. */
  readonly device: Device
  /**
   * The keypoints of a picture.
   *
   * @param frame RGB [size, size, 3], 0 to 255, with `config.size` pixels a side.
   * @throws InputError for a picture of another size, FormatError where the weights give no finite points.
   */
  detect(frame: Uint8Array): Promise<Keypoints>
  /**
   * Does the part of the generator's work that is the same for every frame.
   *
   * @param source RGB [size, size, 3], 0 to 255.
   */
  encode(source: Uint8Array): Promise<EncodedPicture>
  /**
   * The source picture moved to other keypoints.
   *
   * @param source RGB [size, size, 3], 0 to 255; or encoded, which spares its encoding for each frame.
   * @param kpSource its keypoints.
   * @param kpDriving where they are to go.
   * @returns RGB [size, size, 3], 0 to 255, the caller's to keep.
   */
  generate(
    source: Uint8Array | EncodedPicture,
    kpSource: Keypoints,
    kpDriving: Keypoints,
  ): Promise<Uint8Array>
  /** Frees the sessions. More than one call does nothing more. */
  close(): Promise<void>
}
