import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTransfer } from '../../src/animate/transfer.ts'
import { openModel } from '../../src/model/open-model.ts'
import { puppetClip, stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { train } from '../../src/train/train.ts'
import { scratch } from '../animate/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { tinyModel } from '../train/tiny.ts'
import { expectClose, inPage, openSite, type Site } from './browser.ts'

/** Keypoints and animation in a page are held to Node's, on a model that was trained for some steps. */

const title = chromium === undefined ? `pantin/web: skipped, ${withoutChromium}` : 'a run in a page'

describe.skipIf(chromium === undefined)(title, () => {
  const at = scratch()
  const run = at('run')
  let site: Site
  let page: Page

  beforeAll(async () => {
    await train('puppet:3,frames=24,size=48', {
      ...{ out: run, model: tinyModel(), batch: 2, steps: 40, seed: 7, device: 'cpu' },
    })
    site = await openSite()
    for (const file of ['config.json', 'weights.safetensors']) {
      site.files.set(`runs/me/${file}`, await readFile(join(run, file)))
    }
    page = await site.open()
  }, 240_000)
  afterAll(() => site?.close())

  /** In a page: frames of a clip as ImageData-like lists would be large, so the page reads the puppet itself. */
  test('the same frames give the same keypoints as in Node', async () => {
    const { frames, ...facts } = await inPage<{
      frames: { value: number[]; jacobian: number[]; heatmap: number[] }[]
      device: string
      threads: number
      size: number
      step: number
    }>(
      page,
      `
      const run = await pantin.openRun('runs/me/')
      const tracker = await pantin.Tracker.open(run, place)
      const clip = await pantin.openClip('puppet:5,frames=3,size=32', place)
      const frames = []
      for await (const { time, picture } of clip.frames()) {
        const { value, jacobian, heatmap } = await tracker.track(picture, { time, heatmap: true })
        const plain = await tracker.track(picture, { time })
        if (JSON.stringify(plain.value.map(([x]) => x.toFixed(4))) !== JSON.stringify(value.map(([x]) => x.toFixed(4)))) throw new Error('heatmaps change the keypoints')
        picture.close()
        const { data, keypoints, height, width } = heatmap
        const sums = Array.from({ length: keypoints }, (_, k) => data.slice(k * height * width, (k + 1) * height * width).reduce((a, b) => a + b, 0))
        frames.push({ value: value.flat(), jacobian: jacobian.flat(2), heatmap: sums })
      }
      clip.close()
      const { device, threads, size } = tracker
      await tracker.close()
      return { frames, device, threads, size, step: run.step }
      `,
    )
    expect(facts).toEqual({ device: 'cpu', threads: 2, size: 32, step: 40 })
    const model = await openModel(run, { device: 'cpu' })
    expect(frames).toHaveLength(3)
    let at = 0
    for await (const frame of puppetClip({ seed: 5, frames: 3, size: 32 }).frames()) {
      const { value, jacobian } = await model.detect(frame.data)
      expectClose(frames[at]!.value, [...value], 1e-3, `values of frame ${at}`)
      expectClose(frames[at]!.jacobian, [...jacobian!], 1e-3, `jacobians of frame ${at}`)
      for (const sum of frames[at]!.heatmap) expect(sum).toBeCloseTo(1, 4)
      at++
    }
    await model.close()
  }, 240_000)

  test('a picture moves as in Node, relative and absolute', async () => {
    const results = await inPage<Record<string, number[][]>>(
      page,
      `
      const animator = await pantin.Animator.open(await pantin.openRun('runs/me/'), place)
      const pixelsOf = (bitmap) => {
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
        const context = canvas.getContext('2d')
        context.drawImage(bitmap, 0, 0)
        bitmap.close()
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
        return Array.from(data).filter((_, i) => i % 4 !== 3)
      }
      const source = await pantin.openClip('puppet:9,frames=1,size=32', place)
      for await (const { picture } of source.frames()) await animator.setSource(picture)
      const results = {}
      for (const absolute of [false, true]) {
        animator.resetReference()
        const clip = await pantin.openClip('puppet:5,frames=3,size=32', place)
        results[absolute] = []
        for await (const { time, picture } of clip.frames()) {
          const { frame, milliseconds } = await animator.animate(picture, { time, absolute })
          if (!Object.values(milliseconds).every((ms) => ms >= 0)) throw new Error('stages without times')
          results[absolute].push(pixelsOf(frame))
        }
        clip.close()
      }
      await animator.close()
      return results
      `,
    )
    const model = await openModel(run, { device: 'cpu' })
    const source = stillPuppet({ seed: 9, size: 32 }).data
    const kpSource = await model.detect(source)
    for (const absolute of [false, true]) {
      let transfer: ReturnType<typeof createTransfer> | undefined
      const got = results[String(absolute)]!
      let at = 0
      for await (const frame of puppetClip({ seed: 5, frames: 3, size: 32 }).frames()) {
        const kpDriving = await model.detect(frame.data)
        transfer ??= createTransfer(kpSource, kpDriving, { absolute })
        const expected = await model.generate(source, kpSource, transfer(kpDriving))
        const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - got[at]![i]!)), 0)
        expect(worst, `frame ${at}, absolute ${absolute}`).toBeLessThanOrEqual(2)
        at++
      }
      expect(got).toHaveLength(at)
    }
    await model.close()
  }, 240_000)

  test('no page complains on its console', () => {
    expect(site.complaints).toEqual([])
  })
})
