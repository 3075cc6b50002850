import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Compiled, compile } from '../../support/compile.ts'
import type { Report } from './attempt.ts'
import { bombs } from './bombs.ts'

const scripts = ['bombs-child', 'mutants-child'].map((name) => `test/formats/torch/${name}.ts`)
let compiled: Compiled
beforeAll(() => {
  compiled = compile(...scripts)
})
afterAll(() => compiled.remove())

const committed = (name: string) => fileURLToPath(new URL(`files/${name}`, import.meta.url))

/** Runs a script in a process with a small heap; one that hangs is killed, and fails the test. */
async function run(name: string, ...args: readonly string[]): Promise<Report> {
  const script = join(compiled.folder, `test/formats/torch/${name}.js`)
  const limits = ['--expose-gc', '--max-old-space-size=64', '--max-semi-space-size=2']
  const { stdout } = await promisify(execFile)(process.execPath, [...limits, script, ...args], {
    timeout: 200_000,
  })
  return JSON.parse(stdout) as Report
}

function check({ wrong, seconds, slowest, extraBytes }: Report): void {
  expect(wrong).toEqual([])
  expect(seconds, slowest).toBeLessThan(2)
  expect(extraBytes).toBeLessThan(50e6)
}

it('needs neither 50 MB nor 2 s for files made to take all there is', async () => {
  const folder = join(compiled.folder, 'bombs')
  mkdirSync(folder)
  for (const [name, content] of bombs) writeFileSync(join(folder, name), content)
  const report = await run('bombs-child', committed('types-zip.pt'), folder)
  check(report)
  // Those that are read after all are harmless because each part is walked once.
  expect([report.read, report.refused]).toEqual([14, 21])
})

it('reads or refuses 10,000 mutants, each in 2 s and all in 50 MB', async () => {
  const names = ['types', 'views', 'protocol4'].flatMap((name) => [`${name}-zip.pt`, `${name}-legacy.pt`])
  const sources = [...names, 'parameters.pt', 'module.pth', 'wide.pt', 'fomm-legacy.pth.tar'].map(committed)
  const report = await run('mutants-child', compiled.folder, '31', '10000', ...sources)
  check(report)
  // Of both kinds enough: mutants that all break the first byte would show nothing.
  expect(report.read).toBeGreaterThan(1000)
  expect(report.refused).toBeGreaterThan(4000)
})
