// What the compare view knows of the zoo: counts, and times once they are measured.
import { computed, signal } from '@preact/signals'
import { type NetworkFacts, type NetworkProfile, profileNetwork, timeNetwork } from 'pantin/web'
import { networks, readNetworks } from '../core/networks.ts'
import { inWords, place, showComputing } from '../core/place.ts'
import { inAddress } from '../core/router.ts'
import { studies } from '../core/runs.ts'
import { stored } from '../core/stored.ts'
import { type Trouble, troubleOf } from '../core/trouble.ts'

export const profiles = signal<ReadonlyMap<string, NetworkProfile>>(new Map())

/** Median milliseconds by network, by the device: `WASM, 4 threads`. The browser remembers them, as a JSON text. */
type Times = Readonly<Record<string, Readonly<Record<string, number>>>>
const remembered = stored<string>('times', '{}')
export const times = computed((): Times => timesOf(remembered.value))
/** The device whose times are shown. */
export const timedDevice = stored<string>('times.device', '')

function timesOf(text: string): Times {
  try {
    return JSON.parse(text) as Times
  } catch {
    return {}
  }
}

/** The studies of the server that have measured networks. */
export const measured = computed(() => studies.value.filter(({ errors }) => errors !== undefined))
/** Id of the study whose errors are shown; the first one, if there is no such study. */
export const chosenStudy = signal('')
export const errors = computed(
  () => (measured.value.find(({ id }) => id === chosenStudy.value) ?? measured.value[0])?.errors,
)
const firstNetwork = 'ficelle'
export const chosen = signal<string>(firstNetwork)
inAddress('compare', 'network', {
  write: () => chosen.value,
  read(text) {
    chosen.value = text
  },
})
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
  const names = networks.peek().map(({ name }) => name)
  // The address may name a network that does not exist.
  if (!names.includes(chosen.peek())) chosen.value = firstNetwork
  const first = chosen.peek()
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
      const device = inWords(time)
      const known = times.peek()
      const own = { ...known[device], [name]: time.median }
      remembered.value = JSON.stringify({ ...known, [device]: own })
      timedDevice.value = device
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
  readonly error: number | undefined
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
      ms: times.value[timedDevice.value]?.[facts.name],
      error: errors.value?.by[facts.name],
    }
  })
}

export type Measure = 'params' | 'macs' | 'activationBytes' | 'receptiveField' | 'ms' | 'error'

export const measureNames: Readonly<Record<Measure, string>> = {
  params: 'Parameters',
  macs: 'MACs',
  activationBytes: 'Activations',
  receptiveField: 'Receptive field',
  ms: 'ms here',
  error: 'Error in a study',
}
export const measures = Object.keys(measureNames) as Measure[]

/** The measures of the plot's axes. */
export const [across, up] = [signal<Measure>('macs'), signal<Measure>('receptiveField')]
for (const [name, axis] of Object.entries({ across, up })) {
  inAddress('compare', name, {
    write: () => axis.value,
    read(text) {
      axis.value = measures.find((measure) => measure === text) ?? axis.value
    },
  })
}

/** Of these measures, only the receptive field is better the larger it is. */
export const isGain = (measure: Measure): boolean => measure === 'receptiveField'

/** What is known of all networks, as comma-separated values. */
export function csv(all: readonly Row[]): string {
  const head = ['name', 'title', 'year', ...measures, 'device', 'errorMeasure']
  const lines = all.map((row) => [
    ...[row.name, row.title, row.year, ...measures.map((measure) => row[measure] ?? '')],
    ...[row.ms === undefined ? '' : timedDevice.value, row.error === undefined ? '' : errors.value!.measure],
  ])
  return [head, ...lines].map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('')
}

function quoted(cell: string | number): string {
  const text = String(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
