import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_FORMATS, BlobSource, Input } from 'mediabunny'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import type { Frame } from '../../src/media/clip.ts'
import { openVideo } from '../../src/media/codecs.ts'
import { collect, writeFrames } from '../media/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { framesPerSecond, openWorld, pixels, said, type World } from './world.ts'

/** The pose that motion starts from, and the moved square in its whole picture. */

const title =
  chromium === undefined ? `poses: skipped, ${withoutChromium}` : 'the pose that motion starts from'
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  let page: Page
  let frames: Frame[]
  beforeAll(async () => {
    world = await openWorld()
    page = await world.open('animate')
    const head = await openClip('head:100010,frames=75,size=256')
    // Poses that differ.
    frames = (await collect(head.frames())).filter((_, i) => i % 6 === 0)
    await head.close()
  }, 240_000)
  afterAll(() => world?.remove())

  const choosePicture = (name: string, buffer: Buffer) =>
    page
      .locator('input[data-for="Choose a picture"]')
      .setInputFiles({ name, mimeType: 'image/png', buffer })
      .then(() => page.getByText(name, { exact: true }).waitFor())
  const toggle = (name: string) => page.getByRole('checkbox', { name })

  test('of a clip it is the frame most like the picture, or the first', async () => {
    await framesPerSecond(page)
    // The picture is a frame of the clip.
    await choosePicture('third.png', await pngOf(frames[2]!))
    const film = await writeFrames(join(world.folder, 'head.webm'), frames, { codec: 'vp8' })
    await page.locator('input[data-for="Choose a video"]').setInputFiles(film)
    await page.getByText('Frame 3 of 13 is most like the picture.').waitFor()
    const command = page.getByRole('region', { name: 'The command' })
    expect(await command.textContent()).not.toContain('--reference')

    await toggle('The frame most like the picture').uncheck()
    await page.getByText('The frame that came after your last change.').waitFor()
    expect(await command.textContent()).toContain('--reference first')
    await toggle('The frame most like the picture').check()
    await page.getByText('Frame 3 of 13 is most like the picture.').waitFor()
    // Another picture has another frame.
    await choosePicture('first.png', await pngOf(frames[0]!))
    await page.getByText('Frame 1 of 13 is most like the picture.').waitFor()
    await page.getByRole('button', { name: 'Start from this frame' }).click()
    await page.getByText('You chose the frame.').waitFor()
    expect(await page.locator('.trouble, .message.error').allTextContents()).toEqual([])
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
  }, 400_000)

  test('a webcam shows the pose of the picture, which a person takes, by keys too', async () => {
    const context = await world.context()
    await context.addInitScript(filmPictures)
    const alone = await world.open('animate', context)
    /** The person before the webcam. */
    const turn = async (frame: Frame) => {
      const url = `data:image/png;base64,${(await pngOf(frame)).toString('base64')}`
      await alone.evaluate(async (src) => {
        const person = Object.assign(new Image(), { src })
        await person.decode()
        Object.assign(globalThis, { person })
      }, url)
    }
    await framesPerSecond(alone)
    await turn(frames[0]!)
    const buffer = await pngOf(frames[2]!)
    await alone
      .locator('input[data-for="Choose a picture"]')
      .setInputFiles({ name: 'third.png', mimeType: 'image/png', buffer })
    await alone.getByText('third.png', { exact: true }).waitFor()
    await alone.getByRole('button', { name: 'Webcam' }).click()
    await alone.getByRole('checkbox', { name: 'Mirror the webcam' }).uncheck()
    const meter = alone.getByRole('meter', { name: 'Nearness' })
    const nearness = () => meter.evaluate((shown) => (shown as HTMLMeterElement).value)
    await turn(frames[2]!)
    await expect.poll(nearness).toBeGreaterThan(0.97)
    await turn(frames[0]!)
    await expect.poll(nearness).toBeLessThan(0.9)
    expect(await nearness()).toBeGreaterThan(0)

    // The picture in its own pose is the picture, whatever pose the person has taken for it.
    const difference = () => differenceOf(alone)
    const use = alone.getByRole('button', { name: 'Use this pose' })
    await use.click()
    await alone.getByText('The picture moves from the pose that you took.').waitFor()
    expect(await meter.count()).toBe(0)
    await expect.poll(difference).toBeLessThan(3)
    await turn(frames[2]!)
    await expect.poll(difference).toBeGreaterThan(6)
    await alone.getByRole('button', { name: 'Pause', exact: true }).click()
    await alone.waitForTimeout(1500)
    await use.focus()
    await alone.keyboard.press('Enter')
    await expect.poll(difference).toBeLessThan(3)

    // Paused, what is drawn over the frame is all that changes.
    const drives = () => pixels(alone, 'What drives')
    const without = await drives()
    await alone.getByRole('button', { name: 'Match again' }).click()
    await meter.waitFor()
    await expect.poll(drives).not.toBe(without)
    await alone.getByRole('checkbox', { name: 'Outline of the picture’s pose' }).uncheck()
    await expect.poll(drives).toBe(without)
    await context.close()
  }, 600_000)

  test('the moved square is shown, saved, recorded and rendered in its whole picture', async () => {
    await page.getByRole('button', { name: 'Play', exact: true }).click()
    const inWhole = toggle('In the whole picture')
    await page.getByRole('button', { name: 'Head 1', exact: true }).click()
    await page.getByRole('button', { name: 'Driven by head 2' }).click()
    // There is nothing around the square of a square picture.
    await expect.poll(() => inWhole.isDisabled()).toBe(true)
    const wide = await sharp(await pngOf(frames[0]!))
      .extend({ left: 200, right: 104, top: 40, background: '#2050a0' })
      .png()
      .toBuffer()
    await choosePicture('wide.png', wide)
    await inWhole.check()
    const result = page.getByRole('img', { name: 'The picture, moved' })
    const sizeOf = () =>
      result.evaluate((canvas) => {
        const { width, height } = canvas as HTMLCanvasElement
        return [width, height]
      })
    await expect.poll(sizeOf).toEqual([560, 296])
    const corner = await result.evaluate((canvas) => [
      ...(canvas as HTMLCanvasElement).getContext('2d')!.getImageData(2, 290, 1, 1).data,
    ])
    expect(corner).toEqual([0x20, 0x50, 0xa0, 255])
    expect(await page.getByRole('region', { name: 'The command' }).textContent()).toContain('--paste')

    const [still] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save a still' }).click(),
    ])
    const { width, height, xmpAsString } = await sharp(await still.path()).metadata()
    expect([width, height]).toEqual([560, 296])
    expect(xmpAsString).toContain('compositeWithTrainedAlgorithmicMedia')

    await page.getByLabel('Format of the recording').selectOption('webm')
    await page.getByRole('button', { name: 'Record', exact: true }).click()
    await page.getByRole('button', { name: /^Stop \([1-9]/ }).waitFor()
    expect(await inWhole.isDisabled()).toBe(true)
    const [film] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: /^Stop/ }).click(),
    ])
    expect(await shapeOf(await film.path())).toEqual([560, 296, true])

    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.locator('input[data-for="Choose a video"]').setInputFiles(join(world.folder, 'head.webm'))
    await page.getByText('head.webm', { exact: true }).waitFor()
    for (const [layout, size] of [
      ['result', [560, 296]],
      // The picture, the square that drives, the result.
      ['beside', [968 + 512 + 968, 512]],
    ] as const) {
      await page.getByLabel('What the rendered video shows').selectOption(layout)
      const [rendered] = await Promise.all([
        page.waitForEvent('download', { timeout: 240_000 }),
        page.getByRole('button', { name: 'Render the whole video' }).click(),
      ])
      await said(page, /Rendered 13 frames/)
      expect(await shapeOf(await rendered.path())).toEqual([...size, true])
      await using clip = await openVideo(await rendered.path())
      expect(clip.frameCount).toBe(13)
    }
  }, 400_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

