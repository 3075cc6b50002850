import { connected } from './connection.ts'
import { now, toParcel } from './send.ts'
import { openModel, WebModel } from './tracker.ts'
import type { Animated, AnimateOptions, Picture, Tracked, TrackOptions, WebPlace, WebRun } from './types.ts'

/** Moves a picture as others move. */
export class Animator extends WebModel {
  /** Opens a run for animation. @throws as `Tracker.open` */
  static open(run: WebRun, place: WebPlace): Promise<Animator> {
    return connected(
      place,
      async (connection) => new Animator(connection, await openModel(connection, run, place), place),
    )
  }

  /**
   * The picture that is to move: the square in its middle. The next driving frame becomes the reference pose.
   *
   * @returns its keypoints
   * @throws InputError for a picture that cannot be read or is smaller than the model's, or a run without a
   * generator.
   */
  async setSource(picture: Picture, options: TrackOptions = {}): Promise<Tracked> {
    const { transfer, picture: sent } = await toParcel(picture)
    const request = { picture: sent, options: { time: now(), ...options } }
    return this.connection.call('setSource', request, transfer)
  }

  /** The next driving frame becomes the reference pose of relative motion, and smoothing begins anew. */
  resetReference(): void {
    // Calls are taken in order, so it holds for the next frame; a closed connection has no next frame.
    this.connection.call('resetReference', undefined).catch(() => {})
  }

  /**
   * The source, moved as the driving picture says. Calls are carried out one after the other.
   *
   * @throws InputError where there is no source yet, or a picture cannot be read.
   */
  async animate(driving: Picture, options: AnimateOptions = {}): Promise<Animated> {
    const { transfer, picture: sent } = await toParcel(driving)
    const request = { picture: sent, options: { time: now(), ...options } }
    return this.connection.call('animate', request, transfer)
  }
}
