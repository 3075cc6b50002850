import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { type Browser, chromium as playwright } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assetFiles, contentType, runtimeFiles } from '../../src/server/send-file.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { makeRun, makeWorld } from './world.ts'

/** A small page, built as the studio is, in a real browser under the policy and isolation that the server sends. */

const world = makeWorld()
const [source, built] = ['source', 'built'].map((name) => join(world.folder, name)) as [string, string]

/** Finds keypoints in a picture that it draws, and writes what happened into its title. */
const script = `
import { openRun, Tracker } from 'pantin/web'
import './style.css'

const isEvalRefused = await Promise.resolve().then(() => (0, eval)('1')).then(() => false, () => true)
const violation = new Promise((resolve) =>
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
    if (effectiveDirective !== 'script-src') resolve(effectiveDirective)
  }))
document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = "run"' }))
const refused = { isEvalRefused, directive: await violation, title: document.title }

const canvas = Object.assign(document.createElement('canvas'), { width: 32, height: 32 })
canvas.getContext('2d').fillRect(4, 4, 12, 20)
const run = await openRun('runs/tiny')
const tracker = await Tracker.open(run, { runtimeFolder: 'ort/', workerUrl: 'worker.js', device: 'cpu' })
const { value } = await tracker.track(canvas, { time: 0 })
const { threads } = tracker
document.body.dataset.found = JSON.stringify({ isolated: crossOriginIsolated, threads, value, refused })
`

interface Found {
  readonly isolated: boolean
  readonly threads: number
  readonly value: number[][]
  /** What the page's policy kept it from. */
  readonly refused: object
}

beforeAll(async () => {
  mkdirSync(join(source, 'public/runs'), { recursive: true })
  await makeRun(join(source, 'public/runs/tiny'))
  writeFileSync(join(source, 'page.js'), script)
  writeFileSync(join(source, 'style.css'), `body { color: ${'red '.repeat(300)}; }`)
  writeFileSync(
    join(source, 'index.html'),
    '<!doctype html><html lang="en"><head><title>page</title><link rel="icon" href="data:,"></head><body><script type="module" src="./page.js"></script></body></html>',
  )
  await build({
    configFile: 'studio/vite.config.ts',
    mode: 'source',
    root: source,
    logLevel: 'error',
    build: { outDir: built },
  })
}, 240_000)
afterAll(() => world.remove())

it('is a folder of relative addresses, with all that its scripts load', () => {
  const html = readFileSync(join(built, 'index.html'), 'utf8')
  const addresses = Array.from(html.matchAll(/(?:src|href)="([^"]+)"/g), ([, address]) => address!).filter(
    (address) => address !== 'data:,',
  )
  expect(addresses.length).toBeGreaterThan(1)
  for (const address of addresses) expect(address).toMatch(/^\.\/assets\/[\w-]+-[\w-]{8}\.\w+$/)
  for (const name of runtimeFiles) expect(existsSync(join(built, 'ort', name)), name).toBe(true)
  for (const name of assetFiles) expect(existsSync(join(built, 'pantin', name)), name).toBe(true)
  for (const name of ['worker.js', 'runs/tiny/config.json', 'runs/tiny/weights.safetensors']) {
    expect(existsSync(join(built, name)), name).toBe(true)
  }
  // For hosts that send no policy.
  expect(html).toContain('http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;')
  expect(html).not.toMatch(/<script(?![^>]*src=)|<style|style=|frame-ancestors/)
  const css = addresses.find((address) => extname(address) === '.css')!
  for (const form of ['.br', '.gz']) expect(existsSync(join(built, css + form)), form).toBe(true)
})

const title = chromium === undefined ? `in Chromium: skipped, ${withoutChromium}` : 'in Chromium'
describe.skipIf(chromium === undefined)(title, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await playwright.launch({ executablePath: chromium!, args: ['--no-sandbox', '--disable-gpu'] })
  })
  afterAll(() => browser.close())

  /** Opens the page and waits for what it found; nothing on its console may be an error. */
  async function look(address: string) {
    const page = await browser.newPage()
    const errors: string[] = []
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
    page.on('pageerror', (error) => errors.push(error.message))
    await page.goto(address)
    const body = await page.waitForSelector('body[data-found]', { state: 'attached', timeout: 50_000 })
    const text = await body.getAttribute('data-found')
    await page.close()
    // What the page tries on purpose is refused, and said on the console.
    expect(errors.filter((error) => !error.includes('Content Security Policy'))).toEqual([])
    return JSON.parse(text!) as Found
  }

  it('computes with threads under the server’s policy, and alone where a host sends no headers', async () => {
    const studio = await world.start({ site: built })
    const served = await look(studio.address)
    expect(served.isolated).toBe(true)
    expect(served.value).toHaveLength(3)
    const refused = { directive: 'script-src-elem', isEvalRefused: true, title: 'page' }
    expect(served.refused).toEqual(refused)

    const plain = await servePlainly(built)
    const hosted = await look(`http://127.0.0.1:${(plain.address() as AddressInfo).port}/some/folder/`)
    plain.close()
    expect(hosted).toMatchObject({ isolated: false, threads: 1, refused })
    for (const [i, point] of hosted.value.entries()) {
      for (const [axis, x] of point.entries()) expect(x).toBeCloseTo(served.value[i]![axis]!, 4)
    }
  })
})

/** Any web server: files under a folder, and no header but their type. */
async function servePlainly(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const name = new URL(request.url!, 'http://localhost').pathname.replace('/some/folder/', '')
    const file = join(folder, name === '' ? 'index.html' : name)
    if (!existsSync(file)) response.writeHead(404).end()
    else response.writeHead(200, { 'Content-Type': contentType(file) }).end(readFileSync(file))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}
