// The part `browser` of the bench: finding a browser, ending it, and the figures of the detectors in it.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { browserFigures } from '../../bench/src/browser.ts'
import { findChromium } from '../../bench/src/browser-launch.ts'
import { withBrowser } from '../../bench/src/browser-server.ts'
import { EnvironmentError } from '../../src/util/errors.ts'
import { bundle } from '../support/bundle.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'

let worker: string

beforeAll(async () => {
  worker = await bundle('bench/src/browser-worker.ts')
})

describe('a browser is found', () => {
  test('by a variable, or on the PATH', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pantin-path-'))
    try {
      const program = join(folder, 'chromium')
      writeFileSync(program, '')
      chmodSync(program, 0o755)
      expect(findChromium({ PATH: folder })).toBe(program)
      expect(findChromium({ PATH: '', PANTIN_CHROMIUM: program })).toBe(program)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('or the error says what to do', () => {
    expect(() => findChromium({ PATH: '', PANTIN_CHROMIUM: '/nowhere/chromium' })).toThrow(EnvironmentError)
    expect(() => findChromium({ PATH: '', PANTIN_CHROMIUM: '/nowhere/chromium' })).toThrow(/PANTIN_CHROMIUM/)
  })
})

test('a browser that ends at once is an error that says so, and so is a worker that was not built', async () => {
  const ask = (program: string, file: string) =>
    withBrowser({ chromium: program, worker: file }, (server) => server.ask({ kind: 'run', session: 'none' }))
  // Node takes none of the browser's flags.
  await expect(ask(process.execPath, worker)).rejects.toThrow(/the browser ended before the work did/)
  await expect(ask(join(tmpdir(), 'no', 'program'), worker)).rejects.toThrow(/ENOENT/)
  await expect(ask(process.execPath, '/nowhere/worker.js')).rejects.toThrow(/the bundled worker is missing/)
})

const title = chromium === undefined ? `the figures: skipped, ${withoutChromium}` : 'the figures'

describe.skipIf(chromium === undefined)(title, () => {
  test('of the detectors are taken in turn and held against the published one', {
    timeout: 240_000,
  }, async () => {
    let runs = 0
    const figures = await browserFigures({
      parts: ['detectors'],
      rounds: 1,
      worker,
      onRun: () => runs++,
    })
    expect(runs).toBe(3)
    expect(figures.map(({ name }) => name)).toEqual([
      'detector.published.wasm',
      'detector.exact.wasm',
      'detector.light.wasm',
    ])
    for (const { value, unit } of figures) {
      expect(value).toBeGreaterThan(0)
      expect(unit).toBe('ms')
    }
    const [published, , light] = figures
    expect(light!.peer!.value).toBe(published!.value)
    expect(light!.ratio).toBeCloseTo(published!.value / light!.value)
  })
})
