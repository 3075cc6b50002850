import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { trainedRun } from '../support/shared.ts'
import { tinyModel } from '../train/tiny.ts'
import { inPage, openSite, type Site } from './browser.ts'

/** The library on WebGPU, by a software adapter, and what becomes of it where the GPU is lost. */

const title = chromium === undefined ? `WebGPU in a page: skipped, ${withoutChromium}` : 'WebGPU in a page'

const flags = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-webgpu-adapter=swiftshader',
  '--disable-gpu-process-crash-limit',
]

describe.skipIf(chromium === undefined)(title, () => {
  let site: Site
  let page: Page

  beforeAll(async () => {
    const run = await trainedRun()
    site = await openSite(flags)
    for (const file of ['config.json', 'weights.safetensors']) {
      site.files.set(`runs/me/${file}`, await readFile(join(run, file)))
    }
    page = await site.open()
  }, 240_000)
  afterAll(() => site?.close())

  /** What a crash of a driver does: every device of the browser is gone. */
  const loseGpu = async () => {
    const session = await (await site.context()).browser()!.newBrowserCDPSession()
    await session.send('Browser.crashGpuProcess').catch(() => {})
    await session.detach()
  }

  test('a lost GPU leaves an animation on the CPU, with the same result and a message', async () => {
    const before = await inPage<{ device: string; adapter: string; points: number[] }>(
      page,
      `
      globalThis.notices = []
      globalThis.animator = await pantin.Animator.open(await pantin.openRun('runs/me/'), { ...place, device: 'webgpu', onNotice: (notice) => notices.push(notice) })
      globalThis.pictures = []
      const clip = await pantin.openClip('puppet:5,frames=2,size=32', place)
      for await (const { picture } of clip.frames()) pictures.push(picture)
      clip.close()
      await animator.setSource(pictures[0])
      const { driving, frame } = await animator.animate(pictures[1], { absolute: true })
      return { device: animator.device, adapter: animator.adapter, points: driving.value.flat() }
      `,
    )
    expect(before.device).toBe('webgpu')
    expect(before.adapter).toMatch(/swiftshader/i)
    await loseGpu()
    const after = await inPage<{
      device: string
      notices: { kind: string; message: string }[]
      points: number[]
    }>(
      page,
      `
      const { driving } = await animator.animate(pictures[1], { absolute: true })
      await animator.animate(pictures[1], { heatmap: true })
      await animator.close()
      return { device: animator.device, notices, points: driving.value.flat() }
      `,
    )
    expect(after.device).toBe('cpu')
    expect(after.notices).toMatchObject([{ kind: 'device-lost', message: expect.stringContaining('CPU') }])
    after.points.forEach((value, i) => {
      expect(value).toBeCloseTo(before.points[i]!, 2)
    })
  }, 240_000)

  test('a lost GPU costs a training nothing but time', async () => {
    await inPage(
      page,
      `
      globalThis.events = []
      const settings = { net: 'hourglass', model: input, batch: 2, steps: 7, seed: 7, checkpointSeconds: 0.01 }
      globalThis.trainer = await pantin.Trainer.start(['puppet:3,frames=24,size=48'], settings, { ...place, device: 'webgpu', name: 'gpu', onEvent: ({ kind, device, step, message }) => events.push({ kind, device, step, message }) })
      while (!events.some(({ kind, step }) => kind === 'saved' && step >= 1)) await new Promise((resolve) => setTimeout(resolve, 20))
      `,
      tinyModel(),
    )
    await loseGpu()
    const { events, step } = await inPage<{
      events: { kind: string; device?: string; step?: number }[]
      step: number
    }>(page, 'const run = await trainer.done; return { events, step: run.step }')
    expect(step).toBe(7)
    const steps = events.filter(({ kind }) => kind === 'step')
    expect(steps[0]!.device).toBe('webgpu')
    expect(steps.at(-1)).toMatchObject({ device: 'cpu', step: 7 })
    expect(events.map(({ kind }) => kind)).toContain('notice')
  }, 300_000)
})
