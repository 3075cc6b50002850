import { type Connection, connected, sentPlace, unlessAborted } from './connection.ts'
import { runOf } from './run.ts'
import { checkRunName } from './storage.ts'
import type { TrainEvent, TrainPlace, TrainSettings, WebRun } from './types.ts'

/**
 * Trains a model in a worker, on the graph that Node trains. Checkpoints go to the browser's own storage, so that a
 * page that is reloaded, or closed, goes on where it was: see `resume`.
 */
export class Trainer {
  /**
   * The run, once it is finished or paused.
   *
   * @throws as training fails; what was saved by then is kept.
   */
  readonly done: Promise<WebRun>

  private constructor(
    readonly name: string,
    private readonly connection: Connection,
  ) {
    this.done = connection
      .call('trained', undefined)
      .then((files) => runOf(files, name))
      .finally(() => connection.close())
    // The events tell of a failure too; a page may have no use for the promise.
    this.done.catch(() => {})
  }

  /**
   * Begins a run. Resolves when training begins: the clips are read, and can go.
   *
   * @param clips video files, or puppets (`puppet:7`)
   * @throws InputError for settings or clips that cannot be used, and for a name that is taken or in use. The signal's
   * reason, if it is aborted meanwhile.
   */
  static start(
    clips: readonly (Blob | string)[],
    settings: TrainSettings,
    place: TrainPlace & { readonly name: string },
  ): Promise<Trainer> {
    const { name } = place
    return Trainer.begin(place, name, (connection) =>
      connection.call('train', { name, clips, settings, place: sentPlace(place) }),
    )
  }

  /**
   * Goes on with a run of `storedRuns` from its last checkpoint, by its own settings.
   *
   * @throws InputError where there is none, another tab trains it, it is finished, or its frames are not kept.
   */
  static resume(name: string, place: TrainPlace): Promise<Trainer> {
    return Trainer.begin(place, name, (connection) =>
      connection.call('resumeTraining', { name, place: sentPlace(place) }),
    )
  }

  /** Saves and stops. Resolves when it is saved. */
  async pause(): Promise<void> {
    // Where training has ended by itself there is nothing to pause; `done` tells how it ended.
    await this.connection.call('pauseTraining', undefined).catch(() => {})
    await this.done
  }

  /** Saves, stops, and frees the worker, whatever the training did. */
  async close(): Promise<void> {
    await this.pause().catch(() => {})
    this.connection.close()
  }

  private static async begin(
    place: TrainPlace,
    name: string,
    ask: (connection: Connection) => Promise<void>,
  ): Promise<Trainer> {
    checkRunName(name)
    return connected(place, async (connection) => {
      connection.onEvent = (event) => {
        if (event.kind === 'notice') {
          place.onNotice?.(event.notice)
          place.onEvent({ kind: 'notice', notice: event.notice } satisfies TrainEvent)
        }
        if (event.kind === 'train') place.onEvent(event.event)
      }
      await unlessAborted(ask(connection), place.signal)
      return new Trainer(name, connection)
    })
  }
}
