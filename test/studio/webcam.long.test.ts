import { chromium as driver } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { framesPerSecond, moves, openWorld, pixels, type World } from './world.ts'

/** A webcam that drives, as a visitor uses it. */

const title = chromium === undefined ? `webcam: skipped, ${withoutChromium}` : 'a webcam in the view Animate'
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
  }, 240_000)
  afterAll(() => world?.remove())

  test('a webcam drives it, with keypoints, axes and heatmaps over it', async () => {
    const page = await world.open('animate')
    await framesPerSecond(page)
    const drives = () => pixels(page, 'What drives')
    const puppet = await drives()
    await page.getByRole('button', { name: 'Webcam' }).click()
    await expect.poll(drives).not.toBe(puppet)
    for (const name of ['Axes', 'Heatmaps']) await page.getByLabel(name).check()
    await page.getByRole('radio', { name: 'Absolute' }).check()
    await page.getByRole('radio', { name: 'Relative' }).check()
    await page.getByRole('button', { name: 'Use this pose' }).click()
    await moves(drives)
    expect(await page.locator('.trouble').count()).toBe(0)
    await page.close()
  }, 240_000)

  test('one of several cameras is chosen, and remembered', async () => {
    const browser = await driver.launch({
      executablePath: chromium!,
      args: [
        ...['--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream'],
        '--use-fake-device-for-media-stream=device-count=2',
      ],
    })
    try {
      const context = await browser.newContext({ permissions: ['camera'] })
      await context.addInitScript(() => {
        const { mediaDevices } = navigator
        const open = mediaDevices.getUserMedia.bind(mediaDevices)
        const opened: string[] = []
        mediaDevices.getUserMedia = async (asked) => {
          const stream = await open(asked)
          opened.push(stream.getVideoTracks()[0]!.label)
          return stream
        }
        Object.assign(globalThis, { opened })
      })
      const alone = await world.open('animate', context)
      const opened = () => alone.evaluate(() => (globalThis as unknown as { opened: string[] }).opened)
      await alone.getByRole('button', { name: 'Webcam' }).click()
      const choice = alone.getByRole('combobox', { name: 'Camera' })
      await expect.poll(() => choice.locator('option').count(), { timeout: 60_000 }).toBe(2)
      const names = await choice.locator('option').allTextContents()
      const [first] = await opened()
      const second = names.find((name) => name !== first)!
      await choice.selectOption({ label: second })
      await expect.poll(opened, { timeout: 60_000 }).toEqual([first, second])
      expect(await framesPerSecond(alone)).toBeGreaterThan(0)
      await alone.reload()
      await alone.getByRole('button', { name: 'Webcam' }).click()
      await expect.poll(opened, { timeout: 60_000 }).toEqual([second])
      expect(await choice.locator('option:checked').textContent()).toBe(second)
    } finally {
      await browser.close()
    }
  }, 240_000)

  test('the webcam is a mirror, or none', async () => {
    const context = await world.context()
    await context.addInitScript(() => {
      // Red on its left, blue on its right.
      navigator.mediaDevices.getUserMedia = async () => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 })
        const pen = canvas.getContext('2d')!
        const draw = () => {
          for (const [colour, left] of [
            ['#f00', 0],
            ['#00f', 160],
          ] as const) {
            pen.fillStyle = colour
            pen.fillRect(left, 0, 160, 240)
          }
        }
        setInterval(draw, 100)
        return canvas.captureStream()
      }
    })
    const alone = await world.open('animate', context)
    await alone.getByRole('checkbox', { name: 'Keypoints' }).uncheck()
    await alone.getByRole('button', { name: 'Webcam' }).click()
    await alone.getByRole('checkbox', { name: 'Outline of the picture’s pose' }).uncheck()
    const left = () =>
      alone.getByRole('img', { name: 'What drives' }).evaluate((canvas) => {
        const [red, , blue] = (canvas as HTMLCanvasElement).getContext('2d')!.getImageData(80, 250, 1, 1).data
        return red! > 200 ? 'red' : blue! > 200 ? 'blue' : 'neither'
      })
    await expect.poll(left, { timeout: 60_000 }).toBe('blue')
    await alone.getByRole('checkbox', { name: 'Mirror the webcam' }).uncheck()
    await expect.poll(left, { timeout: 60_000 }).toBe('red')
    await context.close()
  }, 240_000)

  test('says what to do where there is no webcam, or it is not allowed', async () => {
    for (const [name, text] of [
      ['NotFoundError', 'There is no webcam'],
      ['NotAllowedError', 'The webcam is not allowed'],
    ] as const) {
      const context = await world.context()
      await context.addInitScript((error) => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', error))
      }, name)
      const alone = await world.open('animate', context)
      await alone.getByRole('button', { name: 'Webcam' }).click()
      await alone
        .locator('.trouble, .message', { hasText: new RegExp(text, 'i') })
        .first()
        .waitFor({ timeout: 240_000 })
      await alone.getByRole('button', { name: 'Driven by head 2' }).click()
      expect(await framesPerSecond(alone)).toBeGreaterThan(0)
      await context.close()
    }
  }, 240_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})
