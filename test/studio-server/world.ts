// A folder with pages, a run, a place to save in, and a secret beside them that must never be served.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { examineRun } from '../../src/server/run-saver.ts'
import { type Studio, type StudioOptions, startStudio } from '../../src/server/server.ts'

export { makeRun } from '../support/shared.ts'

/** The folder, and the servers that were started on it. */
export interface World {
  readonly folder: string
  readonly site: string
  /** A run of a few steps on the smallest frames, made by `makeRun`. */
  readonly run: string
  readonly saved: string
  /** What stands in the files that nobody may get. */
  readonly secret: string
  start(options?: StudioOptions): Promise<Studio>
  remove(): Promise<void>
}

export function makeWorld(): World {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'pantin-studio-')))
  const [site, saved, run] = ['site', 'saved', 'runs/tiny'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const secret = 'a secret of the machine'
  writeFileSync(join(folder, 'secret.txt'), secret)
  mkdirSync(join(site, 'assets'), { recursive: true })
  mkdirSync(join(folder, 'runs'))
  mkdirSync(join(folder, 'site-beside'))
  writeFileSync(join(folder, 'site-beside', 'secret.txt'), secret)
  writeFileSync(join(site, 'index.html'), '<!doctype html><title>studio</title>')
  writeFileSync(join(site, 'worker.js'), 'self.postMessage(1)')
  writeFileSync(join(site, 'assets', 'app-1a2b.js'), 'console.log(1)')
  writeFileSync(join(site, 'assets', 'app-1a2b.js.br'), 'packed with brotli')
  writeFileSync(join(site, 'assets', 'app-1a2b.js.gz'), 'packed with gzip')
  writeFileSync(join(site, '.hidden'), secret)
  symlinkSync(join(folder, 'secret.txt'), join(site, 'leak.txt'))
  symlinkSync(folder, join(site, 'leak'))
  symlinkSync(join(folder, 'site-beside'), join(site, 'beside'))
  symlinkSync(join(site, 'worker.js'), join(site, 'inside.js'))
  const studios: Studio[] = []
  return {
    ...{ folder, site, run, saved, secret },
    async start(options = {}) {
      const studio = await startStudio({ site, port: 0, examine: examineRun, ...options })
      studios.push(studio)
      return studio
    },
    async remove() {
      await Promise.all(studios.map((studio) => studio.close()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
