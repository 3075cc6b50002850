import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bundle, bundle } from '../support/bundle.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { inPage, openSite, type Site } from './browser.ts'
import { hashOfStep } from './pages/step-graph.ts'

const title = chromium === undefined ? `graphs: skipped, ${withoutChromium}` : 'the training step in a page'

describe.skipIf(chromium === undefined)(title, () => {
  let site: Site
  let packed: Bundle

  beforeAll(async () => {
    packed = await bundle('test/web/pages/step-graph.ts')
    site = await openSite()
    site.files.set('step-graph.js', await readFile(packed.file))
  }, 240_000)
  afterAll(async () => {
    packed.remove()
    await site.close()
  })

  test('is the graph of Node, byte for byte', async () => {
    const page = await site.open()
    const nets = [
      ['lednet', 'small'],
      ['ficelle', 'light'],
    ] as const
    const there = await inPage<string[]>(
      page,
      `
      const { hashOfStep } = await import('./step-graph.js')
      const hashes = []
      for (const [net, generator] of input) hashes.push(await hashOfStep(net, generator))
      return hashes
      `,
      nets,
    )
    const here = []
    for (const [net, generator] of nets) here.push(await hashOfStep(net, generator))
    expect(there).toEqual(here)
    expect(new Set(here).size).toBe(nets.length)
  }, 240_000)
})
