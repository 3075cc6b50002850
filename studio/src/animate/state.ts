// The choices on the view Animate. They outlive the view.
import { computed, effect, type Signal, signal } from '@preact/signals'
import { type Pose, type Square, starters } from 'pantin/web'
import { chosenCamera, isMirrored } from '../core/camera.ts'
import type { DrivingChoice } from '../core/driving.ts'
import { inAddress } from '../core/router.ts'
import { chosenRun, keyOf, starterOf } from '../core/runs.ts'
import { stored } from '../core/stored.ts'
import { type Subject, subjects, subjectsOf } from '../core/subjects.ts'
import type { Trouble } from '../core/trouble.ts'

export interface PictureChoice {
  readonly name: string
  /** The name of a synthetic clip, or a file. */
  readonly source: string | Blob
  /** The square that somebody chose, in pixels of the picture. */
  readonly square?: Square
  /** The clip whose first frame it is. */
  readonly clip?: { readonly kind: 'synthetic' | 'film'; readonly name: string }
}

export const pictureOf = ({ name, picture }: Subject): PictureChoice => ({ name, source: picture })
export const drivingOf = ({ film }: Subject): DrivingChoice => ({ kind: 'synthetic', name: film })

const [first, second] = subjectsOf('face')
export const picture = signal<PictureChoice>(pictureOf(first!))
export const driving = signal<DrivingChoice>(drivingOf(second!))

/** The picture that comes back if another one cannot be shown: the last one that was shown. */
export const shownPicture = signal<PictureChoice>(picture.peek())

/** The subjects that the model is for. For a model that is no starter, all subjects. */
export const offered = computed(() => {
  const starter = starterOf(chosenRun.value)
  return starter === undefined ? subjects : subjectsOf(starter.subject)
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

/** Opens the webcam again when another camera is chosen, or the mirror. */
export function followCamera(): () => void {
  let isFirst = true
  return effect(() => {
    void [chosenCamera.value, isMirrored.value]
    if (!isFirst && driving.peek().kind === 'webcam') driving.value = { kind: 'webcam' }
    isFirst = false
  })
}

/** Whether the square around a face is looked for in pictures of one's own. The starter for puppets knows no faces. */
export const looksForFaces = computed(() => starterOf(chosenRun.value)?.subject !== 'puppet')
/** What decided the square of the picture: somebody's choice; or for a picture of one's own its face, or nothing. */
export const framing = signal<'chosen' | 'face' | 'none' | undefined>(undefined)
/** Whether a head was found in a video or webcam; undefined as long as none was looked for. */
export const drivingFace = signal<'face' | 'none' | undefined>(undefined)

/** Whether relative motion starts from the frame of a clip whose pose is nearest to the picture's. */
export const matches = stored<boolean>('motion.match', true)

/** The frame that relative motion starts from. */
export type Reference =
  /** The first one that was shown. */
  | { readonly kind: 'first' }
  /** The first one, while all of the clip is looked at. */
  | { readonly kind: 'searched' }
  /** The one whose pose is nearest to the picture's; its number, from 0. */
  | { readonly kind: 'nearest'; readonly frame: number; readonly frameCount: number; readonly pose: Pose }
  /** The one that somebody chose. */
  | { readonly kind: 'chosen'; readonly pose: Pose }
export const reference = signal<Reference>({ kind: 'first' })

/** Whether the pose of the picture is shown over the webcam, until somebody has taken it. */
export const outline = stored<boolean>('outline', true)
/** How near the webcam's pose is to the picture's, 0 to 1; undefined as long as no webcam drives. */
export const nearness = signal<number | undefined>(undefined)

/** Whether the moved square is put back into the whole picture. */
export const pastes = stored<boolean>('paste', false)
/** Whether there is more in the picture than its square. */
export const canPaste = signal(false)

export const points = stored<boolean>('overlay.points', true)
export const axes = stored<boolean>('overlay.axes', false)
export const heatmap = stored<boolean>('overlay.heatmap', false)
export const motion = stored<'relative' | 'absolute'>('motion', 'relative', ['relative', 'absolute'])
export const smooths = stored<boolean>('smoothing', true)
export const minCutoff = stored<number>('smoothing.minCutoff', 1.5)
export const beta = stored<number>('smoothing.beta', 0.3)

inAddress('animate', 'model', {
  write() {
    const { value: key } = chosenRun
    // An opened file is in this tab alone.
    return starterOf(key)?.name ?? (key.startsWith('opened:') ? undefined : key)
  },
  read(text) {
    const starter = starters.find(({ name }) => name === text)
    if (starter !== undefined) chosenRun.value = keyOf(starter)
    else if (/^(stored:.|served:[\w-]+$)/.test(text)) chosenRun.value = text
  },
})
inAddress('animate', 'picture', {
  write: () => subjects.find((one) => one.picture === picture.value.source)?.spec,
  read(text) {
    const found = subjects.find(({ spec }) => spec === text)
    if (found !== undefined) picture.value = pictureOf(found)
  },
})
inAddress('animate', 'driving', {
  write() {
    const { value: choice } = driving
    if (choice.kind === 'synthetic') return subjects.find(({ film }) => film === choice.name)?.spec
    // An address must not start a camera.
    return choice.kind === 'strings' ? choice.kind : undefined
  },
  read(text) {
    const found = subjects.find(({ spec }) => spec === text)
    if (found !== undefined) driving.value = drivingOf(found)
    else if (text === 'strings') driving.value = { kind: 'strings' }
  },
})
inAddress('animate', 'motion', {
  write: () => motion.value,
  read(text) {
    if (text === 'relative' || text === 'absolute') motion.value = text
  },
})
const overlays: readonly (readonly [string, Signal<boolean>])[] = [
  ['keypoints', points],
  ['axes', axes],
  ['heatmaps', heatmap],
]
inAddress('animate', 'reference', {
  write: () => (matches.value ? undefined : 'first'),
  read(text) {
    if (text === 'first' || text === 'best') matches.value = text === 'best'
  },
})
inAddress('animate', 'paste', {
  write: () => (pastes.value ? 'on' : undefined),
  read(text) {
    if (text === 'on' || text === 'off') pastes.value = text === 'on'
  },
})
inAddress('animate', 'show', {
  write: () =>
    overlays
      .filter(([, isOn]) => isOn.value)
      .map(([name]) => name)
      .join(',') || 'none',
  read(text) {
    const names = text.split(',')
    for (const [name, isOn] of overlays) isOn.value = names.includes(name)
  },
})
/** The least and the most of the numbers of smoothing. */
export const smoothingBounds = { minCutoff: [0.1, 6], beta: [0, 2] } as const
inAddress('animate', 'smoothing', {
  write: () => (smooths.value ? `${minCutoff.value},${beta.value}` : 'off'),
  read(text) {
    smooths.value = text !== 'off'
    const [cutoff, slope] = text.split(',').map(Number)
    minCutoff.value = within(cutoff, smoothingBounds.minCutoff, minCutoff.value)
    beta.value = within(slope, smoothingBounds.beta, beta.value)
  },
})

/** A number of an address, within its bounds; another one if it is none. */
const within = (value: number | undefined, [least, most]: readonly [number, number], otherwise: number) =>
  value === undefined || Number.isNaN(value) ? otherwise : Math.min(most, Math.max(least, value))

export type Status = 'loading' | 'running' | 'paused' | 'failed'
export const status = signal<Status>('loading')
/** Whether something has moved since the page was opened: a film is shown until then. */
export const hasMoved = signal(false)
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
