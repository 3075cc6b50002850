import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { codeOf } from '../files/file-errors.ts'
import { EnvironmentError, InputError, messageOf } from '../util/errors.ts'

/**
 * Binds a server to an address of this machine.
 *
 * @param port 0 for a free one.
 * @returns the port.
 * @throws InputError where it is taken or not allowed, or the host is none of this machine's.
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
          'stop what uses it (another pantin studio?), or choose another with --port; --port 0 takes a free one. What a browser keeps belongs to the port',
      })
    case 'EACCES':
      return new InputError({ what: 'the port may not be used', where, remedy: 'choose one from 1024 on' })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new InputError({
        what: 'the host is none of this machine',
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
