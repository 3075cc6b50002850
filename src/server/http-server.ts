import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { codeOf } from '../files/file-errors.ts'

/** Milliseconds. */
export interface Timeouts {
  /** For the head of a request (default 10,000), and for all of it (default 300,000). */
  readonly head?: number
  readonly request?: number
  /** For a connection on which nothing moves (default 60,000). */
  readonly idle?: number
}

/** Connections at a time. A page has six. */
const maxConnections = 256

/** A server that waits for nobody forever. */
export function createHttpServer({ head = 10_000, request = 300_000, idle = 60_000 }: Timeouts = {}): Server {
  const server = createServer({
    headersTimeout: head,
    requestTimeout: request,
    connectionsCheckingInterval: Math.min(2000, head),
    maxHeaderSize: 1 << 14,
  })
  server.setTimeout(idle)
  server.maxConnections = maxConnections
  server.on('clientError', (error, socket) => answerBadClient(error, socket as Socket))
  return server
}

const badClients: Readonly<Record<string, readonly [status: string, what: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers of the request are too large'],
}

/** What is not HTTP, or comes too slowly, never becomes a request. */
function answerBadClient(error: Error, socket: Socket): void {
  if (codeOf(error) === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, what] = badClients[codeOf(error) ?? ''] ?? [
    '400 Bad Request',
    'this is not a request of HTTP',
  ]
  const body = JSON.stringify({ error: { what } })
  const head = [
    `HTTP/1.1 ${status}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
