import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { RunListing, RunMetrics, RunSummary } from '../../src/web/studio-api.ts'
import { addressIn, type Commands, compileCommands, tokenOf } from './process.ts'

/** `pantin studio` as a process, and beside one that trains. */

let commands: Commands
const folder = mkdtempSync(join(tmpdir(), 'pantin-studio-command-'))
const pantin = (...args: string[]) => commands.start(args)

beforeAll(() => {
  commands = compileCommands()
})
afterEach(() => commands.stop())
afterAll(() => {
  commands.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function api<T>(address: URL, path: string): Promise<T> {
  const response = await fetch(new URL(`/api/${path}`, address), {
    headers: { 'X-Pantin-Token': tokenOf(address) },
  })
  expect(response.status).toBe(200)
  return (await response.json()) as T
}

it('prints one line with the address when it is ready, and ends cleanly on Ctrl-C', async () => {
  const studio = pantin('studio', '--port', '0')
  const line = await studio.line
  expect(line).toMatch(/^pantin studio: http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{43}$/)
  const address = addressIn(line)
  expect(await (await fetch(address)).text()).toContain('<title>studio</title>')
  expect(await api<RunListing>(address, 'runs')).toMatchObject({ runs: [], canSave: false })
  // With a connection open that waits for more.
  const waiting = fetch(new URL('/api/runs', address)).catch(() => undefined)
  studio.child.kill('SIGINT')
  expect(await studio.ended).toBe(0)
  await waiting
  expect(studio.said.stdout).toBe(`${line}\n`)
  expect(studio.said.stderr).not.toContain('Error')
})

it('prints JSON for scripts', async () => {
  const studio = pantin('studio', '--port', '0', '--no-open', '--json', '--quiet')
  const { address, port, token } = JSON.parse(await studio.line) as Record<string, string>
  expect(address).toBe(`http://127.0.0.1:${port}/#token=${token}`)
  studio.child.kill('SIGTERM')
  expect(await studio.ended).toBe(0)
  expect(studio.said.stderr.replace(/^\n?pantin: stopping.*\n/m, '')).toBe('')
})

it.runIf(process.platform === 'linux')('opens the browser, with an address that works once', async () => {
  const [browser, opened] = [join(folder, 'browser'), join(folder, 'opened')]
  writeFileSync(
    browser,
    `#!/bin/sh\nprintf %s "$1" > '${opened}.part' && mv '${opened}.part' '${opened}'\n`,
    { mode: 0o755 },
  )
  // No desktop has a say: only the variable.
  const desktop = {
    XDG_DATA_DIRS: folder,
    XDG_DATA_HOME: folder,
    XDG_CONFIG_HOME: folder,
    XDG_CURRENT_DESKTOP: '',
  }
  const env = { ...process.env, ...desktop, DISPLAY: ':99', BROWSER: browser }
  const studio = commands.start(['studio', '--port', '0'], env)
  const line = await studio.line
  await expect.poll(() => existsSync(opened), { timeout: 20_000 }).toBe(true)
  const address = readFileSync(opened, 'utf8')
  const token = tokenOf(addressIn(line))
  expect(address).not.toContain(token)
  const first = await fetch(address, { redirect: 'manual' })
  expect(first.status).toBe(303)
  expect(first.headers.get('location')).toBe(`/#token=${token}`)
  expect((await fetch(address, { redirect: 'manual' })).status).toBe(410)
  studio.child.kill('SIGINT')
  expect(await studio.ended).toBe(0)
})

it('refuses what cannot be served with exit code 2, and says what to do', async () => {
  const first = pantin('studio', '--port', '0', '--no-open')
  const port = addressIn(await first.line).port
  const cases: [string[], RegExp][] = [
    [['studio', '--port', port], /the port is in use[\s\S]*--port 0 takes a free one/],
    [['studio', '--port', '70000'], /0 to 65535/],
    [['studio', '--port', '0', '--host', '192.0.2.1'], /the host is not an address of this machine/],
    [['studio', '--port', '0', join(folder, 'absent')], /no such file or folder/],
    [['studio', '--port', '0', commands.folder], /there is no run here/],
  ]
  for (const [args, what] of cases) {
    const { ended, said } = pantin(...args)
    expect(await ended, args.join(' ')).toBe(2)
    expect(said.stderr).toMatch(what)
    expect(said.stdout).toBe('')
  }
  first.child.kill('SIGINT')
  expect(await first.ended).toBe(0)
})

it('warns where other machines reach it', async () => {
  const studio = pantin('studio', '--port', '0', '--host', '0.0.0.0', '--no-open')
  const address = addressIn(await studio.line)
  await expect
    .poll(() => studio.said.stderr, { timeout: 10_000 })
    .toContain('warning: other machines reach 0.0.0.0')
  expect(address.hostname).toBe('127.0.0.1')
  const foreign = await fetch(address, { headers: { Origin: 'http://evil.example' } })
  expect(foreign.status).toBe(403)
})

it('shows a run live while another process trains it', { timeout: 240_000 }, async () => {
  const runs = join(folder, 'runs')
  mkdirSync(runs)
  const studio = pantin('studio', runs, '--port', '0', '--no-open')
  const address = addressIn(await studio.line)
  expect(address.hash).toMatch(/^#\/runs\?token=/)
  expect((await api<RunListing>(address, 'runs')).runs).toEqual([])

  const out = join(runs, 'live')
  const clip = 'puppet:3,frames=8,size=32'
  const size = ['--net', 'ficelle', '--size', '32', '--keypoints', '2', '--batch', '1', '--device', 'cpu']
  const training = pantin('train', clip, '--out', out, ...size, '--steps', '100000', '--quiet')
  let seen: RunSummary | undefined
  await expect
    .poll(
      async () => {
        seen = (await api<RunListing>(address, 'runs')).runs[0]
        return seen?.step ?? 0
      },
      { timeout: 240_000, interval: 200 },
    )
    .toBeGreaterThanOrEqual(20)
  expect(seen).toMatchObject({ name: 'live', state: 'training', net: 'ficelle', steps: 100_000 })
  expect(seen!.rate).toBeGreaterThan(0)
  expect(seen!.etaSeconds).toBeGreaterThan(0)

  // The curves grow from where they were.
  const first = await api<RunMetrics>(address, `runs/${seen!.id}/metrics`)
  expect(first.records[0]).toMatchObject({ step: 10, loss: expect.any(Number) })
  let next = first
  await expect
    .poll(
      async () => {
        next = await api<RunMetrics>(address, `runs/${seen!.id}/metrics?cursor=${first.cursor}`)
        return next.records.length
      },
      { timeout: 240_000, interval: 200 },
    )
    .toBeGreaterThan(0)
  expect(next.whole).toBe(false)
  expect(next.records[0]!.step).toBe(first.records.at(-1)!.step + 10)

  training.child.kill('SIGINT')
  expect(await training.ended, training.said.stderr).toBe(0)
  const { runs: after } = await api<RunListing>(address, 'runs')
  expect(after[0]).toMatchObject({ state: 'stopped', hasWeights: true })
  const weights = await fetch(new URL(`/api/runs/${seen!.id}/files/weights.safetensors`, address), {
    headers: { 'X-Pantin-Token': tokenOf(address) },
  })
  const bytes = Buffer.from(await weights.arrayBuffer())
  expect(bytes.equals(readFileSync(join(out, 'weights.safetensors')))).toBe(true)

  studio.child.kill('SIGINT')
  expect(await studio.ended).toBe(0)
  expect(existsSync(join(out, 'lock'))).toBe(false)
})
