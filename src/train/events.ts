// What a training run tells while it goes on: the same events in Node, in pages and in the studio.
import type { Framing } from '../faces/framing.ts'
import type { Frame } from '../media/clip.ts'
import type { Device } from '../runtime/session.ts'

/** Frames of the clips are decoded, and then labelled where a teacher trains. */
export interface PrepareEvent {
  /** The kind of event. */
  readonly kind: 'decode' | 'label'
  /** Frames that are done. */
  readonly done: number
  /** Frames of all clips; of labels, warped copies too. */
  readonly total: number
}

/** The square of a clip was chosen. Puppets and heads are taken as they are made, and not told. */
export interface CropEvent {
  /** The kind of event. */
  readonly kind: 'crop'
  /** Name of the clip. */
  readonly clip: string
  /** The square that is kept, and what decided it. */
  readonly framing: Framing
}

/** Nothing moves in a clip, so nothing is learned from it. */
export interface StillEvent {
  /** The kind of event. */
  readonly kind: 'still'
  /** Name of the clip. */
  readonly clip: string
}

/** One training step. */
export interface StepEvent<D extends Device = Device> {
  /** The kind of event. */
  readonly kind: 'step'
  /** Number of the step, from 1. */
  readonly step: number
  /** Steps of the whole run. Undefined if the run ends after a time. */
  readonly steps: number | undefined
  /** Part of the run that is done, 0 to 1. */
  readonly progress: number
  /** Steps per second since training was begun or resumed. */
  readonly rate: number
  /** Seconds until the end of the run. */
  readonly etaSeconds: number
  /** Seconds that all steps of the run took. */
  readonly seconds: number
  /** The weighted sum of the terms. */
  readonly loss: number
  /** The terms of the loss by name, and `gradientNorm`, the Euclidean norm of the gradient. */
  readonly terms: Readonly<Record<string, number>>
  /** The device that is really used. */
  readonly device: D
}

/** A preview was made and saved. */
export interface PreviewEvent<Picture = Frame> {
  /** The kind of event. */
  readonly kind: 'preview'
  /** Steps that are done. */
  readonly step: number
  /**
   * A row for each shown frame. Training without labels shows the source picture, the driving frame, the result, and
   * the driving frame's keypoints; distillation shows the frame, the teacher's keypoints and the student's.
   */
  readonly picture: Picture
  /**
   * Training without labels: `l1`, the mean absolute difference of results and driving frames, and `still`, that of
   * source pictures and driving frames. Distillation: `distance` and `jacobian`, the mean differences to the teacher.
   */
  readonly measures: Readonly<Record<string, number>>
}

/** Checkpoint and weights of a step were saved. */
export interface SavedEvent {
  /** The kind of event. */
  readonly kind: 'saved'
  /** Steps that are saved. */
  readonly step: number
  /** Whether a part of the run found no room in the browser's storage and is only in the page's memory. */
  readonly inMemory: boolean
}

/** Training has ended: the run is finished, or it was stopped and can be resumed. */
export interface EndEvent {
  /** The kind of event. */
  readonly kind: 'paused' | 'finished'
  /** Steps that the run has. */
  readonly step: number
}

/**
 * What `onEvent` is told.
 *
 * @typeParam Picture a frame of pixels in Node; a PNG file in a page, which comes from a worker
 * @typeParam D the devices that there are
 */
export type TrainEvent<Picture = Frame, D extends Device = Device> =
  | PrepareEvent
  | CropEvent
  | StillEvent
  | StepEvent<D>
  | PreviewEvent<Picture>
  | SavedEvent
  | EndEvent
