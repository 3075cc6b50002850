// Transfer error: whether a picture of somebody else goes where it is sent.
import { createTransfer, type TransferOptions } from '../animate/transfer.ts'
import type { Keypoints } from '../model/keypoints.ts'
import type { EncodedPicture, MotionModel } from '../model/open-model.ts'
import { keypointDistance, Mean } from './keypoint-distance.ts'

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

type Model = Pick<MotionModel, 'detect' | 'encode' | 'generate'>

/** Moves one picture by the frames of one clip after another. */
export class TransferMeter {
  private readonly moved = new Mean()
  private readonly still = new Mean()
  private transfer: ((kpDriving: Keypoints) => Keypoints) | undefined

  private constructor(
    private readonly model: Model,
    private readonly encoded: EncodedPicture,
    private readonly kpSource: Keypoints,
    private readonly options: TransferOptions,
  ) {}

  /** @param picture RGB [size, size, 3] */
  static async open(model: Model, picture: Uint8Array, options: TransferOptions): Promise<TransferMeter> {
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
