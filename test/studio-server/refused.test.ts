/**
 * A table of hostile requests to `pantin studio` as a process, written to its socket as they are: each is refused with its own
 * status, and the token is in no answer, no log, no Referer and no list of processes.
 */
import { spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium as playwright } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStudio } from '../../src/server/server.ts'
import type { RunListing } from '../../src/web/studio-api.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { makeRun, studioSite } from '../support/shared.ts'
import { bytesOf, hostileRequests } from './hostile-requests.ts'
import { addressIn, type Commands, compileCommands, type Running, tokenOf } from './process.ts'
import { sendRaw } from './raw.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-refused-'))
const secret = 'a secret of the machine'
let commands: Commands
let studio: Running
let address: URL
/** Written by the browser that the command opens: the address that it was told to open. */
const told = join(folder, 'opened')

beforeAll(async () => {
  commands = compileCommands()
  mkdirSync(join(folder, 'runs'))
  await makeRun(join(folder, 'runs', 'tiny'))
  await makeRun(join(folder, 'saved', 'taken'))
  for (const place of ['.', 'runs', 'runs/tiny', 'saved'])
    writeFileSync(join(folder, place, 'secret.txt'), secret)
  const browser = join(folder, 'browser')
  // It stays, so that its arguments are in the list of processes.
  const lines = [
    '#!/bin/sh',
    `printf %s "$1" > '${told}.part' && mv '${told}.part' '${told}'`,
    `while [ -e '${told}' ]; do sleep 0.2; done`,
  ]
  writeFileSync(browser, `${lines.join('\n')}\n`, { mode: 0o755 })
  const desktop = {
    XDG_DATA_DIRS: folder,
    XDG_DATA_HOME: folder,
    XDG_CONFIG_HOME: folder,
    XDG_CURRENT_DESKTOP: '',
  }
  studio = commands.start(['studio', join(folder, 'runs'), '--save', join(folder, 'saved'), '--port', '0'], {
    ...process.env,
    ...desktop,
    DISPLAY: ':99',
    BROWSER: browser,
  })
  address = addressIn(await studio.line)
})
afterAll(() => {
  commands?.remove()
  rmSync(folder, { recursive: true, force: true })
})

it('refuses each request of the table, and tells the token to none', async () => {
  const token = tokenOf(address)
  const listing = await fetch(new URL('/api/runs', address), { headers: { 'X-Pantin-Token': token } })
  const { id } = ((await listing.json()) as RunListing).runs.find(({ name }) => name === 'tiny')!
  const rows = hostileRequests(address, id, readFileSync(join(folder, 'runs/tiny/config.json')))
  expect(new Set(rows.map(([, sent]) => JSON.stringify(sent))).size).toBe(rows.length)
  expect(new Set(rows.map(([what]) => what)).size).toBe(rows.length)
  expect(rows.length).toBeGreaterThanOrEqual(65)
  const wrong: string[] = []
  for (const [what, sent, status] of rows) {
    const answer = await sendRaw(Number(address.port), bytesOf(sent))
    if (answer.status !== status)
      wrong.push(`${what}: ${answer.status} instead of ${status}, ${answer.body.slice(0, 200)}`)
    const all = JSON.stringify(answer)
    for (const hidden of [token, secret]) expect(all, what).not.toContain(hidden)
    expect(all, what).not.toMatch(/access-control|set-cookie|"location"/i)
    if (answer.headers['content-security-policy'] !== undefined)
      expect(answer.headers['referrer-policy'], what).toBe('no-referrer')
  }
  expect(wrong).toEqual([])
  // biome-ignore lint/suspicious/noConsole: the figure that is claimed
  console.log(`${rows.length} hostile requests, all refused`)
  expect(readdirSync(join(folder, 'saved')).sort()).toEqual(['secret.txt', 'taken'])
  // After all of it, the page is there.
  expect((await fetch(address)).status).toBe(200)
})

it('writes the token into no log: it is in the address that the command prints, and nowhere else', async () => {
  const { stdout, stderr } = studio.said
  expect(stdout).toBe(`${await studio.line}\n`)
  expect(stdout.split(tokenOf(address))).toHaveLength(2)
  expect(stderr).not.toContain(tokenOf(address))
})

it.runIf(process.platform === 'linux')(
  'shows the token in no list of processes, also while a browser is opened',
  async () => {
    const token = tokenOf(address)
    await expect.poll(() => existsSync(told), { timeout: 20_000 }).toBe(true)
    const opened = readFileSync(told, 'utf8')
    const { stdout } = spawnSync('ps', ['-ewwo', 'args'], { encoding: 'utf8', maxBuffer: 1 << 28 })
    const listed = stdout || commandLines()
    // The browser is in the list, with its ticket.
    expect(opened).toMatch(/\/open\/\w+$/)
    expect(listed).toContain(opened)
    expect(listed).not.toContain(token)
    expect(readFileSync(`/proc/${studio.child.pid}/environ`, 'utf8')).not.toContain(token)
  },
)

/** The arguments of all processes, if there is no `ps`. */
function commandLines(): string {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const read = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    } catch {
      return ''
    }
  }
  return pids.map(read).join('\n')
}

const title = chromium === undefined ? `a browser: skipped, ${withoutChromium}` : 'a browser'
describe.skipIf(chromium === undefined)(title, () => {
  it('sends the token in no Referer and no address, to no file of the page', async () => {
    const site = await studioSite()
    await using served = await startStudio({ site, port: 0, runs: [join(folder, 'runs')] })
    const heard: { readonly url: string; readonly headers: IncomingMessage['headers'] }[] = []
    const listen = (message: unknown) => {
      const { request } = message as { request: IncomingMessage }
      heard.push({ url: request.url ?? '', headers: { ...request.headers } })
    }
    subscribe('http.server.request.start', listen)
    const browser = await playwright.launch({
      executablePath: chromium!,
      args: ['--no-sandbox', '--disable-gpu'],
    })
    try {
      const page = await browser.newPage()
      await page.goto(served.ticketAddress())
      await page.getByRole('heading', { name: 'tiny' }).waitFor({ timeout: 120_000 })
      expect(page.url()).not.toContain(served.token)
      expect(await page.evaluate('document.referrer')).toBe('')
    } finally {
      await browser.close()
      unsubscribe('http.server.request.start', listen)
    }
    const asked = heard.map(({ url }) => url)
    for (const part of ['/open/', '/assets/', '/api/runs']) expect(asked.join('\n')).toContain(part)
    for (const { url, headers } of heard) {
      expect(headers.referer, url).toBeUndefined()
      const { 'x-pantin-token': _, ...others } = headers
      expect(JSON.stringify([url, others])).not.toContain(served.token)
    }
  })
})
