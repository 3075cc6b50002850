// The HTTP server itself: time limits, answers to what is no request, and binding to an address.
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { codeOf } from '../files/file-errors.ts'
import { EnvironmentError, InputError, messageOf } from '../util/errors.ts'

/** Time limits, in milliseconds. */
export interface Timeouts {
  /** For the head of a request (default 10,000). */
  readonly head?: number
  /** For a whole request (default 300,000). */
  readonly request?: number
  /** For a connection on which no data moves (default 60,000). */
  readonly idle?: number
}

/** The most connections at one time. A page opens six. A further one takes the place of the one that waits longest. */
const maxConnections = 256

/** A server with a time limit for every wait. It does not listen yet. */
export function createHttpServer({ head = 10_000, request = 300_000, idle = 60_000 }: Timeouts = {}): Server {
  const server = createServer({
    headersTimeout: head,
    requestTimeout: request,
    connectionsCheckingInterval: Math.min(2000, head),
    maxHeaderSize: 1 << 14,
  })
  server.setTimeout(idle)
  limitConnections(server)
  server.on('clientError', (error, socket) => answerBadClient(error, socket as Socket))
  return server
}

const badClients: Readonly<Record<string, readonly [status: string, what: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers of the request are too large'],
}

/** Answers a client that sent no complete HTTP request: not HTTP, too slow, or too long. */
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
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  // A client that keeps its side open would keep the connection until it idles away.
  socket.destroySoon()
}

/**
 * Closes the oldest connection if there are too many: one without a request that is being answered, if there is one. So
 * clients that send half a request lock nobody out.
 */
function limitConnections(server: Server): void {
  const busy = new Map<Socket, number>()
  server.on('connection', (socket) => {
    busy.set(socket, 0)
    socket.once('close', () => busy.delete(socket))
    if (busy.size <= maxConnections) return
    const sockets = [...busy].filter(([other]) => other !== socket)
    const [oldest] = sockets.find(([, requests]) => requests === 0) ?? sockets[0]!
    busy.delete(oldest)
    oldest.destroy()
  })
  server.on('request', ({ socket }, response) => {
    const count = (by: number) => {
      const requests = busy.get(socket)
      if (requests !== undefined) busy.set(socket, requests + by)
    }
    count(1)
    response.once('close', () => count(-1))
  })
}

/**
 * Binds a server to an address of this machine.
 *
 * @param port 0 takes a free one.
 * @returns the port.
 * @throws InputError if the port is in use or not allowed, or if the host is not an address of this machine.
 */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    throw cannotListen(error, host, port)
  }
  return (server.address() as AddressInfo).port
}

function cannotListen(error: unknown, host: string, port: number): Error {
  const where = `${host}, port ${port}`
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return new InputError({
        what: 'the port is in use',
        where,
        remedy:
          'stop the program that uses it (another pantin studio?), or choose another port with --port; --port 0 takes a free one. A browser stores runs separately for each port',
      })
    case 'EACCES':
      return new InputError({ what: 'the port may not be used', where, remedy: 'choose a port from 1024 on' })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new InputError({
        what: 'the host is not an address of this machine',
        where,
        expected: 'an address or name of this machine, such as 127.0.0.1 or 0.0.0.0',
      })
    default:
      return new EnvironmentError(
        { what: 'the server could not start', where, got: messageOf(error) },
        { cause: error },
      )
  }
}
