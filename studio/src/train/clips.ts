// The clips that the next training learns from.
import { computed, signal } from '@preact/signals'
import { openClip } from 'pantin/web'
import * as animation from '../animate/state.ts'
import { say } from '../core/messages.ts'
import { place } from '../core/place.ts'
import { stored } from '../core/stored.ts'

export interface ClipChoice {
  readonly name: string
  readonly source: Blob | string
}

/** The clips of the next training. */
export const clips = signal<readonly ClipChoice[]>([])
/** Seconds of the clip that the webcam records now; undefined if it records none. */
export const recordedSeconds = signal<number | undefined>(undefined)
/** Recordings that no training has read. */
const unread = signal<ReadonlySet<ClipChoice>>(new Set())
/** Whether this page has the only copy of a clip. */
export const hasUnread = computed(() => clips.value.some((clip) => unread.value.has(clip)))
/** The starter that the next training begins with; empty for a new model. */
export const begunWith = stored<string>('train.from', 'face')

export function addFiles(files: Iterable<File>): void {
  const given = [...files]
  const films = given.filter(
    ({ type, name }) => type.startsWith('video/') || /\.(mp4|mov|webm|mkv)$/i.test(name),
  )
  if (films.length < given.length) say('Only videos can be used: mp4, mov, webm or mkv.', 'error')
  const fresh = films.filter((file) => clips.value.every(({ source }) => source !== file))
  clips.value = [...clips.value, ...fresh.map((file) => ({ name: file.name, source: file }))]
}

/** Adds a synthetic clip. @param spec as the library takes it: `head:1` */
export function addSynthetic(spec: string): void {
  const name = spec.replace(':', ' ')
  if (clips.value.some((clip) => clip.name === name)) return
  clips.value = [...clips.value, { name, source: spec }]
}

/** Adds a recording of the webcam. */
export function addRecording(film: Blob): void {
  const count = clips.value.filter(({ name }) => name.startsWith('webcam')).length
  const clip = { name: `webcam ${count + 1}`, source: film }
  clips.value = [...clips.value, clip]
  unread.value = new Set([...unread.value, clip])
}

/** A training has read these clips. */
export function markRead(read: readonly ClipChoice[]): void {
  unread.value = new Set([...unread.value].filter((clip) => !read.includes(clip)))
}

export function removeClip(clip: ClipChoice): void {
  clips.value = clips.value.filter((other) => other !== clip)
}

/**
 * Lets the view Animate show what was learned from a clip: its own first frame, moved by the clip. Another picture is one
 * choice away.
 */
export async function showLearned({ name, source }: ClipChoice): Promise<void> {
  await using clip = await openClip(source, place.peek(), { fit: 'whole' })
  for await (const { picture } of clip.frames({ toFrame: 1 })) {
    const canvas = new OffscreenCanvas(picture.width, picture.height)
    canvas.getContext('2d')!.drawImage(picture, 0, 0)
    picture.close()
    animation.picture.value = {
      name: `first frame of ${name}`,
      source: await canvas.convertToBlob(),
      clip: typeof source === 'string' ? { kind: 'synthetic', name: source } : { kind: 'film', name },
    }
  }
  animation.driving.value =
    typeof source === 'string'
      ? { kind: 'synthetic', name: source }
      : { kind: 'video', file: new File([source], name, { type: source.type }) }
}
