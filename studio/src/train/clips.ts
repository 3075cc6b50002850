// The clips that the next training learns from.
import { signal } from '@preact/signals'
import { say } from '../core/messages.ts'

export interface ClipChoice {
  readonly name: string
  readonly source: Blob | string
}

/** The clips of the next training. */
export const clips = signal<readonly ClipChoice[]>([])

export function addFiles(files: Iterable<File>): void {
  const given = [...files]
  const films = given.filter(
    ({ type, name }) => type.startsWith('video/') || /\.(mp4|mov|webm|mkv)$/i.test(name),
  )
  if (films.length < given.length) say('Only videos can be used: mp4, mov, webm or mkv.', 'error')
  clips.value = [...clips.value, ...films.map((file) => ({ name: file.name, source: file }))]
}

/** Adds a synthetic clip. @param spec as the library takes it: `head:1` */
export function addSynthetic(spec: string): void {
  const name = spec.replace(':', ' ')
  if (clips.value.some((clip) => clip.name === name)) return
  clips.value = [...clips.value, { name, source: spec }]
}

export function removeClip(clip: ClipChoice): void {
  clips.value = clips.value.filter((other) => other !== clip)
}
