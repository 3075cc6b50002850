// How many frames a second a page makes, printed.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { runFolder } from '../../src/run/config-file.ts'
import { createRun } from '../../src/run/run.ts'
import { Random } from '../../src/util/random.ts'
import { scratch } from '../animate/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { inPage, openSite, type Site } from './browser.ts'

const title = chromium === undefined ? `rates: skipped, ${withoutChromium}` : 'the rates of a page'

interface Rates {
  readonly frames: number
  /** Frames a second by the median time of a frame, by the least, and in the mean. */
  readonly median: number
  readonly most: number
  readonly mean: number
  /** Medians of the stages in milliseconds. */
  readonly stages: Readonly<Record<string, number>>
}

describe.skipIf(chromium === undefined)(title, () => {
  const at = scratch()
  let site: Site
  let page: Page
  beforeAll(async () => {
    site = await openSite()
    page = await site.open()
  }, 240_000)
  afterAll(() => site?.close())

  /**
   * Frames per second at 256x256 on WebAssembly, as a page measures them. They are printed only, since a busy machine may
   * take several times as long. The goals on two idle cores: 60 for keypoints, 15 for animation by a new light model, and 20 for
   * pulling the starter's strings.
   */
  test('live keypoints, animation and pulled strings at 256x256', async () => {
    const model = smallConfig({ net: 'ficelle', size: 256, generator: 'light' })
    const config = { model, training: { fit: 'crop', clips: ['puppet:1'], holdout: 0.2 } }
    const run = await createRun(at('run'), { config, version: '0.1.0' })
    const parameters = [detectorGraph(model), generatorGraph(model)].flatMap(parametersOf)
    await run.saveWeights(initialise(parameters, new Random(7)))
    run.close()
    const face = await runFolder('face')
    for (const file of ['config.json', 'weights.safetensors']) {
      site.files.set(`runs/live/${file}`, await readFile(join(at('run'), file)))
      site.files.set(`runs/face/${file}`, await readFile(join(face, file)))
    }
    site.files.set('assets/heads.bin', await readFile(join('assets', 'heads.bin')))
    const rates = await inPage<Record<string, Rates>>(
      page,
      `
      const clip = await pantin.openClip('head:100005,frames=8,size=320', place)
      const pictures = []
      for await (const { picture } of clip.frames()) pictures.push(picture)
      clip.close()
      const median = (list) => list.sort((a, b) => a - b)[list.length >> 1]
      const measure = async (work) => {
        // The browser compiles what runs often once more, while it runs.
        for (let i = 0, began = performance.now(); i < 8 || performance.now() - began < 1000; i++) await work(i % 8)
        const stages = {}
        const times = []
        const began = performance.now()
        while (times.length < 20 || performance.now() - began < 2000) {
          const before = performance.now()
          const milliseconds = await work(times.length % 8)
          times.push(performance.now() - before)
          for (const [name, ms] of Object.entries(milliseconds)) (stages[name] ??= []).push(ms)
        }
        const mean = (performance.now() - began) / times.length
        const rates = { median: 1000 / median(times), most: 1000 / Math.min(...times), mean: 1000 / mean }
        return { frames: times.length, ...rates, stages: Object.fromEntries(Object.entries(stages).map(([name, list]) => [name, median(list)])) }
      }
      const rates = {}
      for (const name of ['live', 'face']) {
        const run = await pantin.openRun('runs/' + name + '/')
        const tracker = await pantin.Tracker.open(run, place)
        rates[name + ': keypoints'] = await measure(async (i) => (await tracker.track(pictures[i])).milliseconds)
        const poses = []
        for (const picture of pictures) poses.push(await tracker.track(picture))
        await tracker.close()
        const animator = await pantin.Animator.open(run, place)
        await animator.setSource(pictures[0])
        rates[name + ': animation'] = await measure(async (i) => {
          const { frame, milliseconds } = await animator.animate(pictures[i], { smoothing: {}, absolute: true })
          frame.close()
          return milliseconds
        })
        rates[name + ': strings'] = await measure(async (i) => {
          const { frame, milliseconds } = await animator.pose(poses[i])
          frame.close()
          return milliseconds
        })
        await animator.close()
      }
      return rates
      `,
    )
    for (const [name, { frames, median, most, mean, stages }] of Object.entries(rates)) {
      expect(frames).toBeGreaterThanOrEqual(20)
      expect(mean).toBeGreaterThan(0)
      const figures = [median, most, mean].map((rate) => rate.toFixed(1))
      const parts = Object.entries(stages).map(([stage, ms]) => `${stage} ${ms.toFixed(1)}`)
      process.stdout.write(
        `${name}: ${figures.join(', ')} frames/s (median, most, mean); ms: ${parts.join(', ')}\n`,
      )
    }
  }, 240_000)
})
