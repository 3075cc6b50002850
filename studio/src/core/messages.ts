// Messages over the page: notes, which go after a while, and errors, which stay until they are dismissed.
import { signal } from '@preact/signals'
import { sentence, troubleOf } from './trouble.ts'

/** A message over the page. */
export interface Message {
  readonly id: number
  readonly kind: 'note' | 'error'
  readonly text: string
}

export const messages = signal<readonly Message[]>([])

const shown = 3
const noteMilliseconds = 8000
let count = 0

export function say(text: string, kind: Message['kind'] = 'note'): void {
  // The same message is not shown twice.
  if (messages.value.some((message) => message.text === text)) return
  const message = { id: ++count, kind, text }
  messages.value = [...messages.value, message].slice(-shown)
  if (kind === 'note') setTimeout(() => dismiss(message.id), noteMilliseconds)
}

export const complain = (error: unknown): void => say(sentence(troubleOf(error)), 'error')

export function dismiss(id: number): void {
  messages.value = messages.value.filter((message) => message.id !== id)
}
