// A run's model in a worker: `Tracker` finds the keypoints of pictures, `Animator` moves a picture as others move.

import type { Square } from '../media/fit.ts'
import type { Smoothing } from '../model/one-euro.ts'
import {
  asyncDispose,
  type Computing,
  type Connection,
  connected,
  type Notice,
  type SentPlace,
  sentPlace,
  type WebPlace,
} from './connection.ts'
import { type Picture, type SentPicture, toParcel } from './picture.ts'
import { openRun, type RunFiles, type WebRun } from './run.ts'

/** The keypoints of one picture. Coordinates are in [-1, 1] of the square in the picture's middle. */
export interface TrackedPicture {
  /** Seconds: the time that the caller gave, or the page's clock. */
  readonly time: number
  /** K x 2, (x, y) of each keypoint. */
  readonly value: number[][]
  /** K x 2 x 2, the local affine maps; undefined for a model of points alone. */
  readonly jacobian?: number[][][]
  /** If `TrackPictureOptions.heatmap` asks for it. */
  readonly heatmap?: Heatmap
  /**
   * How far the pose is from that of the source (`Animator.setSource`): the sum of the squared distances of the keypoints,
   * moved to mean 0 and scaled to a hull of area 1. 0 is the same pose, wherever and however large it is. Undefined if no
   * source is set.
   */
  readonly poseDistance?: number
  /** The time that it took: to make the picture the model's input, and to find the keypoints. */
  readonly milliseconds: {
    /** To make the picture the model's input. */
    readonly prepare: number
    /** To find the keypoints. */
    readonly detect: number
  }
}

/** How likely each keypoint is at each place. The sum of each keypoint's map is 1. */
export interface Heatmap {
  /** [keypoints, height, width] */
  readonly data: Float32Array
  /** Number of keypoints, K. */
  readonly keypoints: number
  /** Height of a map. */
  readonly height: number
  /** Width of a map. */
  readonly width: number
}

/**
 * How one picture is tracked. Node's `TrackOptions` are of a whole clip: there the clip says how frames become square,
 * and each frame's time.
 */
export interface TrackPictureOptions {
  /** Seconds (default: the page's clock). */
  readonly time?: number
  /** Give heatmaps too (default false). */
  readonly heatmap?: boolean
  /** The square to take, in pixels of the picture, such as a face's `head` (default: the one in the middle). */
  readonly crop?: Square
}

/** How the moved source is shown. */
export interface PoseOptions {
  /**
   * Puts the moved square back into the whole picture, with soft edges (default false). The frame then has the picture's
   * shape, and its longer side is at most 1920 pixels.
   */
  readonly paste?: boolean
}

/**
 * How one picture moves the source. Node's `AnimateOptions` are of a whole clip, in which a reference frame can be looked
 * for. A live picture has no later frames, so here the first picture is the reference, unless `Animator.setReference` gives
 * a better one.
 */
export interface AnimatePictureOptions extends TrackPictureOptions, PoseOptions {
  /**
   * Use the driving keypoints as they are: the source takes over pose and shape too. Default false: the source moves
   * from its pose as the driving moves from its reference pose.
   */
  readonly absolute?: boolean
  /** Scale movements by the size of the source's keypoints over that of the driving's (default true). */
  readonly adaptMovementScale?: boolean
  /** Smooths the driving keypoints in time, against jitter (default false). */
  readonly smoothing?: false | Smoothing
}

/** The source, moved as one driving picture says. */
export interface AnimatedPicture {
  /** The moved source, of the model's size unless it is pasted. The caller closes it. */
  readonly frame: ImageBitmap
  /** The keypoints of the driving picture as detected, before smoothing. */
  readonly driving: TrackedPicture
  /** The keypoints that the source was moved to. */
  readonly moved: Pick<TrackedPicture, 'value' | 'jacobian'>
  /** The time that each stage took. */
  readonly milliseconds: {
    /** To make the picture the model's input. */
    readonly prepare: number
    /** To find the keypoints. */
    readonly detect: number
    /** To make the frame. */
    readonly generate: number
    /** To make the frame a picture of the page. */
    readonly show: number
  }
}

/** Keypoints: where `Animator.pose` moves those of the source, or the pose that relative motion starts from. */
export type Pose = Pick<TrackedPicture, 'value' | 'jacobian'>

/** The source, moved to a pose. */
export interface PosedPicture {
  /** The moved source, of the model's size unless it is pasted. The caller closes it. */
  readonly frame: ImageBitmap
  /** The time that each stage took. */
  readonly milliseconds: Pick<AnimatedPicture['milliseconds'], 'generate' | 'show'>
}

/** Options with their time filled in. */
export type Timed<T> = Omit<T, 'time'> & { readonly time: number }

interface PictureRequest<O> {
  readonly picture: SentPicture
  readonly options: Timed<O>
}

/** A model that the worker has opened. */
export interface OpenedModel extends Computing {
  readonly size: number
  readonly keypoints: number
}

/** The worker's methods for a model. */
export interface ModelMethods {
  openModel(request: { name: string; files: RunFiles; place: SentPlace }): OpenedModel
  track(request: PictureRequest<TrackPictureOptions>): TrackedPicture
  setSource(request: PictureRequest<TrackPictureOptions>): TrackedPicture
  resetReference(request: undefined): void
  setReference(request: Pose): void
  animate(request: PictureRequest<AnimatePictureOptions>): AnimatedPicture
  pose(request: { pose: Pose; options: PoseOptions }): PosedPicture
}

/** What the worker tells of the device. */
export type DeviceEvent =
  | { readonly kind: 'notice'; readonly notice: Notice }
  | { readonly kind: 'computing'; readonly computing: Computing }

