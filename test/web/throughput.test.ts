import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { smallConfig } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { initialise, parametersOf } from '../../src/motion/weights.ts'
import { createRun } from '../../src/run/run.ts'
import { Random } from '../../src/util/random.ts'
import { scratch } from '../animate/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { inPage, openSite, type Site } from './browser.ts'

/**
 * Frames a second at 256x256 on WebAssembly, as a page measures them; they are printed, since a busy machine may take
 * several times as long. The goal on two cores is 15 for keypoints and 8 for animation.
 */

const title = chromium === undefined ? `throughput: skipped, ${withoutChromium}` : 'throughput in a page'

interface Rates {
  readonly frames: number
  /** Frames a second. */
  readonly rate: number
  /** Medians of the stages in milliseconds. */
  readonly stages: Readonly<Record<string, number>>
}

describe.skipIf(chromium === undefined)(title, () => {
  const at = scratch()
  let site: Site

  beforeAll(async () => {
    const model = smallConfig({ net: 'ficelle', size: 256, generator: 'light' })
    const config = { model, training: { fit: 'crop', clips: ['puppet:1'], holdout: 0.2 } }
    const run = await createRun(at('run'), { config, version: '0.1.0' })
    const parameters = [detectorGraph(model), generatorGraph(model)].flatMap(parametersOf)
    await run.saveWeights(initialise(parameters, new Random(7)))
    run.close()
    site = await openSite()
    for (const file of ['config.json', 'weights.safetensors']) {
      site.files.set(`runs/live/${file}`, await readFile(join(at('run'), file)))
    }
  }, 240_000)
  afterAll(() => site?.close())

  test('live keypoints and animation of ficelle at 256x256', async () => {
    const page = await site.open()
    const rates = await inPage<Record<'track' | 'animate', Rates>>(
      page,
      `
      const run = await pantin.openRun('runs/live/')
      const clip = await pantin.openClip('puppet:5,frames=8,size=320', place)
      const pictures = []
      for await (const { picture } of clip.frames()) pictures.push(picture)
      clip.close()
      const median = (list) => list.sort((a, b) => a - b)[list.length >> 1]
      const measure = async (work) => {
        for (let i = 0; i < 8; i++) await work(pictures[i % 8])
        const stages = {}
        const began = performance.now()
        let frames = 0
        while (frames < 40 || performance.now() - began < 2000) {
          const milliseconds = await work(pictures[frames++ % 8])
          for (const [name, ms] of Object.entries(milliseconds)) (stages[name] ??= []).push(ms)
        }
        const rate = (1000 * frames) / (performance.now() - began)
        return { frames, rate, stages: Object.fromEntries(Object.entries(stages).map(([name, list]) => [name, median(list)])) }
      }
      const tracker = await pantin.Tracker.open(run, place)
      const track = await measure(async (picture) => (await tracker.track(picture)).milliseconds)
      await tracker.close()
      const animator = await pantin.Animator.open(run, place)
      await animator.setSource(pictures[0])
      const animate = await measure(async (picture) => {
        const { frame, milliseconds } = await animator.animate(picture, { smoothing: {} })
        frame.close()
        return milliseconds
      })
      await animator.close()
      return { track, animate }
      `,
    )
    for (const [name, { rate, frames, stages }] of Object.entries(rates)) {
      expect(frames).toBeGreaterThanOrEqual(40)
      expect(rate).toBeGreaterThan(0)
      const parts = Object.entries(stages).map(([stage, ms]) => `${stage} ${ms.toFixed(1)}`)
      process.stdout.write(`${name}: ${rate.toFixed(1)} frames/s; ms: ${parts.join(', ')}\n`)
    }
  }, 240_000)
})
