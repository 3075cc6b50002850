import type { IncomingMessage } from 'node:http'
import { Refusal } from './refusal.ts'

/** What is checked of every request before anything looks at it, on the bytes as they came. */

type Request = Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'rawHeaders'>

/** What the server answers to. */
export const methods = ['GET', 'HEAD', 'PUT'] as const

/**
 * Plain names between single slashes. So nothing has to be decoded, and there is no `..`, `%2e`, backslash, NUL,
 * drive letter or second host to be decoded wrongly.
 */
const plainPath = /^\/(?:\w[\w.-]*(?:\/\w[\w.-]*)*)?$/
const maxUrlLength = 2048

/**
 * Looks at where a request comes from and what it asks for.
 *
 * @param hosts what the `Host` header may be, in lower case, with the port.
 * @returns why it is refused; undefined where it is not.
 */
export function examine(request: Request, hosts: ReadonlySet<string>): Refusal | undefined {
  return examineHost(request, hosts) ?? examineOrigin(request) ?? examineTarget(request)
}

/** A name that an attacker's name server leads to this machine is in the browser's Host header. */
function examineHost({ headers, rawHeaders }: Request, hosts: ReadonlySet<string>): Refusal | undefined {
  const count = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
  if (count === 1 && hosts.has(headers.host?.toLowerCase() ?? '')) return undefined
  return new Refusal(403, {
    what: 'the studio is not served under this name',
    where: 'Host',
    got: count === 1 ? shown(headers.host) : `${count} Host headers`,
    expected: [...hosts].join(', '),
    remedy: 'open the address that pantin studio printed, or name the host with --host',
  })
}

function examineOrigin({ method, headers }: Request): Refusal | undefined {
  const { origin, host } = headers
  const own = `http://${host}`
  const site = headers['sec-fetch-site']
  // A link may lead here from anywhere; nothing else may come from elsewhere, with or without an Origin.
  const isLink = headers['sec-fetch-mode'] === 'navigate' && method === 'GET'
  const isForeign =
    (origin !== undefined && origin.toLowerCase() !== own.toLowerCase()) ||
    ((site === 'cross-site' || site === 'same-site') && !isLink)
  if (!isForeign && (origin !== undefined || method !== 'PUT')) return undefined
  return new Refusal(403, {
    what: 'requests from other pages are refused',
    where: 'Origin',
    got: origin === undefined ? (site ?? 'no Origin') : shown(origin),
    expected: own,
    remedy: 'use the page that pantin studio serves',
  })
}

function examineTarget({ method = '', url = '' }: Request): Refusal | undefined {
  const path = url.split('?', 1)[0]!
  if (url.length > maxUrlLength || !plainPath.test(path)) {
    return new Refusal(400, {
      what: 'this path is not served',
      got: shown(url),
      expected: 'names of letters, digits, "_", "-" and inner "." between single slashes',
    })
  }
  if ((methods as readonly string[]).includes(method)) return undefined
  return new Refusal(
    405,
    { what: 'this method is not served', got: method, expected: methods.join(', ') },
    allow,
  )
}

export const allow = { Allow: methods.join(', ') }

/** What came from outside, cut and without control characters. */
const shown = (text: string | undefined): string => JSON.stringify((text ?? '').slice(0, 100))
