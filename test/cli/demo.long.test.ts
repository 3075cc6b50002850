// The demo from end to end, as a process: what it writes, and Ctrl-C while it trains.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { openVideo } from '../../src/media/codecs.ts'
import { compileCli } from './run.ts'

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-demo-'))
const at = (...names: string[]) => join(folder, ...names)
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

it('shows both starters, and what training changed', { timeout: 480_000 }, async () => {
  const { code, stdout, stderr } = await cli.run(
    ['demo', '--out', at('demo'), '--minutes', '0.05', '--json'],
    { cwd: folder },
  )
  expect(code, stderr).toBe(0)
  const made = JSON.parse(stdout) as Record<string, unknown>
  expect(made).toMatchObject({ interrupted: false, before: { frames: 24 }, after: { frames: 24 } })
  // A promise is one minute, on a machine that does nothing else.
  expect(made.secondsToPage).toBeLessThan(180)
  const page = readFileSync(at('demo', 'index.html'), 'utf8')
  const named = Array.from(page.matchAll(/(?:src|href)="([^"]+)"/g), ([, file]) => file!.replace('/', ''))
  expect(readdirSync(at('demo')).sort()).toEqual(['index.html', ...named].sort())
  for (const [name, width, frames] of [
    ['face.mp4', 784, 75],
    ['puppet.mp4', 784, 75],
    ['before-and-after.mp4', 1048, 24],
  ] as const) {
    await using film = await openVideo(at('demo', name))
    expect({ width: film.width, height: film.height, frames: film.frameCount }, name).toEqual({
      ...{ width, height: 256, frames },
    })
  }
  expect(page).toContain('animate face --source portrait.jpg --driving me.mp4 --paste')
  const said = ['starter "face"', 'starter "puppet"', 'look at', 'measuring']
  const places = said.map((words) => stderr.indexOf(words))
  expect(places).toEqual([...places].sort((a, b) => a - b))
  expect(places[0]).toBeGreaterThanOrEqual(0)
})

it('ends at Ctrl-C with the page that is there, and can be started again', { timeout: 480_000 }, async () => {
  const args = ['demo', '--out', at('stopped'), '--minutes', '30']
  let sent = false
  const { code, stdout } = await cli.run(args, {
    onStderr(soFar, kill) {
      if (sent || !soFar.includes('"phase":"train"')) return
      sent = true
      kill('SIGINT')
    },
  })
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /training was stopped.*\nlook at .*index\.html\nstart again with: pantin demo .*--force/,
  )
  expect(readFileSync(at('stopped', 'index.html'), 'utf8')).toContain('The training was stopped')
  expect(readdirSync(at('stopped', 'run'))).toContain('weights.safetensors')
})
