// What a page is told of the networks, the training step's graph, and the size of the page's scripts.
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { smallConfig } from '../../src/motion/config.ts'
import { detectorGraph } from '../../src/motion/model.ts'
import { diagram } from '../../src/profile/diagram.ts'
import { profileDetector, profileNet } from '../../src/profile/profile.ts'
import { netNames } from '../../src/zoo/registry.ts'
import { bundle } from '../support/bundle.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { inPage, openSite, type Site } from './browser.ts'
import { hashOfStep } from './pages/step-graph.ts'

const title = chromium === undefined ? `networks: skipped, ${withoutChromium}` : 'networks in a page'

interface Block {
  readonly name: string
  readonly module: string
  readonly does: string
  readonly params: number
  readonly macs: number
  readonly receptiveField: number
}

describe.skipIf(chromium === undefined)(title, () => {
  let site: Site
  let page: Page

  beforeAll(async () => {
    site = await openSite()
    page = await site.open()
  }, 240_000)
  afterAll(() => site?.close())

  test('the zoo is listed, and counted as in Node', async () => {
    const { names, detector, network, said } = await inPage<{
      names: string[]
      detector: { blocks: Block[] } & Record<string, unknown>
      network: { blocks: Block[] } & Record<string, unknown>
      said: string
    }>(
      page,
      `
      const names = (await pantin.listNetworks(place)).map(({ name }) => name)
      const detector = await pantin.profileNetwork('lednet', place)
      const network = await pantin.profileNetwork('erfnet', place, { as: 'network' })
      const said = await pantin.profileNetwork('lednot', place).catch((error) => error.message)
      return { names, detector, network, said }
      `,
    )
    expect(names).toEqual(netNames)
    expect(said).toMatch(/did you mean "lednet"/)

    const { layers, ...counted } = profileDetector('lednet')
    const { params, macs, activationBytes, receptiveField, ops } = counted
    expect(detector).toMatchObject({ params, macs, activationBytes, receptiveField, ops })
    const config = smallConfig({ net: 'lednet', size: 64 })
    expect(detector.diagram).toEqual(JSON.parse(JSON.stringify(diagram(detectorGraph(config)))))
    const sum = (blocks: readonly Block[], part: 'params' | 'macs') =>
      blocks.reduce((all, block) => all + block[part], 0)
    expect(sum(detector.blocks, 'params')).toBe(params)
    expect(sum(detector.blocks, 'macs')).toBe(macs)
    expect(detector.blocks.map(({ name }) => name).sort()).toEqual(layers.map(({ name }) => name).sort())

    const plain = profileNet('erfnet', { outputs: 10, input: [3, 64, 64] })
    expect(network).toMatchObject({ params: plain.params, macs: plain.macs })
    expect(network.blocks[0]!.receptiveField).toBeLessThan(10)
    expect(network.blocks.at(-1)!.receptiveField).toBe(plain.receptiveField)
    expect(network.blocks.map(({ does }) => does).join('; ')).toMatch(/3x1 conv, relu, 1x3 conv, norm, relu/)
    const modules = new Set(network.blocks.map(({ module }) => module))
    const { stages } = network.diagram as { stages: { modules: string[] }[] }
    for (const name of stages.flatMap((stage) => stage.modules)) expect(modules).toContain(name)
  }, 240_000)

  test('a network is timed on this device, and the wait can be ended', async () => {
    const result = await inPage<{ time: { median: number; min: number }; rounds: number[]; said: string }>(
      page,
      `
      const rounds = []
      const time = await pantin.timeNetwork('ficelle', { ...place, rounds: 3, onProgress: (done, total) => rounds.push(done, total) })
      const stop = new AbortController()
      const said = pantin.timeNetwork('ficelle', { ...place, rounds: 1000, signal: stop.signal, onProgress: () => stop.abort() })
      return { time, rounds, said: await said.then(() => 'done', (error) => error.name) }
      `,
    )
    expect(result.time).toMatchObject({ device: 'cpu', threads: 2 })
    expect(result.time.min).toBeGreaterThan(0)
    expect(result.time.median).toBeGreaterThanOrEqual(result.time.min)
    expect(result.rounds).toEqual([1, 3, 2, 3, 3, 3])
    expect(result.said).toBe('AbortError')
  }, 240_000)

  test('the training step is the graph of Node, byte for byte', async () => {
    site.files.set('step-graph.js', await readFile(await bundle('test/web/pages/step-graph.ts')))
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

  test('no page complains on its console', () => {
    expect(site.complaints).toEqual([])
  })
})

describe('what is packed for pages', () => {
  for (const [entry, most] of [
    ['src/web/index.ts', 100],
    ['src/web/worker.ts', 4000],
  ] as const) {
    test(`${entry} asks for no module, of Node or any other, and weighs under ${most} kB`, async () => {
      const code = await readFile(await bundle(entry), 'utf8')
      // What is left of imports is ONNX Runtime's, whose address is a variable.
      const asked = [...code.matchAll(/^(?:import|export)\b[^;\n]*?from\s*["']([^"']+)["']/gm)]
      const loaded = [...code.matchAll(/\b(?:import|require)\(\s*["']([^"']+)["']/g)]
      expect([...asked, ...loaded].map(([, name]) => name)).toEqual([])
      expect(code.length / 1000).toBeLessThan(most)
    })
  }
})
