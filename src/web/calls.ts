import type { WebDevice } from '../runtime/web-runtime.ts'
import type { SentError } from './problems.ts'
import type {
  Animated,
  AnimateOptions,
  ClipOptions,
  NetworkFacts,
  NetworkProfile,
  NetworkTime,
  Notice,
  RecorderOptions,
  Tracked,
  TrackOptions,
  TrainEvent,
  TrainSettings,
  WebPlace,
} from './types.ts'

/** What the library's worker is asked for. One worker serves one object of the library. */

/** Pictures in forms that pass to a worker. */
export type SentPicture = Blob | ImageBitmap | ImageData | VideoFrame

/** A place without what does not pass; addresses are absolute. */
export type SentPlace = Pick<WebPlace, 'runtimeFolder' | 'device' | 'threads'>

export type RunFiles = ReadonlyMap<string, Blob>

/** What computes, as the page shows it. */
export interface Computing {
  readonly device: WebDevice
  readonly threads: number
  /** The GPU, where one is used. */
  readonly adapter: string | undefined
}

export interface OpenedModel extends Computing {
  readonly size: number
  readonly keypoints: number
}

export interface OpenedClip {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameCount: number
  readonly frameRate: number
  readonly duration: number
}

/** Options with their time filled in. */
export type Timed<T> = Omit<T, 'time'> & { readonly time: number }

export interface WorkerMethods {
  openModel(request: { name: string; files: RunFiles; place: SentPlace }): OpenedModel
  track(request: { picture: SentPicture; options: Timed<TrackOptions> }): Tracked
  setSource(request: { picture: SentPicture; options: Timed<TrackOptions> }): Tracked
  resetReference(request: undefined): void
  animate(request: { picture: SentPicture; options: Timed<AnimateOptions> }): Animated

  openClip(request: { source: Blob | string; options: ClipOptions }): OpenedClip
  /** Begins a pass over the frames. @returns its number */
  beginFrames(request: undefined): number
  /** The next frame of a pass; undefined at its end. */
  nextFrame(request: { pass: number }): { time: number; duration: number; picture: ImageBitmap } | undefined
  endFrames(request: { pass: number }): void

  openRecorder(request: RecorderOptions): { format: 'mp4' | 'webm'; codec: string }
  record(request: { picture: SentPicture; time: number }): void
  finishRecording(request: undefined): Blob

  train(request: {
    name: string
    clips: readonly (Blob | string)[]
    settings: TrainSettings
    place: SentPlace
  }): void
  resumeTraining(request: { name: string; place: SentPlace }): void
  /** Ends when training does; see `Trainer.done`. */
  trained(request: undefined): RunFiles
  pauseTraining(request: undefined): void

  listNetworks(request: undefined): readonly NetworkFacts[]
  profileNetwork(request: { name: string; as: 'detector' | 'network' }): NetworkProfile
  timeNetwork(request: { name: string; rounds: number; place: SentPlace }): NetworkTime
}

export type MethodName = keyof WorkerMethods

/** What a worker says unasked. */
export type WorkerEvent =
  | { readonly kind: 'notice'; readonly notice: Notice }
  | { readonly kind: 'computing'; readonly computing: Computing }
  | { readonly kind: 'train'; readonly event: TrainEvent }
  | { readonly kind: 'round'; readonly done: number; readonly total: number }

export interface Call {
  readonly id: number
  readonly method: MethodName
  readonly request: unknown
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: SentError }
  | { readonly event: WorkerEvent }
