// Settings that the browser remembers.
import { effect, type Signal, signal } from '@preact/signals'

/** A setting that the browser remembers. If the browser stores nothing, the setting lasts as long as the page. */
export function stored<T extends string | number | boolean>(
  name: string,
  initial: T,
  allowed?: readonly T[],
): Signal<T> {
  const setting = signal(read(name, initial, allowed))
  effect(() => write(name, setting.value))
  return setting
}

const key = (name: string): string => `pantin.${name}`

function read<T>(name: string, initial: T, allowed?: readonly T[]): T {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key(name)) ?? 'null')
    if (typeof value !== typeof initial) return initial
    return allowed === undefined || allowed.includes(value as T) ? (value as T) : initial
  } catch {
    return initial
  }
}

function write(name: string, value: unknown): void {
  try {
    localStorage.setItem(key(name), JSON.stringify(value))
  } catch {
    // The storage is full or forbidden. A lost setting is not worth a message.
  }
}