/** Runs in pages: the webcam shows the picture `person`. */
function filmPictures(): void {
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 256 })
    const pen = canvas.getContext('2d')!
    setInterval(() => {
      const { person } = globalThis as { person?: HTMLImageElement }
      if (person !== undefined) pen.drawImage(person, 32, 0, 256, 256)
    }, 100)
    return canvas.captureStream()
  }
}

const pngOf = ({ data, width, height }: Frame): Promise<Buffer> =>
  sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()

/** Width and height of a film, and whether it says that parts of it are generated. */
async function shapeOf(path: string): Promise<[number, number, boolean]> {
  const source = new BlobSource(new Blob([readFileSync(path)]))
  const input = new Input({ formats: ALL_FORMATS, source })
  const track = (await input.getPrimaryVideoTrack())!
  const tags = JSON.stringify((await input.getMetadataTags()).raw)
  return [track.displayWidth, track.displayHeight, tags.includes('compositeWithTrainedAlgorithmicMedia')]
}

/** The mean difference between the picture and the moved one, 0 to 255. */
async function differenceOf(page: Page): Promise<number> {
  const shown = await Promise.all(['The picture', 'The picture, moved'].map((name) => pixels(page, name)))
  const [a, b] = await Promise.all(
    shown.map((url) =>
      sharp(Buffer.from(url.split(',')[1]!, 'base64'))
        .resize(64, 64)
        .raw()
        .toBuffer(),
    ),
  )
  return a!.reduce((sum, value, i) => sum + Math.abs(value - b![i]!), 0) / a!.length
}
