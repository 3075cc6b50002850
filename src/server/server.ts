// The server of `pantin studio`: pages, runs and saving, behind a guard and a token.
import type { ServerResponse } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import {
  allowedHosts,
  examine,
  failureOf,
  forTheTerminal,
  hidden,
  isToken,
  makeToken,
  originOf,
  Refusal,
  securityHeaders,
  Tickets,
  textOf,
  tokenHeader,
} from './guard.ts'
import { createHttpServer, listen, type Timeouts } from './http-server.ts'
import { RunList, type RunRoutesOptions, runRoutes } from './run-routes.ts'
import { RunSaver } from './run-saver.ts'
import { Site } from './send-file.ts'

export interface StudioOptions {
  /** Run folders to show, or folders with run folders in them. */
  readonly runs?: readonly string[]
  /** Folder in which pages may save runs (default: none, and the server then writes nothing). */
  readonly save?: string
  /** Default 7268; 0 takes a free one. Browsers store runs separately for each address and port. */
  readonly port?: number
  /** Default 127.0.0.1: this machine alone. */
  readonly host?: string
  /** Folder of the built pages (default: the package's own). */
  readonly site?: string
  /** The most bytes of a run that is saved, packed and unpacked (default 512 MiB). */
  readonly maxUploadBytes?: number
  readonly timeouts?: Timeouts
  /** Checks a run that was sent (default: `examineApart`). */
  readonly examine?: (run: string) => Promise<void>
  /** Is told of errors that are bugs, as a text for the terminal. */
  onError?(text: string): void
}

/** A server that listens. */
export interface Studio {
  /** The page's address, with the token. */
  readonly address: string
  readonly port: number
  readonly token: string
  /** An address that opens the page once, without the token in it. */
  ticketAddress(): string
  /** Stops the server and closes all connections. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export const defaultPort = 7268
const defaultMaxUploadBytes = 512 << 20

/**
 * Serves the studio.
 *
 * @throws InputError if the port is in use, the host is not an address of this machine or a folder holds no run;
 * EnvironmentError if the pages are not built.
 */
export async function startStudio(options: StudioOptions = {}): Promise<Studio> {
  const { host = '127.0.0.1', maxUploadBytes = defaultMaxUploadBytes, onError } = options
  const site = await Site.open(options.site)
  const saver =
    options.save === undefined
      ? undefined
      : await RunSaver.open(options.save, maxUploadBytes, options.examine)
  const named = options.runs ?? []
  const runs = await RunList.open(named, saver ? [saver.folder] : [])
  const [token, tickets] = [makeToken(), new Tickets()]
  const home = named.length > 0 ? `/#/runs?token=${token}` : `/#token=${token}`
  const report = (error: unknown) => {
    const text = forTheTerminal(error)
    if (text !== undefined) onError?.(text.replaceAll(token, hidden))
  }
  const app = createApp({ site, runs, saver, token, tickets, home, onError: report })
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false })

  // Known once the server listens. Before that it gets no request.
  let hosts: ReadonlySet<string> = new Set()
  const server = createHttpServer(options.timeouts)
  server.on('request', (request, response) => {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value)
    const refusal = examine(request, hosts)
    if (refusal === undefined) void listener(request, response)
    else refuse(response, refusal, token)
  })
  const port = await listen(server, host, options.port ?? defaultPort)
  hosts = allowedHosts(host, port)
  const origin = originOf(host, port)
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  return {
    address: origin + home,
    port,
    token,
    ticketAddress: () => `${origin}/open/${tickets.issue()}`,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Refuses a request before its body is read, and closes the connection. */
function refuse(response: ServerResponse, refusal: Refusal, token: string): void {
  const { status, headers, body } = failureOf(refusal)
  const text = textOf(body, token)
  response
    .writeHead(status, {
      ...headers,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
      'Cache-Control': 'no-store',
      Connection: 'close',
    })
    .end(text)
}

export interface AppOptions extends RunRoutesOptions {
  readonly site: Site
  readonly token: string
  readonly tickets: Tickets
  /** The page's address with the token, from its root. */
  readonly home: string
  /** Is told of every error, refusals included. */
  onError(error: unknown): void
}

/** The application that answers requests which the guard has let through. */
export function createApp(options: AppOptions): Hono<{ Bindings: HttpBindings }> {
  const { site, token, tickets, home, onError } = options
  const app = new Hono<{ Bindings: HttpBindings }>()

  app.use('/api/*', async (c, next) => {
    if (!isToken(c.req.header(tokenHeader), token)) throw noToken()
    await next()
    c.header('Cache-Control', 'no-store')
  })
  app.route('/api/runs', runRoutes(options))

  app.get('/open/:ticket', (c) => {
    // Hono routes HEAD here too. Only GET may use a ticket, and only a ticket gets an answer with the token.
    if (c.req.method !== 'GET') throw notByThisMethod(c.req.method)
    tickets.redeem(c.req.param('ticket'))
    c.header('Cache-Control', 'no-store')
    return c.redirect(home, 303)
  })

  app.get('*', async (c) => (await site.send(c)) ?? c.notFound())

  app.notFound((c) =>
    answer(new Refusal(404, { what: 'there is nothing here', got: c.req.path.slice(0, 100) }), token),
  )
  app.onError((error) => {
    onError(error)
    return answer(error, token)
  })
  return app
}

function answer(error: unknown, token: string): Response {
  const { status, headers, body } = failureOf(error)
  const all = { ...headers, 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  return new Response(textOf(body, token), { status, headers: all })
}

function notByThisMethod(method: string): Refusal {
  return new Refusal(
    405,
    { what: 'this address answers GET alone', got: method, expected: 'GET' },
    { Allow: 'GET' },
  )
}

function noToken(): Refusal {
  return new Refusal(
    401,
    {
      what: 'this needs the token of this pantin studio',
      where: tokenHeader,
      remedy: 'open the address that pantin studio printed when it started',
    },
    { 'WWW-Authenticate': tokenHeader },
  )
}
