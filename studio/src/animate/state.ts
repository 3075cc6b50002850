// The choices on the view Animate. They outlive the view.
import { computed, signal } from '@preact/signals'
import type { Square } from 'pantin/web'
import type { DrivingChoice } from '../core/driving.ts'
import { chosenRun, starterOf } from '../core/runs.ts'
import { stored } from '../core/stored.ts'
import { type Subject, subjectsOf } from '../core/subjects.ts'
import type { Trouble } from '../core/trouble.ts'

export interface PictureChoice {
  readonly name: string
  /** The name of a synthetic clip, or a file. */
  readonly source: string | Blob
  /** The square that somebody chose, in pixels of the picture. */
  readonly square?: Square
}

export const pictureOf = ({ name, picture }: Subject): PictureChoice => ({ name, source: picture })
export const drivingOf = ({ film }: Subject): DrivingChoice => ({ kind: 'synthetic', name: film })

const [first, second] = subjectsOf('face')
export const picture = signal<PictureChoice>(pictureOf(first!))
export const driving = signal<DrivingChoice>(drivingOf(second!))

/** The subjects that the model is for; all, if nobody said what it was trained on. */
export const offered = computed(() => {
  const starter = starterOf(chosenRun.value)
  return starter === undefined
    ? [...subjectsOf('face'), ...subjectsOf('puppet')]
    : subjectsOf(starter.subject)
})

/**
 * A starter for puppets gets puppets, one for faces heads, until somebody chooses otherwise. Pictures and videos of one's
 * own stay.
 */
export function startOffering(): () => void {
  return offered.subscribe((subjects) => {
    const [one, other] = subjects
    const { source } = picture.peek()
    const choice = driving.peek()
    const isOffered = (clip: string) => subjects.some((subject) => clip.startsWith(`${subject.spec},`))
    if (typeof source === 'string' && !isOffered(source)) picture.value = pictureOf(one!)
    if (choice.kind === 'synthetic' && !isOffered(choice.name)) driving.value = drivingOf(other!)
  })
}

/** Whether the square around a face is looked for in pictures of one's own. The starter for puppets knows no faces. */
export const looksForFaces = computed(() => starterOf(chosenRun.value)?.subject !== 'puppet')
/** What decided the square of the picture: somebody's choice; or for a picture of one's own its face, or nothing. */
export const framing = signal<'chosen' | 'face' | 'none' | undefined>(undefined)

export const points = stored('overlay.points', true)
export const axes = stored('overlay.axes', false)
export const heatmap = stored('overlay.heatmap', false)
export const motion = stored<'relative' | 'absolute'>('motion', 'relative', ['relative', 'absolute'])
export const smooths = stored('smoothing', true)
export const minCutoff = stored('smoothing.minCutoff', 1.5)
export const beta = stored('smoothing.beta', 0.3)

export type Status = 'loading' | 'running' | 'paused' | 'failed'
export const status = signal<Status>('loading')
/** The name of what the view waits for. */
export const waitingFor = signal('the model')
export const trouble = signal<Trouble | undefined>(undefined)

/** Milliseconds of each stage, and frames per second, over the last frames. */
export interface Speed {
  readonly framesPerSecond: number
  readonly prepare: number
  readonly detect: number
  readonly generate: number
  readonly show: number
}
export const speed = signal<Speed | undefined>(undefined)
