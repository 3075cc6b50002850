import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_FORMATS, BlobSource, Input } from 'mediabunny'
import type { Download, Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { openVideo } from '../../src/media/codecs.ts'
import { collect, madeSound, soundOf, writeFrames } from '../media/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { framesPerSecond, hurry, moves, openWorld, pixels, said, type World } from './world.ts'

/** Animation in a page, as a visitor does it. */

const title = chromium === undefined ? `animate: skipped, ${withoutChromium}` : 'the view Animate'
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  let page: Page
  beforeAll(async () => {
    world = await openWorld()
    page = await world.open('animate')
  }, 240_000)
  afterAll(() => world?.remove())

  test('a face moves at once, and the page says on what', async () => {
    await hurry(page)
    const fps = await framesPerSecond(page)
    process.stdout.write(`animation by the starter: ${fps} frames/s as the page measures it\n`)
    expect(fps).toBeGreaterThan(0)
    expect(await page.locator('.device-name').textContent()).toMatch(/^WASM, \d+ threads?$/)
    await moves(() => pixels(page))
    await hurry(page, false)
  }, 240_000)

  test('a picture is chosen, and a file that is none is refused in words', async () => {
    const picture = await sharp({
      create: { width: 300, height: 400, channels: 3, background: '#3366cc' },
    })
      .png()
      .toBuffer()
    const input = page.locator('input[data-for="Choose a picture"]')
    const before = await pixels(page, 'The picture')
    await input.setInputFiles({ name: 'blue.png', mimeType: 'image/png', buffer: picture })
    await page.getByText('blue.png', { exact: true }).waitFor()
    await expect.poll(() => pixels(page, 'The picture')).not.toBe(before)
    await input.setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('no picture') })
    await said(page, /This file is not a picture/)
    await page.getByRole('button', { name: 'Dismiss' }).first().click()
    await input.setInputFiles({ name: 'b.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
    await said(page, /To do:/)
    const blue = await pixels(page, 'The picture')
    await page.getByRole('button', { name: 'Head 3', exact: true }).click()
    await expect.poll(() => pixels(page, 'The picture')).not.toBe(blue)
  }, 240_000)

  test('strings are pulled by a pointer, the keyboard and sliders, and poses are played', async () => {
    // A picture that comes later lets go of all strings.
    const third = await pixels(page, 'The picture')
    await page.getByRole('button', { name: 'Head 1', exact: true }).click()
    await expect.poll(() => pixels(page, 'The picture')).not.toBe(third)
    await page.getByRole('button', { name: 'Pull the strings' }).click()
    const note = page.getByText(/Point \d+ of \d+ is taken/)
    await note.waitFor()
    const result = () => pixels(page, 'The picture, moved')
    const changes = async (act: () => Promise<unknown>) => {
      const before = await result()
      await act()
      await expect.poll(result).not.toBe(before)
    }
    const stage = page.getByLabel('The picture with its strings')
    await stage.scrollIntoViewIfNeeded()
    const { x, y, width, height } = (await stage.boundingBox())!
    await changes(async () => {
      await page.mouse.move(x + width / 2, y + height * 0.55)
      await page.mouse.down()
      await page.mouse.move(x + width * 0.6, y + height * 0.5, { steps: 3 })
      await page.mouse.up()
    })
    // A frame of what drove before may change the result too.
    await expect.poll(() => page.getByLabel('Sideways').inputValue()).not.toBe('0')
    // The goal on two idle cores: 20.
    await hurry(page)
    await page.mouse.move(x + width * 0.6, y + height * 0.5)
    await page.mouse.down()
    for (let i = 1; i < 60; i++) {
      await page.mouse.move(x + width * (0.6 + 0.001 * i), y + height * (0.5 - 0.001 * i))
      await page.waitForTimeout(40)
    }
    process.stdout.write(
      `a point of the starter is pulled: ${await framesPerSecond(page)} frames/s as the page measures it\n`,
    )
    await page.mouse.up()
    await hurry(page, false)
    await page.getByRole('button', { name: 'Keep this pose' }).click()
    await page.getByRole('button', { name: 'Pose 1', exact: true }).waitFor()

    await stage.focus()
    const taken = await note.textContent()
    await page.keyboard.press('n')
    expect(await note.textContent()).not.toBe(taken)
    await changes(() => page.keyboard.press('ArrowUp'))
    // Paused, the picture still follows.
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await stage.focus()
    await changes(() => page.keyboard.press('ArrowUp'))
    await changes(() => page.getByRole('button', { name: 'Let go' }).click())
    await page.getByRole('button', { name: 'Play', exact: true }).click()
    await changes(() => page.getByLabel('Mouth').fill('1'))
    await page.getByRole('button', { name: 'Keep this pose' }).click()
    await changes(() => page.getByRole('button', { name: 'Play the poses' }).click())
    await changes(async () => {})
    await page.getByRole('button', { name: 'Drop pose 2' }).click()
    expect(await page.getByRole('button', { name: 'Play the poses' }).isDisabled()).toBe(true)
    // Nobody pulls, so that no other frame is drawn.
    await page.getByRole('button', { name: 'Record', exact: true }).click()
    const stop = page.getByRole('button', { name: /^Stop/ })
    await stop.waitFor()
    await page.waitForTimeout(600)
    const [film] = await Promise.all([page.waitForEvent('download'), stop.click()])
    expect(await (await opened(film)).computeDuration()).toBeGreaterThan(0.5)
    await page.getByRole('button', { name: 'Driven by head 2' }).click()
    await page.getByLabel('What drives').waitFor()
  }, 240_000)

  test('records a film and saves a still', async () => {
    await page.getByLabel('Format of the recording').selectOption('webm')
    await page.getByRole('button', { name: 'Record', exact: true }).click()
    const stop = page.getByRole('button', { name: /^Stop/ })
    await stop.waitFor()
    // More than one frame.
    await page.getByRole('button', { name: /^Stop \([1-9]/ }).waitFor()
    const [film] = await Promise.all([page.waitForEvent('download'), stop.click()])
    expect(film.suggestedFilename()).toBe('pantin.webm')
    const input = await opened(film)
    const track = await input.getPrimaryVideoTrack()
    expect(track!.displayWidth).toBe(512)
    expect(JSON.stringify((await input.getMetadataTags()).raw)).toContain('trainedAlgorithmicMedia')
    expect(await input.computeDuration()).toBeGreaterThan(0.3)

    const [still] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save a still' }).click(),
    ])
    const { format, width, xmpAsString } = await sharp(await still.path()).metadata()
    expect(xmpAsString).toContain('digitalsourcetype/trainedAlgorithmicMedia')
    expect({ format, width }).toEqual({ format: 'png', width: 512 })
  }, 240_000)

  test('a whole video is rendered, every frame and its sound, beside the picture', async () => {
    const head = await openClip('head:100002,frames=6,size=128')
    const film = await writeFrames(join(world.folder, 'rendered.webm'), await collect(head.frames()), {
      ...{ codec: 'vp8', sound: await madeSound('opus') },
    })
    await head.close()
    await page.locator('input[data-for="Choose a video"]').setInputFiles(film)
    await page.getByText('rendered.webm', { exact: true }).waitFor()
    await page.getByLabel('Format of the recording').selectOption('webm')
    await page.getByLabel('What the rendered video shows').selectOption('beside')
    const button = page.getByRole('button', { name: 'Render the whole video' })
    // The live picture would take half of a small machine.
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    const made = await Promise.all([
      page.waitForEvent('download', { timeout: 120_000 }),
      button.click(),
    ]).then(([download]) => download)
    await page.getByRole('button', { name: 'Play', exact: true }).click()
    await said(page, /Rendered 6 frames.*Sound: copied \(opus\)/)
    const path = await made.path()
    await using clip = await openClip(film)
    await using result = await openVideo(path)
    expect(result).toMatchObject({ width: 1536, height: 512, frameCount: clip.frameCount })
    expect((await soundOf(path)).length).toBeGreaterThan(5)
    // Ended in the middle, it writes nothing.
    await button.click()
    await page.getByRole('button', { name: /^End the rendering/ }).click()
    await said(page, /No video was written/)
  }, 240_000)

  test('a recorder that opens slowly is opened once, and ends with its model', async () => {
    const context = await world.context()
    await context.addInitScript(() => {
      const recorders = { opened: 0, ended: 0 }
      const own = new WeakSet<Worker>()
      const { postMessage, terminate } = Worker.prototype
      Worker.prototype.postMessage = function (message: { method?: string }, more: object = []) {
        const post = () => postMessage.call(this, message, more)
        if (message.method !== 'openRecording') return post()
        recorders.opened++
        own.add(this)
        setTimeout(post, 500)
      }
      Worker.prototype.terminate = function () {
        if (own.has(this)) recorders.ended++
        terminate.call(this)
      }
      Object.assign(globalThis, { recorders })
    })
    const alone = await world.open('animate', context)
    const recorders = () => alone.evaluate(() => (globalThis as unknown as { recorders: object }).recorders)
    await framesPerSecond(alone)
    const record = alone.getByRole('button', { name: 'Record', exact: true })
    await record.dblclick()
    const stop = alone.getByRole('button', { name: /^Stop/ })
    await stop.waitFor()
    // A second one would be opened by now, and have ended the first.
    await alone.waitForTimeout(600)
    expect(await recorders()).toEqual({ opened: 1, ended: 0 })
    await Promise.all([alone.waitForEvent('download'), stop.click()])

    await record.click()
    await alone.getByRole('link', { name: 'Runs' }).click()
    await expect.poll(recorders, { timeout: 20_000 }).toEqual({ opened: 2, ended: 2 })
    await alone.getByRole('link', { name: 'Animate' }).click()
    await record.waitFor()
    await context.close()
  }, 240_000)

  test('a choice takes the place of one that is still waited for', async () => {
    const context = await world.context()
    await context.addInitScript(() => {
      // Nobody says whether the webcam is allowed.
      navigator.mediaDevices.getUserMedia = () => new Promise(() => {})
      const read = globalThis.createImageBitmap as (...given: unknown[]) => Promise<ImageBitmap>
      globalThis.createImageBitmap = async (...given: unknown[]) => {
        const [picture] = given
        const isSlow = picture instanceof File && picture.name === 'slow.png'
        if (isSlow) await new Promise((resolve) => setTimeout(resolve, 1500))
        const bitmap = await read(...given)
        if (isSlow) Object.assign(globalThis, { isSlowRead: true })
        return bitmap
      }
    })
    const alone = await world.open('animate', context)
    await framesPerSecond(alone)
    const picture = () => pixels(alone, 'The picture')
    const choose = async (name: string) => {
      const before = await picture()
      await alone.getByRole('button', { name, exact: true }).click()
      await expect.poll(picture).not.toBe(before)
      return picture()
    }
    // The places of keypoints are never quite the same.
    await alone.getByRole('checkbox', { name: 'Keypoints' }).uncheck()
    const third = await choose('Head 2')
    const twelfth = await choose('Head 3')
    const buffer = await sharp({ create: { width: 300, height: 300, channels: 3, background: '#3366cc' } })
      .png()
      .toBuffer()
    const input = alone.locator('input[data-for="Choose a picture"]')
    await input.setInputFiles({ name: 'slow.png', mimeType: 'image/png', buffer })
    await alone.getByRole('button', { name: 'Head 3', exact: true }).click()
    await alone.waitForFunction(() => (globalThis as { isSlowRead?: boolean }).isSlowRead === true)
    // Time to show it, if it were shown.
    await alone.waitForTimeout(1000)
    expect(await isLike(await picture(), twelfth)).toBe(true)

    await alone.getByRole('button', { name: 'Webcam' }).click()
    await alone.getByRole('link', { name: 'Runs' }).click()
    await alone.getByRole('link', { name: 'Animate' }).click()
    await alone.getByText('Loading what drives it').waitFor({ timeout: 240_000 })
    await expect.poll(async () => isLike(await picture(), twelfth)).toBe(true)
    await alone.getByRole('button', { name: 'Head 2', exact: true }).click()
    await alone.getByRole('button', { name: 'Driven by head 1' }).click()
    expect(await framesPerSecond(alone)).toBeGreaterThan(0)
    await expect.poll(async () => isLike(await picture(), third), { timeout: 60_000 }).toBe(true)
    await context.close()
  }, 240_000)

  test('pauses, goes on, and goes on after its tab was out of sight', async () => {
    await page.getByRole('button', { name: 'Driven by head 1' }).click()
    // Another reference would change the picture while it is paused.
    await page.getByText(/^Frame \d+ of 75 is most like the picture/).waitFor()
    await moves(() => pixels(page))
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.waitForTimeout(800)
    const still = await pixels(page)
    await page.waitForTimeout(800)
    expect(await pixels(page)).toBe(still)
    await page.getByRole('button', { name: 'Play' }).click()
    await expect.poll(() => pixels(page)).not.toBe(still)

    const other = await world.open('runs', page.context())
    await other.bringToFront()
    await other.waitForTimeout(1000)
    await other.close()
    await page.bringToFront()
    await moves(() => pixels(page))
  }, 240_000)

  test('two tabs animate at once', async () => {
    const other = await world.open('animate', page.context())
    expect(await framesPerSecond(other)).toBeGreaterThan(0)
    await other.close()
    await moves(() => pixels(page))
  }, 240_000)

  test('says what to do where a device is not there, and goes on with another', async () => {
    await page.locator('.device summary').click()
    await page.getByRole('radio', { name: 'WebGPU' }).check({ force: true })
    await page.locator('.trouble', { hasText: 'choose the device "cpu"' }).waitFor({ timeout: 240_000 })
    await page.getByRole('radio', { name: 'Automatic' }).check({ force: true })
    await page.locator('.trouble').waitFor({ state: 'detached' })
    await page.keyboard.press('Escape')
    expect(await framesPerSecond(page)).toBeGreaterThan(0)
  }, 240_000)

  test('tells of a GPU that the library lost, and goes on', async () => {
    const context = await world.context()
    // The worker's own word for it; test/web/gpu.long.test.ts loses a real one.
    await context.addInitScript(() => {
      const all: Worker[] = []
      const Own = globalThis.Worker
      globalThis.Worker = class extends Own {
        constructor(...given: ConstructorParameters<typeof Own>) {
          super(...given)
          all.push(this)
        }
      }
      Object.assign(globalThis, { workersOfPage: all })
    })
    const alone = await world.open('animate', context)
    await framesPerSecond(alone)
    await alone.evaluate(() => {
      const notice = { kind: 'device-lost', message: 'The GPU was lost; the work goes on on the CPU.' }
      const { workersOfPage } = globalThis as unknown as { workersOfPage: Worker[] }
      for (const worker of workersOfPage) {
        worker.dispatchEvent(new MessageEvent('message', { data: { event: { kind: 'notice', notice } } }))
      }
    })
    await said(alone, /The GPU was lost/)
    await moves(() => pixels(alone))
    await context.close()
  }, 240_000)

  test('a run that cannot be read is refused in words, and the page goes on', async () => {
    await page
      .locator('input[data-for="Open a run’s zip"]')
      .setInputFiles({ name: 'a.zip', mimeType: 'application/zip', buffer: Buffer.from('no zip') })
    await said(page, /not a zip that can be read/)
    expect(await framesPerSecond(page)).toBeGreaterThan(0)
  })

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

/** A recording that was downloaded. */
async function opened(film: Download): Promise<Input> {
  const source = new BlobSource(new Blob([readFileSync(await film.path())]))
  return new Input({ formats: ALL_FORMATS, source })
}

/** Whether two pictures are the same, but for what was drawn under them, which their borders show a trace of. */
async function isLike(one: string, other: string): Promise<boolean> {
  const read = (picture: string) =>
    sharp(Buffer.from(picture.split(',')[1]!, 'base64'))
      .raw()
      .toBuffer()
  const [a, b] = await Promise.all([read(one), read(other)])
  return a.every((value, i) => Math.abs(value - b[i]!) < 8)
}
