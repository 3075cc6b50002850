// The bench's server for one page in a browser on this machine: it serves the worker and data, and hands out tasks.
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Tensor } from '../../src/graph/tensor.ts'
import { EnvironmentError } from '../../src/util/errors.ts'
import { type LaunchOptions, launchBrowser } from './browser-launch.ts'
import type { Answer, Task, TaskResults, TensorAddresses } from './browser-protocol.ts'

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** The page only starts the worker, whose file is beside it. */
const page =
  '<!doctype html><title>pantin bench</title><script type="module">new Worker("worker.js", { type: "module" })</script>'

/** Milliseconds that a task may take: a page that crashed does not answer. */
const limitMs = 300_000

/** Browsers share memory between threads only in a page that is cross-origin isolated. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cache-Control': 'no-store',
}

/**
 * Serves a page, its worker, onnxruntime-web and data to a browser on this machine, and hands tasks to the worker.
 * All addresses begin with a secret, so that other programs on the machine get no answer.
 */
export class BrowserServer {
  private readonly secret = randomBytes(16).toString('hex')
  private readonly data = new Map<string, Uint8Array>()
  private readonly runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'))
  private readonly server: Server
  /** A worker that waits for a task. */
  private idle: ServerResponse | undefined
  private waiting: { readonly task: Task; settle(answer: Answer): void; fail(error: unknown): void }[] = []
  private running: (typeof this.waiting)[number] | undefined
  private failure: unknown

  /** @param worker path of the worker's script. */
  private constructor(private readonly worker: string) {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.writeHead(500).end())
    })
  }

  static async start(worker: string): Promise<BrowserServer> {
    const server = new BrowserServer(worker)
    await new Promise<void>((resolve, reject) => {
      server.server.once('error', reject)
      server.server.listen(0, '127.0.0.1', resolve)
    })
    return server
  }

  /** Address of the page. */
  get address(): string {
    const { port } = this.server.address() as AddressInfo
    return `http://127.0.0.1:${port}/${this.secret}/`
  }

  /** Serves bytes. @returns their address. */
  offer(bytes: Uint8Array): string {
    const path = `data/${this.data.size}`
    this.data.set(path, bytes)
    return path
  }

  /** Serves tensors. */
  offerTensors(tensors: Readonly<Record<string, Tensor>>): TensorAddresses {
    return Object.fromEntries(
      Object.entries(tensors).map(
        ([
          name,
          {
            dtype,
            shape,
            data: { buffer, byteOffset, byteLength },
          },
        ]) => [name, { dtype, shape, data: this.offer(new Uint8Array(buffer, byteOffset, byteLength)) }],
      ),
    )
  }

  /** Gives the worker a task. @throws EnvironmentError with the worker's message, if it fails or does not answer in time */
  async ask<T extends Task>(task: T): Promise<TaskResults[T['kind']]> {
    const silence = setTimeout(() => {
      const what = `the browser did not ${task.kind} "${task.session}" within ${limitMs / 1000} s`
      this.fail(
        new EnvironmentError({
          what,
          remedy: 'try again; this also happens if the browser runs out of memory',
        }),
      )
    }, limitMs)
    const answer = await new Promise<Answer>((settle, fail) => {
      if (this.failure !== undefined) return fail(this.failure)
      this.waiting.push({ task, settle, fail })
      this.handOut()
    }).finally(() => clearTimeout(silence))
    if ('error' in answer) {
      throw new EnvironmentError({
        what: `the browser failed to ${task.kind} "${task.session}"`,
        got: answer.error,
      })
    }
    // A worker has one task at a time, and answers that one.
    return answer.value as TaskResults[T['kind']]
  }

  /** Ends all tasks with an error, because the browser has ended. */
  fail(error: unknown): void {
    this.failure ??= error
    const tasks = [...(this.running === undefined ? [] : [this.running]), ...this.waiting]
    this.running = undefined
    this.waiting = []
    for (const task of tasks) task.fail(this.failure)
  }

  async close(): Promise<void> {
    this.fail(new EnvironmentError({ what: 'the browser bench is over' }))
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private handOut(): void {
    if (this.idle === undefined || this.running !== undefined) return
    this.running = this.waiting.shift()
    if (this.running === undefined) return
    this.idle
      .writeHead(200, { ...headers, 'Content-Type': 'application/json' })
      .end(JSON.stringify(this.running.task))
    this.idle = undefined
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const root = `/${this.secret}/`
    const path = pathname.startsWith(root) ? pathname.slice(root.length) : undefined
    if (path === 'tasks' && request.method === 'POST') return this.takeAnswer(await bodyOf(request), response)
    const found = path === undefined ? undefined : await this.find(path)
    if (found === undefined) response.writeHead(404, headers).end()
    else response.writeHead(200, { ...headers, 'Content-Type': found.type }).end(found.content)
  }

  private takeAnswer(body: string, response: ServerResponse): void {
    if (body !== '') this.running?.settle(JSON.parse(body) as Answer)
    this.running = undefined
    this.idle = response
    this.handOut()
  }

  private async find(path: string): Promise<{ type: string; content: string | Uint8Array } | undefined> {
    if (path === '') return { type: 'text/html', content: page }
    if (path === 'worker.js') return { type: types['.js']!, content: await readFile(this.worker) }
    const offered = this.data.get(path)
    if (offered !== undefined) return { type: 'application/octet-stream', content: offered }
    // Only a plain file name: no path can leave the folder.
    const file = /^ort\/([\w-][\w.-]*)$/.exec(path)?.[1]
    const type = types[extname(file ?? '')]
    if (file === undefined || type === undefined) return undefined
    const content = await readFile(join(this.runtime, file)).catch(() => undefined)
    return content && { type, content }
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

export interface BrowserOptions extends LaunchOptions {
  /** Path of the bundled worker (default: the file that the build writes beside this one). */
  readonly worker?: string
}

/**
 * Starts a browser and its worker, does some work with them, and closes both.
 *
 * @throws EnvironmentError if there is no browser, or if it ends before the work does.
 */
export async function withBrowser<T>(
  options: BrowserOptions,
  work: (server: BrowserServer) => Promise<T>,
): Promise<T> {
  const { worker = fileURLToPath(new URL('browser-worker.js', import.meta.url)) } = options
  if (!existsSync(worker)) {
    throw new EnvironmentError({
      what: 'the bundled worker is missing',
      got: worker,
      remedy: 'npm run build',
    })
  }
  const server = await BrowserServer.start(worker)
  try {
    const browser = await launchBrowser(server.address, options)
    void browser.gone.then((said) =>
      server.fail(new EnvironmentError({ what: 'the browser ended before the work did', got: said })),
    )
    try {
      return await work(server)
    } finally {
      await browser.close()
    }
  } finally {
    await server.close()
  }
}
