// What a training in a page takes and tells.
import type { MotionConfig } from '../motion/config.ts'
import type { WebDevice } from '../runtime/web-runtime.ts'
import type { TrainEvent as TrainingEvent } from '../train/events.ts'
import type { Notice, WebPlace } from './connection.ts'

export interface TrainSettings {
  /** Backbone of the detector, a name of the zoo. */
  readonly net: string
  /** Side of the square frames in pixels (default 64). */
  readonly size?: number
  /** Default 10. */
  readonly keypoints?: number
  readonly generator?: 'small' | 'light'
  /** Frame pairs a step (default 8). */
  readonly batch?: number
  readonly seed?: number
  /** The run ends after so many steps, or minutes; one of the two (default: 8 minutes). */
  readonly steps?: number
  readonly minutes?: number
  /** End of each clip to leave out of training, 0 to under 1 (default 0.2). */
  readonly holdout?: number
  readonly fit?: 'crop' | 'letterbox'
  /** Seconds between checkpoints (default 10) and between previews (default 20). */
  readonly checkpointSeconds?: number
  readonly previewSeconds?: number
  /** The whole model, in place of net, size, keypoints and generator. */
  readonly model?: MotionConfig
}

/**
 * What a training tells: the events of Node's `train`, and two of pages alone. `notice` says what the library had to do
 * in another way. `failed` is told because a page may show events only; in Node the promise is rejected.
 */
export type TrainEvent =
  | TrainingEvent<Blob, WebDevice>
  | { readonly kind: 'notice'; readonly notice: Notice }
  | { readonly kind: 'failed'; readonly message: string; readonly remedy?: string }

/** Where a run is trained, and who is told. The signal gives up a run that has not begun, while clips are read. */
export interface TrainPlace extends WebPlace {
  onEvent(event: TrainEvent): void
}
