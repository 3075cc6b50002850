import type { ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { createApp } from './app.ts'
import { examine } from './guard.ts'
import { allowedHosts, originOf } from './hosts.ts'
import { createHttpServer, type Timeouts } from './http-server.ts'
import { listen } from './listen.ts'
import { failureOf, forTheTerminal, type Refusal } from './refusal.ts'
import { RunList } from './run-list.ts'
import { RunSaver } from './run-saver.ts'
import { securityHeaders } from './security-headers.ts'
import { Site } from './site.ts'
import { Tickets } from './tickets.ts'
import { makeToken } from './token.ts'

export interface StudioOptions {
  /** Folders of runs, or with runs in them, to show. */
  readonly runs?: readonly string[]
  /** Folder that pages may put runs into (default: none, and nothing can be written). */
  readonly save?: string
  /** 0 takes a free one. Browsers keep what they store by address, port included. */
  readonly port?: number
  /** Default 127.0.0.1: this machine alone. */
  readonly host?: string
  /** Folder of the built pages (default: the package's own). */
  readonly site?: string
  /** Bytes of a run that is put in, packed and unpacked (default 512 MiB). */
  readonly maxUploadBytes?: number
  readonly timeouts?: Timeouts
  /** Told what a person at the terminal should see: bugs. */
  onError?(text: string): void
}

/** A server that is ready. */
export interface Studio {
  /** The page's address, with the token. */
  readonly address: string
  readonly port: number
  readonly token: string
  /** An address that opens the page once, without the token in it. */
  ticketAddress(): string
  close(): Promise<void>
}

export const defaultPort = 7268
const defaultMaxUploadBytes = 512 << 20

/**
 * Serves the studio.
 *
 * @throws InputError where the port is taken, the host is none of this machine's or a folder holds no run;
 * EnvironmentError where the pages are not built.
 */
export async function startStudio(options: StudioOptions = {}): Promise<Studio> {
  const { host = '127.0.0.1', maxUploadBytes = defaultMaxUploadBytes, onError } = options
  const site = await Site.open(options.site)
  const saver = options.save === undefined ? undefined : await RunSaver.open(options.save, maxUploadBytes)
  const named = options.runs ?? []
  const runs = await RunList.open(named, saver ? [saver.folder] : [])
  const [token, tickets] = [makeToken(), new Tickets()]
  const home = named.length > 0 ? `/#/runs?token=${token}` : `/#token=${token}`
  const report = (error: unknown) => {
    const text = forTheTerminal(error)
    if (text !== undefined) onError?.(text)
  }
  const app = createApp({ site, runs, saver, token, tickets, home, onError: report })
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false })

  // Known once the server listens, and until then it gets no request.
  let hosts: ReadonlySet<string> = new Set()
  const server = createHttpServer(options.timeouts)
  server.on('request', (request, response) => {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value)
    const refusal = examine(request, hosts)
    if (refusal === undefined) void listener(request, response)
    else refuse(response, refusal)
  })
  const port = await listen(server, host, options.port ?? defaultPort)
  hosts = allowedHosts(host, port)
  const origin = originOf(host, port)
  return {
    address: origin + home,
    port,
    token,
    ticketAddress: () => `${origin}/open/${tickets.issue()}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

/** A refusal before anything of the request is read; the connection goes with it. */
function refuse(response: ServerResponse, refusal: Refusal): void {
  const { status, headers, body } = failureOf(refusal)
  const text = JSON.stringify(body)
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
