// A page with the web library, served as the studio is: isolated, and under a strict content policy.
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BrowserContext, chromium as driver, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { bundle } from '../support/bundle.ts'
import { chromium } from '../support/chromium.ts'

const runtime = fileURLToPath(new URL('../../node_modules/onnxruntime-web/dist', import.meta.url))

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:",
}

const page =
  '<!doctype html><meta charset="utf-8"><title>pantin/web</title><script type="module" src="page.js"></script>'
const script = `
import * as pantin from './pantin.js'
globalThis.pantin = pantin
globalThis.place = { runtimeFolder: 'ort/', workerUrl: 'worker.js', device: 'cpu', threads: 2 }
globalThis.ready = true
`

export interface Site {
  /** With a slash at its end. */
  readonly address: string
  /** Files that the site has beside the library's own, by their paths. */
  readonly files: Map<string, Uint8Array | string>
  /**
   * Opens a page, in a browser that is started at the first. What it complains of is in `complaints`.
   *
   * @param ready an expression that is true once the page is there
   */
  open(path?: string, ready?: string): Promise<Page>
  /** The browser, with one storage for all pages of the site. */
  readonly context: () => Promise<BrowserContext>
  /** What pages wrote to their consoles as errors. */
  readonly complaints: string[]
  close(): Promise<void>
}

/** @param flags of the browser, beside those that it needs in a container. */
export async function openSite(flags: readonly string[] = ['--disable-gpu']): Promise<Site> {
  const [library, worker] = await Promise.all([bundle('src/web/index.ts'), bundle('src/web/worker.ts')])
  const files = new Map<string, Uint8Array | string>([
    ['index.html', page],
    ['page.js', script],
    ['pantin.js', await readFile(library)],
    ['worker.js', await readFile(worker)],
    ['favicon.ico', ''],
  ])
  const server = await serve(files)
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  let started: Promise<BrowserContext> | undefined
  const complaints: string[] = []
  const start = () => {
    started ??= driver
      .launch({ executablePath: chromium!, args: ['--no-sandbox', ...flags] })
      .then((browser) => browser.newContext({ permissions: ['camera'] }))
    return started
  }
  return {
    address,
    files,
    complaints,
    context: start,
    async open(path = '', ready = 'globalThis.ready === true') {
      const opened = await (await start()).newPage()
      opened.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text())
      })
      opened.on('pageerror', (error) => complaints.push(String(error)))
      await opened.goto(address + path)
      await opened.waitForFunction(ready)
      return opened
    },
    async close() {
      await (await started)?.browser()?.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function serve(files: ReadonlyMap<string, Uint8Array | string>): Promise<Server> {
  const server = createServer((request, response) => {
    const path =
      decodeURIComponent(new URL(request.url!, 'http://localhost').pathname).slice(1) || 'index.html'
    void contentOf(files, path).then((content) => {
      const type = types[extname(path)] ?? 'application/octet-stream'
      if (content === undefined) response.writeHead(404).end()
      else response.writeHead(200, headersOf(path, type)).end(content)
    })
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/** Examples are pages as anybody writes them, with scripts in the page. */
function headersOf(path: string, type: string): Record<string, string> {
  const { 'Content-Security-Policy': policy, ...others } = headers
  const isExample = path.startsWith('examples/')
  return { ...others, 'Content-Type': type, ...(!isExample && { 'Content-Security-Policy': policy }) }
}

async function contentOf(files: ReadonlyMap<string, Uint8Array | string>, path: string) {
  const own = files.get(path)
  if (own !== undefined) return own
  const name = /^ort\/([\w.-]+)$/.exec(path)?.[1]
  return name === undefined ? undefined : readFile(join(runtime, name)).catch(() => undefined)
}

/**
 * Runs an expression in a page that awaits: its names are the library's and `place`.
 *
 * @param body of an async function of `input`
 */
export function inPage<T>(page: Page, body: string, input: unknown = undefined): Promise<T> {
  const code = `(async (input) => { const { pantin, place } = globalThis; ${body} })(${JSON.stringify(input)})`
  return page.evaluate(code)
}

/** Bytes that a page gives as base64, since a page's values pass as JSON. */
export const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

/** In a page: a blob as base64. */
export const toBase64 = `
const toBase64 = async (blob) => {
  const bytes = new Uint8Array(await blob.arrayBuffer())
  let text = ''
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
  return btoa(text)
}
`

/** Largest difference of two lists of numbers, relative to what is expected (absolute below a hundredth). */
export function expectClose(
  got: readonly number[],
  expected: readonly number[],
  tolerance: number,
  what: string,
): void {
  expect(got, what).toHaveLength(expected.length)
  const worst = got.reduce(
    (most, value, i) =>
      Math.max(most, Math.abs(value - expected[i]!) / Math.max(1e-2, Math.abs(expected[i]!))),
    0,
  )
  expect(worst, what).toBeLessThanOrEqual(tolerance)
}
