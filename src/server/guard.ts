// What is checked of every request before its address is looked at, the headers that every answer carries, and the secrets
// that open the server: the token of the API, and tickets that open the page once.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { hostname, networkInterfaces } from 'node:os'
import { EnvironmentError, messageOf, PantinError, type Problem } from '../util/errors.ts'
import type { ErrorAnswer, TokenHeader } from '../web/studio-api.ts'

/** The reason why a request is refused. */
export class Refusal extends PantinError {
  constructor(
    /** Status of the answer: 400 or above. */
    readonly status: number,
    problem: Problem,
    /** More headers of the answer. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(problem)
  }
}

/** An answer that says what went wrong. */
export interface Failure {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ErrorAnswer
}

/** The answer to a request that ended with an error. Any error but a PantinError is a bug: the answer gives no detail. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Refusal) {
    return { status: error.status, headers: error.headers, body: { error: error.problem } }
  }
  if (error instanceof PantinError) {
    return { status: statusOf(error), headers: {}, body: { error: error.problem } }
  }
  const what = 'the server failed'
  return {
    status: 500,
    headers: {},
    body: { error: { what, remedy: 'look at the terminal in which pantin studio runs' } },
  }
}

/** Stands for the token in texts that repeat what a request sent. */
export const hidden = '(the token)'

/** The text of an answer. The token is not in it, even if the request had it in its path. */
export const textOf = (body: ErrorAnswer, token: string): string =>
  JSON.stringify(body).replaceAll(token, hidden)

/** The text of an error for the server's terminal; undefined if the answer to the page says it all. */
export function forTheTerminal(error: unknown): string | undefined {
  if (error instanceof PantinError) return undefined
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error)
}

function statusOf(error: PantinError): number {
  // 507 Insufficient Storage: the disk is full.
  if (error instanceof EnvironmentError) return 507
  return error.exitCode === 2 ? 422 : 500
}

type Request = Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'rawHeaders'>

/** The methods that the server answers to. */
export const methods = ['GET', 'HEAD', 'PUT'] as const
const allow = { Allow: methods.join(', ') }

/**
 * Plain names between single slashes. So nothing has to be decoded, and there is no `..`, `%2e`, backslash, NUL,
 * drive letter or second host that could be decoded wrongly.
 */
const plainPath = /^\/(?:\w[\w.-]*(?:\/\w[\w.-]*)*)?$/
const maxUrlLength = 2048

/**
 * Checks where a request comes from and what it asks for, on the bytes as they came.
 *
 * @param hosts the values that the `Host` header may have: in lower case, with the port (`allowedHosts`).
 * @returns the reason to refuse it; undefined if it is let through.
 */
export function examine(request: Request, hosts: ReadonlySet<string>): Refusal | undefined {
  return (
    examineHost(request, hosts) ?? examineOrigin(request) ?? examineTarget(request) ?? examineUpgrade(request)
  )
}

/** A page of any origin may open a WebSocket, with the answer's consent alone. */
function examineUpgrade({ headers }: Request): Refusal | undefined {
  const words = headers.upgrade?.toLowerCase().split(/[\s,]+/) ?? []
  if (!words.includes('websocket')) return undefined
  return new Refusal(400, {
    what: 'the studio has no WebSockets',
    where: 'Upgrade',
    got: shown(headers.upgrade),
    expected: 'a plain request of HTTP',
  })
}

/** If an attacker's name server leads a name to this machine, that name is in the browser's Host header. */
function examineHost({ headers, rawHeaders }: Request, hosts: ReadonlySet<string>): Refusal | undefined {
  const count = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
  if (count === 1 && hosts.has(headers.host?.toLowerCase() ?? '')) return undefined
  return new Refusal(403, {
    what: 'the studio is not served under this name',
    where: 'Host',
    got: count === 1 ? shown(headers.host) : `${count} Host headers`,
    // This machine's names are not told: a page of the attacker may read the answer.
    expected: 'the host and port that pantin studio printed',
    remedy: 'open the address that pantin studio printed, or name the host with --host',
  })
}

function examineOrigin({ method, headers }: Request): Refusal | undefined {
  const { origin, host } = headers
  const own = `http://${host}`
  const site = headers['sec-fetch-site']
  // A link may lead here from any page. Every other request must come from this one, with or without an Origin.
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

/** A text from outside: cut, and without control characters. */
const shown = (text: string | undefined): string => JSON.stringify((text ?? '').slice(0, 100))

const wildcards = new Set(['0.0.0.0', '::', ''])
const loopbacks = ['127.0.0.1', 'localhost', '[::1]']

/** Whether a server that binds to `host` is reached by this machine alone. */
export const isLoopback = (host: string): boolean => loopbacks.includes(host) || host === '::1'

/**
 * The values that the `Host` header of a request may have: this machine's names, as browsers write them.
 *
 * @param host the address that the server binds to.
 */
export function allowedHosts(host: string, port: number): ReadonlySet<string> {
  const names = new Set([...loopbacks, ...(wildcards.has(host) ? ownNames() : [inAddress(host)])])
  const withPort = [...names].map((name) => `${name.toLowerCase()}:${port}`)
  // Browsers leave the default port out.
  return new Set(port === 80 ? [...withPort, ...names] : withPort)
}

/** The origin under which a browser on this machine finds the server. */
export const originOf = (host: string, port: number): string =>
  `http://${wildcards.has(host) ? loopbacks[0] : inAddress(host)}:${port}`

/** Addresses of IPv6 stand in brackets. */
const inAddress = (host: string): string => (host.includes(':') ? `[${host}]` : host)

function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return [hostname(), ...addresses.map(({ address }) => inAddress(address))]
}

/**
 * What the pages may load and run: their own files, WebAssembly, and pictures and videos that they made themselves.
 * `frame-ancestors` works in a header only, so a page that carries its policy itself leaves it out.
 */
export const contentPolicy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob: data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
] as const

/** The first three isolate the page. Without isolation, browsers share no memory between threads. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': [...contentPolicy, "frame-ancestors 'none'"].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(self), microphone=(), geolocation=(), display-capture=()',
}

/** The header that carries the token. A page of another origin cannot send it without the server's consent. */
export const tokenHeader: TokenHeader = 'x-pantin-token'

/** A secret of 256 random bits, in characters that need no encoding in an address. */
export const makeToken = (): string => randomBytes(32).toString('base64url')

/** Whether a token is the right one. The time that it takes says nothing of how much of the token is right. */
export function isToken(given: string | undefined, expected: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(expected))
}

/** Of equal length for tokens of any length. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Milliseconds within which the browser must use its ticket. */
const lifetime = 120_000

/**
 * Secrets that open the page once. The command starts a browser with a ticket in its address and not with the token:
 * other users of the machine can read the arguments of a process as long as it runs.
 */
export class Tickets {
  private readonly open = new Map<string, number>()

  /** A new ticket, good for two minutes: a name that {@link plainPath} lets through, so never with "-" at its front. */
  issue(): string {
    const ticket = randomBytes(32).toString('hex')
    this.open.set(ticket, Date.now() + lifetime)
    return ticket
  }

  /** Uses a ticket up. @throws Refusal (410) for one that was used, is too old or was never issued. */
  redeem(ticket: string): void {
    const until = this.open.get(ticket) ?? 0
    this.open.delete(ticket)
    if (Date.now() <= until) return
    throw new Refusal(410, {
      what: 'this address opens the studio once, and was used or is too old',
      remedy:
        'open the address that pantin studio printed; if it was not you who used this one, restart pantin studio',
    })
  }
}
