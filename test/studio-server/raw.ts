import { connect } from 'node:net'

/** What a server said on a connection. */
export interface RawAnswer {
  /** 0 where it closed the connection without an answer. */
  readonly status: number
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Sends bytes as they are, which `fetch` would tidy up or refuse, and reads until the server closes the connection.
 *
 * @param parts written one after the other.
 */
export function sendRaw(port: number, parts: readonly (string | Uint8Array)[]): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const pieces: Buffer[] = []
    socket.on('connect', () => {
      for (const part of parts) socket.write(part)
    })
    socket.on('data', (piece) => pieces.push(piece))
    // A server that refuses an upload may reset the connection under it.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (!['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) reject(error)
    })
    socket.on('close', () => resolve(parse(Buffer.concat(pieces).toString('latin1'))))
  })
}

/** A request without a body; the server closes the connection after it. */
export function request(
  port: number,
  line: string,
  headers: readonly string[] = [`Host: 127.0.0.1:${port}`],
): Promise<RawAnswer> {
  return sendRaw(port, [[`${line} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n')])
}

function parse(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0),
    headers: Object.fromEntries(headers),
    body: text.slice(end + 4),
  }
}
