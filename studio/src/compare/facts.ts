// What the compare view knows of the zoo: counts, and times once they are measured.
import { signal } from '@preact/signals'
import {
  type NetworkFacts,
  type NetworkProfile,
  type NetworkTime,
  profileNetwork,
  timeNetwork,
} from 'pantin/web'
import { networks, readNetworks } from '../core/networks.ts'
import { place, showComputing } from '../core/place.ts'
import { type Trouble, troubleOf } from '../core/trouble.ts'

export const profiles = signal<ReadonlyMap<string, NetworkProfile>>(new Map())
export const times = signal<ReadonlyMap<string, NetworkTime>>(new Map())
export const chosen = signal<string>('ficelle')
export const trouble = signal<Trouble | undefined>(undefined)

/** A network that is being timed. */
export interface Measuring {
  readonly name: string
  /** Of all networks and rounds, 0 to 1. */
  readonly done: number
}
export const measuring = signal<Measuring | undefined>(undefined)

let isCounting = false

/** Counts one network after the other, the chosen one first. */
export function count(): void {
  if (isCounting) return
  isCounting = true
  countAll()
    .catch((error) => {
      trouble.value = troubleOf(error)
    })
    .finally(() => {
      isCounting = false
    })
}

export function countAgain(): void {
  trouble.value = undefined
  count()
}

async function countAll(): Promise<void> {
  await readNetworks()
  const first = chosen.peek()
  const names = networks.peek().map(({ name }) => name)
  for (const name of [first, ...names.filter((other) => other !== first)]) {
    if (profiles.peek().has(name)) continue
    const profile = await profileNetwork(name, place.peek())
    profiles.value = new Map([...profiles.peek(), [name, profile]])
  }
}

let stopping: AbortController | undefined

export const stopMeasuring = (): void => stopping?.abort()

/** Times every network's detector here, one after the other: at once they would slow each other down. */
export async function measure(rounds = 15): Promise<void> {
  const stop = new AbortController()
  stopping = stop
  const all = networks.peek()
  try {
    for (const [i, { name }] of all.entries()) {
      const show = (part: number) => {
        measuring.value = { name, done: (i + part) / all.length }
      }
      show(0)
      const time = await timeNetwork(name, {
        ...place.peek(),
        rounds,
        signal: stop.signal,
        onProgress: (done, total) => show(done / total),
      })
      showComputing(time)
      times.value = new Map([...times.peek(), [name, time]])
    }
  } catch (error) {
    if (!stop.signal.aborted) trouble.value = troubleOf(error)
  } finally {
    measuring.value = undefined
  }
}

/** A network's numbers, as far as they are known. */
export interface Row extends NetworkFacts {
  readonly params: number | undefined
  readonly macs: number | undefined
  readonly activationBytes: number | undefined
  readonly receptiveField: number | undefined
  readonly ms: number | undefined
}

export function rows(): Row[] {
  return networks.value.map((facts) => {
    const profile = profiles.value.get(facts.name)
    return {
      ...facts,
      params: profile?.params,
      macs: profile?.macs,
      activationBytes: profile?.activationBytes,
      receptiveField: profile?.receptiveField,
      ms: times.value.get(facts.name)?.median,
    }
  })
}

export type Measure = 'params' | 'macs' | 'activationBytes' | 'receptiveField' | 'ms'

export const measureNames: Readonly<Record<Measure, string>> = {
  params: 'Parameters',
  macs: 'MACs',
  activationBytes: 'Activations',
  receptiveField: 'Receptive field',
  ms: 'ms here',
}

/** Of these measures, only the receptive field is better the larger it is. */
export const isGain = (measure: Measure): boolean => measure === 'receptiveField'