type ModelConnection = Connection<ModelMethods, DeviceEvent>

/** What `Tracker` and `Animator` have in common: a run's model in a worker. */
export abstract class WebModel {
  /** Side of the square that the model sees, in pixels. */
  readonly size: number
  /** K */
  readonly keypoints: number
  /** @internal */
  protected readonly connection: ModelConnection
  private computing: Computing

  /** @internal Use `Tracker.open` or `Animator.open`. */
  protected constructor(
    connection: ModelConnection,
    { size, keypoints, ...computing }: OpenedModel,
    { onNotice }: WebPlace,
  ) {
    this.connection = connection
    this.size = size
    this.keypoints = keypoints
    this.computing = computing
    connection.onEvent = (event) => {
      if (event.kind === 'computing') this.computing = event.computing
      else onNotice?.(event.notice)
    }
  }

  /** The device that is really used. It changes if a GPU is lost. */
  get device(): Computing['device'] {
    return this.computing.device
  }

  /** Threads on the CPU that are really used. */
  get threads(): number {
    return this.computing.threads
  }

  /** The GPU's name, if one is used. */
  get adapter(): string | undefined {
    return this.computing.adapter
  }

  /**
   * The keypoints of a picture: of the square in its middle.
   *
   * @throws InputError for a picture that cannot be read.
   */
  async track(picture: Picture, options: TrackPictureOptions = {}): Promise<TrackedPicture> {
    const { transfer, picture: sent } = await toParcel(picture)
    return this.connection.call('track', { picture: sent, options: timed(options) }, transfer)
  }

  /** Ends the worker and frees its memory. Harmless when repeated. */
  async close(): Promise<void> {
    this.connection.close()
  }

  /** As `close`: `await using tracker = await Tracker.open(...)`. */
  async [asyncDispose](): Promise<void> {
    this.connection.close()
  }
}

/** Finds the keypoints of pictures. */
export class Tracker extends WebModel {
  /**
   * Opens a run for tracking, in a worker of its own.
   *
   * @param run an open run, or what `openRun` takes by name: a starter, or the address of a run
   * @throws InputError or FormatError for a run that cannot be used; EnvironmentError if the device or ONNX Runtime's
   * files are missing. The signal's reason, if it is aborted.
   */
  static open(run: WebRun | string, place: WebPlace): Promise<Tracker> {
    return connected(
      place,
      async (connection: ModelConnection) =>
        new Tracker(connection, await openModel(connection, run, place), place),
    )
  }
}

/** Moves a picture, the source, as other pictures move. */
export class Animator extends WebModel {
  /** Opens a run for animation, in a worker of its own: `Animator.open('face', place)`. @throws as `Tracker.open` */
  static open(run: WebRun | string, place: WebPlace): Promise<Animator> {
    return connected(
      place,
      async (connection: ModelConnection) =>
        new Animator(connection, await openModel(connection, run, place), place),
    )
  }

  /**
   * Sets the picture that is moved: the square in its middle. The next driving picture becomes the reference pose.
   *
   * @returns its keypoints
   * @throws InputError for a picture that cannot be read, or for a run without a generator.
   */
  async setSource(picture: Picture, options: TrackPictureOptions = {}): Promise<TrackedPicture> {
    const { transfer, picture: sent } = await toParcel(picture)
    return this.connection.call('setSource', { picture: sent, options: timed(options) }, transfer)
  }

  /** The next driving picture becomes the reference pose of relative motion, and smoothing starts again. */
  resetReference(): void {
    // Calls are taken in order, so that it holds for the next picture. A closed connection has no next picture.
    this.connection.call('resetReference', undefined).catch(() => {})
  }

  /**
   * Makes a pose the reference of relative motion, and smoothing starts again. It is taken to be the pose of the source.
   * The best one is that of the driving picture whose `poseDistance` is least (`track`).
   *
   * @param pose K points in [-1, 1] of the driving picture's square, and K maps
   * @throws InputError if no source is set, or the pose does not fit it, as `pose` says.
   */
  setReference({ value, jacobian }: Pose): Promise<void> {
    return this.connection.call('setReference', { value, ...(jacobian && { jacobian }) })
  }

  /**
   * Moves the source as a driving picture says. Calls are carried out one after the other.
   *
   * @throws InputError if no source is set, or the picture cannot be read.
   */
  async animate(driving: Picture, options: AnimatePictureOptions = {}): Promise<AnimatedPicture> {
    const { transfer, picture: sent } = await toParcel(driving)
    return this.connection.call('animate', { picture: sent, options: timed(options) }, transfer)
  }

  /**
   * Moves the source so that its keypoints are at given places. No picture drives it.
   *
   * @param pose K points in [-1, 1] of the source's square, and K maps; without `jacobian`, each point keeps the map that
   * it has in the source
   * @throws InputError if no source is set, or the pose has another number of keypoints or numbers that are not finite.
   */
  pose({ value, jacobian }: Pose, options: PoseOptions = {}): Promise<PosedPicture> {
    return this.connection.call('pose', { pose: { value, ...(jacobian && { jacobian }) }, options }, [])
  }
}

async function openModel(
  connection: ModelConnection,
  run: WebRun | string,
  place: WebPlace,
): Promise<OpenedModel> {
  const { name, files } = typeof run === 'string' ? await openRun(run, place) : run
  return connection.call('openModel', { name, files: files(), place: sentPlace(place) })
}

/** Fills in the page's clock, in seconds. */
const timed = <T extends TrackPictureOptions>(options: T): Timed<T> => ({
  ...options,
  time: options.time ?? performance.now() / 1000,
})
