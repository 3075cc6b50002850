// Trains a model in a worker, on the graph that Node trains, into the browser's own storage.
import type { MotionConfig } from '../motion/config.ts'
import type { WebDevice } from '../runtime/web-runtime.ts'
import type { pageOptions } from '../train/options.ts'
import type { TrainEvent } from '../train/step.ts'
import type { OptionValues } from '../util/options.ts'
import { assertReadable } from './clip.ts'
import {
  asyncDispose,
  type Connection,
  connected,
  type Notice,
  type SentPlace,
  sentPlace,
  type WebPlace,
} from './connection.ts'
import type { DeviceEvent } from './model.ts'
import { openRun, type RunFiles, runOf, type WebRun } from './run.ts'
import { checkRunName } from './storage.ts'

/** What is trained. Node's `TrainOptions` have more, such as the run folder to make. */
export interface TrainSettings extends OptionValues<typeof pageOptions> {
  /** Backbone of the detector, a name of the zoo (default: ficelle). */
  readonly net?: string
  /** The network's own options, if it has some (default: its own). */
  readonly netOptions?: unknown
  /** The whole model, instead of net, size, keypoints and generator. */
  readonly model?: MotionConfig
  /** A starter, or an open run, whose model and weights training begins with, instead of the options of the model. */
  readonly from?: string | WebRun
}

/** The settings, and the files of the run that `from` names. */
export type SentSettings = Omit<TrainSettings, 'from'> & {
  readonly from?: { readonly name: string; readonly files: RunFiles }
}

/** The library goes on in another way: on the CPU, for example, after the GPU was lost. Or a clip is not as it should be. */
export interface NoticeEvent {
  /** Tells this event from others. */
  readonly kind: 'notice'
  /** What the visitor should know. */
  readonly notice: Notice
}

/** Training failed. What was saved before is kept. */
export interface FailedEvent {
  /** Tells this event from others. */
  readonly kind: 'failed'
  /** What went wrong. */
  readonly message: string
  /** What the visitor can do. */
  readonly remedy?: string
}

/**
 * What a training in a page tells: the events of Node's `TrainEvent`, and two more. `notice` says that the library goes on
 * in another way, or what is wrong with a clip. `failed` is told because a page may look at events only; in Node the promise is rejected.
 */
export type WebTrainEvent = TrainEvent<Blob, WebDevice> | NoticeEvent | FailedEvent

/** Where a run is trained, and who is told. The signal gives up a run that has not begun, while clips are read. */
export interface TrainPlace extends WebPlace {
  /** Called with each event of the training. */
  onEvent(event: WebTrainEvent): void
}

/** The worker's methods for a training. */
export interface TrainingMethods {
  train(request: {
    name: string
    clips: readonly (Blob | string)[]
    settings: SentSettings
    place: SentPlace
  }): void
  resumeTraining(request: { name: string; place: SentPlace }): void
  /** Answers when training ends; see `Trainer.done`. */
  trained(request: undefined): RunFiles
  pauseTraining(request: undefined): void
}

/** What the worker tells of a training. */
export type TrainingEvent = DeviceEvent | { readonly kind: 'train'; readonly event: WebTrainEvent }

type TrainingConnection = Connection<TrainingMethods, TrainingEvent>

/**
 * A training in a worker. Checkpoints go to the browser's own storage, so that a run goes on after its page was reloaded
 * or closed: see `resume`.
 */
export class Trainer {
  /**
   * The run, once it is finished or paused.
   *
   * @throws the error if training fails. What was saved before is kept.
   */
  readonly done: Promise<WebRun>

  private constructor(
    /** Name of the run. */
    readonly name: string,
    private readonly connection: TrainingConnection,
  ) {
    this.done = connection
      .call('trained', undefined)
      .then((files) => runOf(files, name))
      .finally(() => connection.close())
    // The events tell of a failure too, so that a page need not look at the promise.
    this.done.catch(() => {})
  }

  /**
   * Begins a run. Resolves when training begins: the clips are read then, and not needed any more.
   *
   * @param clips video files, puppets (`puppet:7`) or heads (`head:7`)
   * @throws InputError for settings or clips that cannot be used, and for a name that is taken or in use. The signal's
   * reason, if it is aborted before training begins.
   */
  static async start(
    clips: readonly (Blob | string)[],
    settings: TrainSettings,
    place: TrainPlace & { readonly name: string },
  ): Promise<Trainer> {
    const { name } = place
    checkRunName(name)
    const sent = await sentSettings(settings, place)
    await assertReadable(clips, place)
    return Trainer.begin(place, name, (connection) =>
      connection.call('train', { name, clips, settings: sent, place: sentPlace(place) }),
    )
  }

  /**
   * Goes on with a run of `storedRuns` from its last checkpoint, with its own settings.
   *
   * @throws InputError if there is no such run, another tab trains it, it is finished, or its frames are not kept.
   */
  static resume(name: string, place: TrainPlace): Promise<Trainer> {
    return Trainer.begin(place, name, (connection) =>
      connection.call('resumeTraining', { name, place: sentPlace(place) }),
    )
  }

  /** Saves and stops. Resolves when it is saved. */
  async pause(): Promise<void> {
    // If training has ended by itself, there is nothing to pause, and `done` tells how it ended.
    await this.connection.call('pauseTraining', undefined).catch(() => {})
    await this.done
  }

  /** Saves, stops, and ends the worker, however the training ended. Harmless when repeated. */
  async close(): Promise<void> {
    await this.pause().catch(() => {})
    this.connection.close()
  }

  /** As `close`. */
  async [asyncDispose](): Promise<void> {
    await this.close()
  }

  private static async begin(
    place: TrainPlace,
    name: string,
    ask: (connection: TrainingConnection) => Promise<void>,
  ): Promise<Trainer> {
    checkRunName(name)
    return connected(place, async (connection: TrainingConnection) => {
      connection.onEvent = (event) => {
        if (event.kind === 'notice') {
          place.onNotice?.(event.notice)
          place.onEvent({ kind: 'notice', notice: event.notice } satisfies WebTrainEvent)
        }
        if (event.kind === 'train') place.onEvent(event.event)
      }
      await ask(connection)
      return new Trainer(name, connection)
    })
  }
}

async function sentSettings({ from, ...settings }: TrainSettings, place: TrainPlace): Promise<SentSettings> {
  if (from === undefined) return settings
  const { assetsFolder, signal } = place
  const options = { ...(assetsFolder !== undefined && { assetsFolder }), ...(signal && { signal }) }
  const run = typeof from === 'string' ? await openRun(from, options) : from
  return { ...settings, from: { name: run.name, files: run.files() } }
}
