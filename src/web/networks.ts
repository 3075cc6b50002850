import { connected, sentPlace, unlessAborted } from './connection.ts'
import type { NetworkFacts, NetworkProfile, NetworkTime, TimeOptions, WorkerPlace } from './types.ts'

/** What networks are and cost. The zoo is large, so a worker has it, and not the page. */

/** Every network of the zoo, in its order. */
export function listNetworks(place: WorkerPlace): Promise<readonly NetworkFacts[]> {
  return once(place, (connection) => connection.call('listNetworks', undefined))
}

/**
 * What a network costs, by counting, and what it is made of.
 *
 * @param options.as the keypoint detector on it at 64x64 (default), or the plain network.
 * @throws InputError for an unknown network.
 */
export function profileNetwork(
  name: string,
  place: WorkerPlace,
  { as = 'detector' }: { readonly as?: 'detector' | 'network' } = {},
): Promise<NetworkProfile> {
  return once(place, (connection) => connection.call('profileNetwork', { name, as }))
}

/**
 * Milliseconds that a network's keypoint detector at 64x64 takes on this device, with random weights.
 *
 * @throws InputError for an unknown network, EnvironmentError where the device is not there. The signal's reason,
 * if it is aborted.
 */
export function timeNetwork(name: string, options: TimeOptions): Promise<NetworkTime> {
  const { rounds = 15, signal, onRound } = options
  return once(options, async (connection) => {
    connection.onEvent = (event) => {
      if (event.kind === 'round') onRound?.(event.done, event.total)
    }
    const place = sentPlace(options)
    return unlessAborted(connection.call('timeNetwork', { name, rounds, place }), signal)
  })
}

function once<T>(place: WorkerPlace, ask: Parameters<typeof connected<T>>[1]): Promise<T> {
  return connected(place, async (connection) => {
    const answer = await ask(connection)
    connection.close()
    return answer
  })
}
