// The strings at work: which ones there are, how they are pulled now, the poses that are kept, and playing between them.
import { signal } from '@preact/signals'
import type { Pose } from 'pantin/web'
import { place } from '../core/place.ts'
import { type RunKey, starterOf } from '../core/runs.ts'
import { settled } from '../core/settling.ts'
import {
  aimedPose,
  atRest,
  between,
  type Pull,
  type PulledString,
  type Puppet,
  poseOf,
  pulled,
  stringsOf,
} from '../core/strings.ts'

/** A pose that somebody kept. */
export interface KeptPose {
  readonly pull: Pull
  /** Address of a small picture of it. */
  readonly picture: string
}

/** The picture with its strings; undefined as long as there is no picture. */
export const puppet = signal<Puppet | undefined>(undefined)
export const pull = signal<Pull>({ pulls: [], offsets: new Map() })
/** The keypoint that was taken last, which the keyboard moves. */
export const taken = signal(0)
/** Whether a pointer holds that keypoint. */
export const isHeld = signal(false)
export const kept = signal<readonly KeptPose[]>([])
export const plays = signal(false)

/** Milliseconds from one kept pose to the next. */
const step = 900
/** Fewer poses say too little of how a model moves. */
const fewest = 20

/** How a starter's keypoints move, from the file beside its weights. */
async function stringsOfStarter(name: string): Promise<readonly PulledString[]> {
  const answer = await fetch(`${place.peek().assetsFolder}starters/${name}/strings.json`)
  if (!answer.ok) return []
  const { strings } = (await answer.json()) as { strings: readonly PulledString[] }
  return strings
}

/**
 * Ties the strings to a picture: those of the starter, or those along which a video has moved the picture before.
 *
 * @param seen poses in which the picture was
 */
export async function tie(run: RunKey, rest: Pose, seen: readonly Pose[]): Promise<void> {
  const starter = starterOf(run)
  const own = starter === undefined ? [] : await stringsOfStarter(starter.name)
  const fits = own.every(({ value }) => value.length === 2 * rest.value.length)
  const strings = fits && own.length > 0 ? own : seen.length >= fewest ? stringsOf(seen) : []
  const before = puppet.peek()
  puppet.value = { strings, rest }
  plays.value = false
  const isSame = before?.strings.length === strings.length && before.rest.value.length === rest.value.length
  if (isSame) return
  goal = undefined
  pull.value = atRest(puppet.value)
  taken.value = 0
  forgetPoses()
}

/** Where the taken point goes with the next picture, and how the strings were before it was taken. */
let goal: { readonly from: Pull; readonly to: readonly [number, number] } | undefined

/** Puts the taken point somewhere. Pointers tell of more places than pictures can be made, so that only the last one counts. */
export function reach(from: Pull, to: readonly [number, number]): void {
  goal = { from, to }
}

/** How the strings are pulled now. */
export function pullNow(): Pull {
  const now = puppet.peek()
  if (goal !== undefined && now !== undefined) pull.value = pulled(now, goal.from, taken.peek(), goal.to)
  goal = undefined
  return pull.peek()
}

/** How the strings are pulled at a time in milliseconds. */
export function pullAt(now: number): Pull {
  const poses = kept.peek()
  if (!plays.peek() || poses.length < 2) return pullNow()
  const at = (now / step) % poses.length
  const index = Math.floor(at)
  return between(poses[index]!.pull, poses[(index + 1) % poses.length]!.pull, at - index)
}

/** Where the keypoints are put, if the strings are pulled so. */
export const placed = (how: Pull): Pose | undefined => {
  const now = puppet.peek()
  return now && poseOf(now, how)
}

/** The pose that a model is given, if the strings are pulled so. */
export const aimed = (how: Pull): Pose | undefined => {
  const now = puppet.peek()
  return now && aimedPose(now, how)
}

/** The pull that was settled last. */
let rested: Pull | undefined

/**
 * Once a pulled point is let go: aims it so that the picture is where it was put.
 *
 * @param find gives the keypoints of the picture that was moved to a pose; undefined if there is no more picture
 */
export async function settle(find: (pose: Pose) => Promise<Pose | undefined>): Promise<void> {
  const [now, before] = [puppet.peek(), pull.peek()]
  if (now === undefined || isHeld.peek() || plays.peek()) return
  if (before === rested || !before.offsets.has(taken.peek())) return
  rested = before
  // Somebody may pull again meanwhile.
  const isLast = () => pull.peek() === before
  const after = await settled(now, before, taken.peek(), async (pose) => (isLast() ? find(pose) : undefined))
  if (after === undefined || !isLast()) return
  rested = after
  pull.value = after
}

export function letGo(): void {
  const now = puppet.peek()
  plays.value = false
  if (now !== undefined) pull.value = atRest(now)
}

/** Keeps the present pose, with a small picture of what a canvas shows. */
export async function keepPose(shown: HTMLCanvasElement): Promise<void> {
  const small = Object.assign(document.createElement('canvas'), { width: 112, height: 112 })
  small.getContext('2d')!.drawImage(shown, 0, 0, small.width, small.height)
  const blob = await new Promise<Blob | null>((resolve) => small.toBlob(resolve))
  kept.value = [
    ...kept.peek(),
    { pull: pull.peek(), picture: blob === null ? '' : URL.createObjectURL(blob) },
  ]
}

export function dropPose(index: number): void {
  const pose = kept.peek()[index]
  if (pose !== undefined) URL.revokeObjectURL(pose.picture)
  kept.value = kept.peek().filter((_, i) => i !== index)
  if (kept.value.length < 2) plays.value = false
}

function forgetPoses(): void {
  for (const { picture } of kept.peek()) URL.revokeObjectURL(picture)
  kept.value = []
}
