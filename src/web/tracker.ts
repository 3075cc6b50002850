import type { Computing, OpenedModel } from './calls.ts'
import { type Connection, connected, sentPlace } from './connection.ts'
import { now, toParcel } from './send.ts'
import type { Picture, Tracked, TrackOptions, WebPlace, WebRun } from './types.ts'

/** A run's model in a worker. */
export abstract class WebModel {
  /** Pixels a side of what the model sees. */
  readonly size: number
  /** K */
  readonly keypoints: number
  private computing: Computing

  protected constructor(
    protected readonly connection: Connection,
    { size, keypoints, ...computing }: OpenedModel,
    { onNotice }: WebPlace,
  ) {
    this.size = size
    this.keypoints = keypoints
    this.computing = computing
    connection.onEvent = (event) => {
      if (event.kind === 'computing') this.computing = event.computing
      if (event.kind === 'notice') onNotice?.(event.notice)
    }
  }

  /** The device that is really used. It changes where a GPU is lost. */
  get device(): Computing['device'] {
    return this.computing.device
  }

  /** Threads on the CPU that are really used. */
  get threads(): number {
    return this.computing.threads
  }

  /** The GPU's name, where one is used. */
  get adapter(): string | undefined {
    return this.computing.adapter
  }

  /** Frees the worker. Harmless when repeated. */
  async close(): Promise<void> {
    this.connection.close()
  }
}

/** Opens a run's model in a worker of its own. */
export async function openModel(connection: Connection, run: WebRun, place: WebPlace): Promise<OpenedModel> {
  return connection.call('openModel', { name: run.name, files: run.files(), place: sentPlace(place) })
}

/** Finds the keypoints of pictures. */
export class Tracker extends WebModel {
  /**
   * Opens a run for tracking.
   *
   * @throws InputError or FormatError for a run that cannot be used, EnvironmentError where the device is not there
   * or ONNX Runtime's files are not.
   */
  static open(run: WebRun, place: WebPlace): Promise<Tracker> {
    return connected(
      place,
      async (connection) => new Tracker(connection, await openModel(connection, run, place), place),
    )
  }

  /**
   * The keypoints of a picture: of the square in its middle.
   *
   * @throws InputError for a picture that cannot be read, or is smaller than the model's.
   */
  async track(picture: Picture, options: TrackOptions = {}): Promise<Tracked> {
    const { transfer, picture: sent } = await toParcel(picture)
    return this.connection.call('track', { picture: sent, options: { time: now(), ...options } }, transfer)
  }
}
