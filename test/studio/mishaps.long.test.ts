import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { openVideo } from '../../src/media/codecs.ts'
import { collect, gradientFrame, joinWebm, writeFrames } from '../media/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { asksBeforeLeaving, framesPerSecond, moves, openWorld, pixels, said, type World } from './world.ts'

/** Pictures, videos and cameras that are not as they should be, and what is done at the wrong moment: the view goes on. */

const title = chromium === undefined ? `mishaps: skipped, ${withoutChromium}` : 'mishaps in the view Animate'
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  let page: Page
  beforeAll(async () => {
    world = await openWorld()
    page = await world.open('animate?model=face-small&reference=first')
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

  test('a damaged picture is refused in words, and the one before stays chosen', async () => {
    const whole = await picture(640, 480)
    const choose = page.locator('input[data-for="Choose a picture"]')
    await choose.setInputFiles({ name: 'whole.png', mimeType: 'image/png', buffer: whole })
    const name = page.getByRole('region', { name: 'Picture' }).locator('.row .note')
    await page.getByText('No face was found in this picture.').waitFor()
    const shown = await pixels(page, 'The picture')
    const head = page.getByRole('button', { name: 'Head 1', exact: true })
    for (const [file, buffer] of [
      ['no.png', Buffer.from('no picture')],
      ['cut.png', whole.subarray(0, whole.length / 2)],
    ] as const) {
      await choose.setInputFiles({ name: file, mimeType: 'image/png', buffer })
      await said(
        page,
        new RegExp(`this is not a picture that can be read here.*${file}.*To do: give a picture file`),
      )
      expect(await name.textContent()).toBe('whole.png')
      expect(await page.locator('.trouble').count()).toBe(0)
      await dismissAll(page)
    }
    await expect.poll(() => pixels(page, 'The picture')).toBe(shown)
    await head.click()
    await expect.poll(() => pixels(page, 'The picture')).not.toBe(shown)

    // While the model is opened, too.
    await page.getByRole('combobox', { name: 'Run', exact: true }).selectOption('starter:face')
    await choose.setInputFiles({ name: 'no.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
    await said(page, /this is not a picture that can be read here/)
    await expect.poll(() => head.getAttribute('aria-pressed')).toBe('true')
    await moves(() => pixels(page))
    expect(await page.locator('.trouble').count()).toBe(0)
    await dismissAll(page)
    await page.getByRole('combobox', { name: 'Run', exact: true }).selectOption('starter:face-small')
    await framesPerSecond(page)
  }, 240_000)

  test('the square of a picture is not put on the one that is chosen meanwhile', async () => {
    const input = page.locator('input[data-for="Choose a picture"]')
    const shown = () => pixels(page, 'The picture')
    const choose = async (name: string, width: number, height: number) => {
      const before = await shown()
      const buffer = await picture(width, height)
      await input.setInputFiles({ name, mimeType: 'image/png', buffer })
      return before
    }
    const small = ['small.png', 200, 100] as const
    const head = await choose(...small)
    await expect.poll(shown).not.toBe(head)
    const whole = await shown()
    await choose('large.png', 640, 480)
    await expect.poll(shown).not.toBe(whole)
    const canvas = page.getByRole('img', { name: 'The picture', exact: true })
    await canvas.scrollIntoViewIfNeeded()
    const { x, y, width } = (await canvas.boundingBox())!
    await page.mouse.move(x + 0.3 * width, y + 0.5 * width)
    await page.mouse.down()
    const before = await shown()
    await page.mouse.move(x + 0.2 * width, y + 0.5 * width, { steps: 5 })
    await expect.poll(shown).not.toBe(before)
    // Smaller than the square.
    await choose(...small)
    await page.mouse.up()
    await expect.poll(shown).toBe(whole)
    for (let i = 0; i < 3; i++) await moves(() => pixels(page))
    expect(await page.getByText('The square that you chose is moved.').count()).toBe(0)
    expect(await page.locator('.trouble, .message').count()).toBe(0)
    await page.getByRole('button', { name: 'Head 1', exact: true }).click()
  }, 240_000)

  test('a video whose frames change their size drives on', async () => {
    const part = (name: string, width: number, height: number) =>
      writeFrames(
        join(world.folder, name),
        Array.from({ length: 10 }, (_, i) => gradientFrame(width, height, 4 * i)),
        { codec: 'vp8' },
      )
    const film = join(world.folder, 'turned.webm')
    await joinWebm(await part('wide.webm', 320, 160), await part('high.webm', 96, 320), film)
    await page.evaluate(() => {
      const sizes = new Set<string>()
      const { drawImage } = CanvasRenderingContext2D.prototype
      CanvasRenderingContext2D.prototype.drawImage = function (
        this: unknown,
        picture: CanvasImageSource,
        ...places: number[]
      ) {
        if (picture instanceof VideoFrame) sizes.add(`${picture.displayWidth}x${picture.displayHeight}`)
        Reflect.apply(drawImage, this, [picture, ...places])
      } as typeof drawImage
      Object.assign(globalThis, { sizes })
    })
    await page.locator('input[data-for="Choose a video"]').setInputFiles(film)
    await page.getByText('turned.webm', { exact: true }).waitFor()
    const seen = () =>
      page.evaluate(() => [...(globalThis as unknown as { sizes: Set<string> }).sizes].sort())
    await expect.poll(seen).toEqual(['320x160', '96x320'])
    // A square that somebody chose is of one size. Neither size has room for the middle square of the other.
    const driving = page.getByRole('img', { name: 'What drives, with its keypoints' })
    for (let i = 0; i < 12; i++) {
      await driving.press('ArrowRight')
      await moves(() => pixels(page, 'What drives'))
    }
    expect(await page.locator('.trouble, .message.error').count()).toBe(0)
  }, 240_000)

  test('a rendering and a recording are not lost without a question, and a rendering is what was shown at the click', async () => {
    const head = await openClip('head:100002,frames=4,size=128')
    const film = await writeFrames(join(world.folder, 'four.webm'), await collect(head.frames()), {
      codec: 'vp8',
    })
    await head.close()
    await page.locator('input[data-for="Choose a video"]').setInputFiles(film)
    await page.getByText('four.webm', { exact: true }).waitFor()
    await moves(() => pixels(page, 'What drives'))
    await page.getByLabel('Format of the recording').selectOption('webm')
    const render = async (then?: 'Absolute') => {
      const button = page.getByRole('button', { name: 'Render the whole video' })
      const made = page.waitForEvent('download')
      const other = await page.getByRole('radio', { name: 'Absolute' }).elementHandle()
      await button.evaluate((element, next) => {
        ;(element as HTMLElement).click()
        ;(next as HTMLElement | null)?.click()
      }, then && other)
      await page.getByRole('button', { name: /^End the rendering/ }).waitFor()
      expect(await asksBeforeLeaving(page)).toBe(true)
      const path = await (await made).path()
      await button.waitFor()
      expect(await asksBeforeLeaving(page)).toBe(false)
      await using video = await openVideo(path)
      return (await collect(video.frames())).at(-1)!.data
    }
    const relative = await render()
    const changed = await render('Absolute')
    await expect.poll(() => page.getByRole('radio', { name: 'Absolute' }).isChecked()).toBe(true)
    const absolute = await render()
    await page.getByRole('radio', { name: 'Relative' }).check()
    const far = distance(relative, absolute)
    expect(far).toBeGreaterThan(1)
    expect(distance(relative, changed)).toBeLessThan(far / 10)

    await page.getByRole('button', { name: 'Record', exact: true }).click()
    await page.getByRole('button', { name: /^Stop \(/ }).waitFor()
    expect(await asksBeforeLeaving(page)).toBe(true)
    await page.getByRole('button', { name: /^Stop \(/ }).click()
    await said(page, /Recorded webm/)
    expect(await asksBeforeLeaving(page)).toBe(false)
  }, 240_000)

  test('a webcam that is unplugged is told, and drives again once it is back', async () => {
    await page.evaluate(() => {
      const { mediaDevices } = navigator
      const open = mediaDevices.getUserMedia.bind(mediaDevices)
      mediaDevices.getUserMedia = async (asked) => {
        const stream = await open(asked)
        const [track] = stream.getVideoTracks()
        Object.assign(globalThis, {
          unplug() {
            track!.stop()
            track!.dispatchEvent(new Event('ended'))
          },
        })
        return stream
      }
    })
    await page.getByRole('button', { name: 'Webcam', exact: true }).click()
    await page.getByRole('checkbox', { name: 'Mirror the webcam' }).waitFor()
    const drives = () => pixels(page, 'What drives')
    await moves(drives)
    await page.evaluate(() => (globalThis as unknown as { unplug(): void }).unplug())
    const trouble = page.locator('.trouble', { hasText: 'The webcam was disconnected.' })
    await trouble.waitFor()
    await trouble.getByRole('button', { name: 'Try again' }).click()
    await trouble.waitFor({ state: 'detached' })
    await moves(drives)
    await page.evaluate(() => (globalThis as unknown as { unplug(): void }).unplug())
    await trouble.getByRole('button', { name: 'Use an example' }).click()
    await trouble.waitFor({ state: 'detached' })
    expect(await framesPerSecond(page)).toBeGreaterThan(0)
  }, 240_000)

  test('a file that is dropped beside all panels leaves the page as it is', async () => {
    const file = join(world.folder, 'beside.txt')
    writeFileSync(file, 'not for here')
    await page.evaluate(() => Object.assign(globalThis, { isStill: true }))
    const session = await page.context().newCDPSession(page)
    const tabs = page.context().pages().length
    const data = { items: [], files: [file], dragOperationsMask: 1 }
    const { x, y } = (await page.locator('.brand').boundingBox())!
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await session.send('Input.dispatchDragEvent', { type, x: x + 2, y: y + 2, data })
    }
    await page.waitForTimeout(1000)
    expect(page.url()).toMatch(/^http:/)
    expect(await page.evaluate(() => 'isStill' in globalThis)).toBe(true)
    expect(page.context().pages().length).toBe(tabs)
  }, 60_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

async function dismissAll(page: Page): Promise<void> {
  for (const button of await page.getByRole('button', { name: 'Dismiss' }).all()) await button.click()
  await page.locator('.message').waitFor({ state: 'detached' })
}

/** A picture without a face, as a PNG file. */
const picture = (width: number, height: number): Promise<Buffer> => {
  const { data } = gradientFrame(width, height)
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
}

/** The mean difference of two frames, in grey levels. */
const distance = (one: Uint8Array, other: Uint8Array): number =>
  one.reduce((sum, value, i) => sum + Math.abs(value - other[i]!), 0) / one.length

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
