import { hostname, networkInterfaces } from 'node:os'

/** Names of this machine, as browsers write them into addresses and `Host` headers. */

const wildcards = new Set(['0.0.0.0', '::', ''])
const loopbacks = ['127.0.0.1', 'localhost', '[::1]']

/** Whether only this machine reaches a server that binds to `host`. */
export const isLoopback = (host: string): boolean => loopbacks.includes(host) || host === '::1'

/**
 * What the `Host` header of a request may be.
 *
 * @param host what the server binds to.
 */
export function allowedHosts(host: string, port: number): ReadonlySet<string> {
  const names = new Set([...loopbacks, ...(wildcards.has(host) ? ownNames() : [inAddress(host)])])
  const withPort = [...names].map((name) => `${name.toLowerCase()}:${port}`)
  // Browsers leave the default port out.
  return new Set(port === 80 ? [...withPort, ...names] : withPort)
}

/** Where a browser on this machine finds the server. */
export const originOf = (host: string, port: number): string =>
  `http://${wildcards.has(host) ? loopbacks[0] : inAddress(host)}:${port}`

/** Addresses of a version 6 stand in brackets. */
const inAddress = (host: string): string => (host.includes(':') ? `[${host}]` : host)

function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return [hostname(), ...addresses.map(({ address }) => inAddress(address))]
}
