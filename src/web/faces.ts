// Faces in a page: where they are in a picture, found by a worker.
import type { Face } from '../faces/finder.ts'
import {
  asyncDispose,
  type Connection,
  connected,
  type SentPlace,
  sentPlace,
  type WebPlace,
} from './connection.ts'
import { type Picture, type SentPicture, toParcel } from './picture.ts'

/** The worker's methods for faces. */
export interface FaceMethods {
  openFaces(request: { place: SentPlace }): void
  findFaces(request: { picture: SentPicture }): Face[]
}

type FaceConnection = Connection<FaceMethods>

/** Finds faces in pictures: photographs, paintings, drawings. */
export class FaceFinder {
  private constructor(private readonly connection: FaceConnection) {}

  /**
   * Opens the networks that find faces, in a worker of their own, on the CPU. They are fetched from the place's
   * `assetsFolder`.
   *
   * @throws EnvironmentError if pantin's assets or ONNX Runtime's files are missing. The signal's reason, if it is aborted.
   */
  static open(place: WebPlace): Promise<FaceFinder> {
    return connected(place, async (connection: FaceConnection) => {
      await connection.call('openFaces', { place: sentPlace(place) })
      return new FaceFinder(connection)
    })
  }

  /**
   * The faces of a picture, the largest first; none if there are none. `head` is what `Animator.setSource` takes as `crop`.
   *
   * @throws InputError for a picture that cannot be read, or is smaller than 16 pixels along a side.
   */
  async find(picture: Picture): Promise<Face[]> {
    const { transfer, picture: sent } = await toParcel(picture)
    return this.connection.call('findFaces', { picture: sent }, transfer)
  }

  /** Ends the worker and frees its memory. Harmless when repeated. */
  async close(): Promise<void> {
    this.connection.close()
  }

  /** As `close`: `await using finder = await FaceFinder.open(place)`. */
  async [asyncDispose](): Promise<void> {
    this.connection.close()
  }
}
