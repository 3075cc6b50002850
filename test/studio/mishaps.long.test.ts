import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { framesPerSecond, moves, openWorld, pixels, said, type World } from './world.ts'

/** Pictures, videos and cameras that are not as they should be, and what is done at the wrong moment: the view goes on. */

const title = chromium === undefined ? `mishaps: skipped, ${withoutChromium}` : 'mishaps in the view Animate'
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  let page: Page
  beforeAll(async () => {
    world = await openWorld()
    page = await world.open('animate?model=face-small')
    await framesPerSecond(page)
  }, 240_000)
  afterAll(() => world?.remove())

  test('a video whose picture the browser does not decode is refused, and the session goes on', async () => {
    await page
      .locator('input[data-for="Choose a video"]')
      .setInputFiles({ name: 'song.mp4', mimeType: 'video/mp4', buffer: silence() })
    await said(page, /this browser does not play the video. song.mp4/)
    expect(await page.locator('.trouble').count()).toBe(0)
    await dismissAll(page)
    await page.getByRole('button', { name: 'Driven by head 1' }).click()
    await moves(() => pixels(page))
  }, 240_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

async function dismissAll(page: Page): Promise<void> {
  for (const button of await page.getByRole('button', { name: 'Dismiss' }).all()) await button.click()
  await page.locator('.message').waitFor({ state: 'detached' })
}

/** Half a second of sound without a picture, as a WAV file. */
function silence(): Buffer {
  const rate = 8000
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + rate, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  for (const [i, value] of [1, 1].entries()) head.writeUInt16LE(value, 20 + 2 * i)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(2 * rate, 28)
  for (const [i, value] of [2, 16].entries()) head.writeUInt16LE(value, 32 + 2 * i)
  head.write('data', 36)
  head.writeUInt32LE(rate, 40)
  return Buffer.concat([head, Buffer.alloc(rate)])
}
