// The networks of the zoo, read once.
import { signal } from '@preact/signals'
import { listNetworks, type NetworkFacts } from 'pantin/web'
import { place } from './place.ts'

/** All networks; empty until they are read. */
export const networks = signal<readonly NetworkFacts[]>([])

let reading: Promise<void> | undefined

export function readNetworks(): Promise<void> {
  reading ??= listNetworks(place.peek()).then(
    (found) => {
      networks.value = found
    },
    (error) => {
      reading = undefined
      throw error
    },
  )
  return reading
}
