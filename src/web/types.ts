import type { MotionConfig } from '../motion/config.ts'
import type { Diagram } from '../profile/diagram.ts'
import type { WebDevice } from '../runtime/web-runtime.ts'
import type { TrainEvent as TrainingEvent } from '../train/events.ts'
import type { Smoothing } from './one-euro.ts'

export type { Smoothing } from './one-euro.ts'

/** What the web library takes and gives. */

/** Anything in a page that shows a picture. */
export type Picture =
  | Blob
  | ImageBitmap
  | ImageData
  | VideoFrame
  | HTMLVideoElement
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas

/** Where the library finds its worker. Addresses are relative to the page. */
export interface WorkerPlace {
  /** Address of pantin's `dist/web/worker.js` (default: beside this library's own file). */
  readonly workerUrl?: string
}

/** Where and on what the library computes. */
export interface WebPlace extends WorkerPlace {
  /** Address of the folder with the files of onnxruntime-web's `dist`. They are loaded when first needed. */
  readonly runtimeFolder: string
  /** `auto` (default): WebGPU in hardware where there is one, else the CPU. A device that is named is used, or refused. */
  readonly device?: WebDevice | 'auto'
  /** On the CPU (default: one for each core where the page is cross-origin isolated, else one). */
  readonly threads?: number
  /** Told when the library had to go on in another way: on the CPU, say, after the GPU was lost. */
  onNotice?(notice: Notice): void
}

/** Something that the visitor should know, and that stops nothing. */
export interface Notice {
  readonly kind: 'device-lost' | 'storage-full'
  readonly message: string
}

/** The files of a run, as `train` writes its folder, by their paths in it. */
export interface WebRun {
  readonly name: string
  readonly config: MotionConfig
  /** Optimiser steps done; undefined where the weights do not say. */
  readonly step: number | undefined
  files(): ReadonlyMap<string, Blob>
  /** A zip with one folder, named as the run: what the command line reads, once unpacked. */
  toZip(): Promise<Blob>
}

/** The keypoints of one picture. */
export interface Tracked {
  /** Seconds; what the caller gave, or the page's clock. */
  readonly time: number
  /** K x 2, (x, y) in [-1, 1] of the square in the picture's middle that the model sees. */
  readonly value: number[][]
  /** K x 2 x 2, the local affine maps; undefined for a model of points alone. */
  readonly jacobian?: number[][][]
  readonly heatmap?: Heatmap
  readonly milliseconds: { readonly prepare: number; readonly detect: number }
}

/** How likely each keypoint is at each place; every map's sum is 1. */
export interface Heatmap {
  /** [keypoints, height, width] */
  readonly data: Float32Array
  readonly keypoints: number
  readonly height: number
  readonly width: number
}

export interface TrackOptions {
  /** Seconds (default: the page's clock). */
  readonly time?: number
  /** Give heatmaps too (default: no). */
  readonly heatmap?: boolean
}

export interface AnimateOptions extends TrackOptions {
  /** Move from the source's pose as the driving moves from its reference pose (default: yes). */
  readonly relative?: boolean
  /** Of the driving keypoints, against jitter (default: none). */
  readonly smoothing?: false | Smoothing
}

export interface Animated {
  /** The moved source, of the model's size. The caller closes it. */
  readonly frame: ImageBitmap
  /** As detected, before smoothing. */
  readonly driving: Tracked
  /** What the source's keypoints were moved to. */
  readonly moved: Pick<Tracked, 'value' | 'jacobian'>
  readonly milliseconds: {
    readonly prepare: number
    readonly detect: number
    readonly generate: number
    readonly show: number
  }
}

export interface ClipOptions {
  /**
   * How frames become square: `crop` around what moves (default), `letterbox` between bars, `whole` leaves them
   * as they are.
   */
  readonly fit?: 'crop' | 'letterbox' | 'whole'
  /** Pixels a side of the square (default: the clip's short side). */
  readonly size?: number
}

export interface ClipFrame {
  /** Seconds from the start. */
  readonly time: number
  readonly duration: number
  /** The caller closes it. */
  readonly picture: ImageBitmap
}

export interface WebClip {
  readonly name: string
  /** Pixels of the frames that it gives. */
  readonly width: number
  readonly height: number
  readonly frameCount: number
  /** Frames a second. */
  readonly frameRate: number
  /** Seconds. */
  readonly duration: number
  /** From the start, at any number of times. Frames are decoded as they are asked for. */
  frames(): AsyncIterable<ClipFrame>
  close(): void
}

export interface RecorderOptions {
  /** Pixels, 16 to 8192; odd sizes are recorded one pixel larger. */
  readonly width: number
  readonly height: number
  /** Default: mp4 where the browser encodes H.264, else webm. */
  readonly format?: 'mp4' | 'webm'
}

export interface Recorder {
  readonly format: 'mp4' | 'webm'
  /** The codec that was chosen, such as `avc` or `vp9`. */
  readonly codec: string
  /** Adds a picture. @param time seconds, later than the one before. */
  add(picture: Picture, time: number): Promise<void>
  finish(): Promise<Blob>
  /** Ends without a file. Harmless after `finish`. */
  cancel(): void
}

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

export interface TrainPlace extends WebPlace {
  /** Gives up a run that has not begun, while clips are read. Later, pause it. */
  readonly signal?: AbortSignal
  onEvent(event: TrainEvent): void
}

/** A run in the browser's own storage. */
export interface StoredRun {
  readonly name: string
  readonly net: string
  /** Steps of the last checkpoint. */
  readonly step: number
  readonly finished: boolean
  /** Whether it can be trained further here: its frames are kept. */
  readonly resumable: boolean
  /** When it was last written, milliseconds since 1970. */
  readonly modified: number
}

export interface NetworkFacts {
  readonly name: string
  readonly title: string
  readonly year: number
  readonly paper: { readonly title: string; readonly authors: string; readonly url: string }
  /** Built from a paper alone, with inferred parts. */
  readonly reconstruction: boolean
}

export interface NetworkProfile {
  readonly params: number
  readonly macs: number
  readonly activationBytes: number
  readonly receptiveField: number
  readonly ops: number
  readonly diagram: Diagram
  /** The parts of the network in the order of building; several may be of one module. */
  readonly blocks: readonly NetworkBlock[]
}

export interface NetworkBlock {
  /** Scope of its nodes: `kp_detector/predictor/layers.3`. */
  readonly name: string
  /** As `Stage.modules` of the diagram name it: `layers.3`. */
  readonly module: string
  /** What it does, op by op: `3x1 conv, relu, 1x3 conv, ...`. */
  readonly does: string
  /** Of its result, without the batch. */
  readonly shape: readonly number[]
  readonly params: number
  readonly macs: number
  readonly activationBytes: number
  /** Of its result: side of the square of input pixels that one element depends on. */
  readonly receptiveField: number
}

export interface TimeOptions extends WebPlace {
  /** Timed runs (default 15). */
  readonly rounds?: number
  readonly signal?: AbortSignal
  onRound?(done: number, total: number): void
}

export interface NetworkTime {
  /** Milliseconds. */
  readonly median: number
  readonly min: number
  readonly device: WebDevice
  readonly threads: number
}
