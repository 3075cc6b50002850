import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { frameAt } from '../../src/media/clip.ts'
import { starters } from '../../src/run/starters.ts'
import { writeFrames } from '../media/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { chosenSubjects, framesPerSecond, openWorld, type World } from './world.ts'

/** The page begins with a starter, says what it is for, and offers subjects that it knows. */

const title = chromium === undefined ? `starters: skipped, ${withoutChromium}` : 'the starters in the studio'
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  let page: Page
  beforeAll(async () => {
    world = await openWorld()
    page = await world.open('animate')
  }, 240_000)
  afterAll(() => world?.remove())

  test('the page opens on a face that moves, and says what the model is for', async () => {
    expect(await framesPerSecond(page)).toBeGreaterThan(0)
    const run = page.getByLabel('Run')
    expect(await run.inputValue()).toBe('starter:face')
    expect(await run.locator('optgroup[label=Starters] option').count()).toBe(starters.length)
    await page.getByText('Moves a portrait with the head and the face of a video').waitFor()
    expect(await chosenSubjects(page)).toEqual(['Head 1', 'Driven by head 2'])
    const before = await shown(page)
    await expect.poll(() => shown(page), { timeout: 60_000 }).not.toBe(before)
  }, 240_000)

  test('a starter for puppets gets puppets, and one for faces heads again', async () => {
    await page.getByLabel('Run').selectOption('starter:puppet')
    await page.getByText('Moves a paper puppet').waitFor()
    await expect.poll(() => chosenSubjects(page)).toEqual(['Puppet 1', 'Driven by puppet 2'])
    expect(await page.locator('.panels').getByRole('button', { name: /head/i }).count()).toBe(0)
    await page.getByRole('button', { name: 'Driven by puppet 3' }).click()
    expect(await framesPerSecond(page)).toBeGreaterThan(0)
    await page.getByLabel('Run').selectOption('starter:face-small')
    await page.getByText('for phones and slow machines').waitFor()
    await expect.poll(() => chosenSubjects(page)).toEqual(['Head 1', 'Driven by head 2'])
    expect(await framesPerSecond(page)).toBeGreaterThan(0)
    expect(await page.locator('.trouble').count()).toBe(0)
  }, 240_000)

  test('an example brings its picture, what moves it and its model, by the keyboard too', async () => {
    const examples = page.locator('.example')
    expect(await examples.count()).toBe(5)
    const dance = page.getByRole('button', { name: 'Puppet 3, moved by puppet 4, with the model puppet' })
    await dance.focus()
    await page.keyboard.press('Enter')
    expect(await page.getByLabel('Run').inputValue()).toBe('starter:puppet')
    await expect.poll(() => chosenSubjects(page)).toEqual(['Puppet 3', 'Driven by puppet 4'])
    expect(await dance.getAttribute('aria-pressed')).toBe('true')
    expect(await framesPerSecond(page)).toBeGreaterThan(0)
    await page
      .getByRole('button', { name: 'Head 4, moved by head 3, with the model face-small', exact: true })
      .click()
    expect(await page.getByLabel('Run').inputValue()).toBe('starter:face-small')
    await expect.poll(() => chosenSubjects(page)).toEqual(['Head 4', 'Driven by head 3'])
    expect(await page.locator('.example[aria-pressed=true]').count()).toBe(1)
    expect(await page.locator('.trouble').count()).toBe(0)
  }, 240_000)

  test('a picture of one’s own is moved around its face, and the page says if it has none', async () => {
    const input = page.locator('input[data-for="Choose a picture"]')
    const portrait = await stillHead(300)
    const wide = await sharp({ create: { width: 900, height: 400, channels: 3, background: '#3366cc' } })
      .composite([{ input: portrait, left: 560, top: 60 }])
      .png()
      .toBuffer()
    await input.setInputFiles({ name: 'wide.png', mimeType: 'image/png', buffer: wide })
    await page.getByText('The square around the face is moved.').waitFor()
    // The middle of the picture is plain blue: the square in it would show nothing of the portrait's left half.
    expect(await blueness(page)).toBeLessThan(0.6)
    const plain = await sharp({ create: { width: 400, height: 300, channels: 3, background: '#3366cc' } })
      .png()
      .toBuffer()
    await input.setInputFiles({ name: 'plain.png', mimeType: 'image/png', buffer: plain })
    await page.getByText('No face was found in this picture.').waitFor()
    expect(await blueness(page)).toBeGreaterThan(0.8)
    await page.getByText('No head was found in the picture.').waitFor()
    await page.getByRole('button', { name: 'Train one on a clip' }).waitFor()
  }, 240_000)

  test('another square is chosen by dragging the picture or the frame that drives it, and by keys', async () => {
    await page.getByLabel('Run').selectOption('starter:face-small')
    // Left half red, right half blue: the square in the middle has half of each.
    const halves = await sharp({ create: { width: 400, height: 200, channels: 3, background: '#0000ff' } })
      .composite([
        {
          input: { create: { width: 200, height: 200, channels: 3, background: '#ff0000' } },
          left: 0,
          top: 0,
        },
      ])
      .png()
      .toBuffer()
    const input = page.locator('input[data-for="Choose a picture"]')
    await input.setInputFiles({ name: 'halves.png', mimeType: 'image/png', buffer: halves })
    await page.getByText('No face was found in this picture.').waitFor()
    await page.getByLabel('Keypoints', { exact: true }).uncheck()
    const canvas = page.getByRole('img', { name: 'The picture', exact: true })
    const red = () => rednessOf(canvas)
    await expect.poll(red).toBeCloseTo(0.5, 1)
    await canvas.scrollIntoViewIfNeeded()
    const { x, y, width } = (await canvas.boundingBox())!
    await page.mouse.move(x + 0.3 * width, y + 0.5 * width)
    await page.mouse.down()
    await page.mouse.move(x + 0.6 * width, y + 0.5 * width, { steps: 5 })
    await page.mouse.up()
    await page.getByText('The square that you chose is moved.').waitFor()
    await expect.poll(red).toBeCloseTo(0.8, 1)
    // Beyond the picture's edge there is nothing.
    for (let i = 0; i < 12; i++) await canvas.press('ArrowRight')
    await expect.poll(red).toBeCloseTo(1, 2)

    const film = join(world.folder, 'halves.webm')
    const { data } = await sharp(halves).removeAlpha().raw().toBuffer({ resolveWithObject: true })
    const frames = Array.from({ length: 10 }, (_, i) => ({
      ...{ width: 400, height: 200, data },
      time: i / 10,
      duration: 0.1,
    }))
    await writeFrames(film, frames, { codec: 'vp8' })
    await page.locator('input[data-for="Choose a video"]').setInputFiles(film)
    const driving = page.getByRole('img', { name: 'What drives, with its keypoints' })
    const drivingRed = () => rednessOf(driving)
    await expect.poll(drivingRed, { timeout: 60_000 }).toBeCloseTo(0.5, 1)
    await page.getByText('No head was found in what drives it.').waitFor()
    for (let i = 0; i < 6; i++) await driving.press('+')
    for (let i = 0; i < 12; i++) await driving.press('ArrowRight')
    await expect.poll(drivingRed, { timeout: 30_000 }).toBeCloseTo(1, 2)
    await page.getByRole('button', { name: 'Driven by head 2' }).click()
    await page.getByRole('button', { name: 'Head 3', exact: true }).click()
    await page.getByText('Or drop one here, or paste it.').waitFor()
  }, 240_000)

  test('what is shown is copied as a command, and as the code of a page', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    const copied = () => page.evaluate(() => navigator.clipboard.readText())
    const [, mover, head] = starters[0]!.examples
    await page.getByRole('button', { name: 'Copy the command' }).click()
    await expect
      .poll(copied)
      .toBe(
        `npx pantin animate face-small --source ${head},frames=1,size=256 --driving ${mover},frames=75,size=256 --out moved.mp4 --reference first --smooth`,
      )
    await page.getByRole('radio', { name: 'A page' }).check({ force: true })
    await page.getByRole('button', { name: 'Copy the code' }).click()
    await expect.poll(copied).toContain("Animator.open('face-small', place)")
    await page.getByRole('button', { name: 'Pull the strings' }).click()
    await expect
      .poll(() => page.getByRole('region', { name: 'The code' }).textContent())
      .toContain('animator.pose(pose)')
    await page.getByRole('radio', { name: 'A command' }).check({ force: true })
    expect(await page.getByRole('button', { name: 'Copy the command' }).isDisabled()).toBe(true)
    await page.getByRole('button', { name: 'Driven by head 2' }).click()
  }, 240_000)

  test('a model is trained on the clip in which no head is found', async () => {
    await page.locator('input[data-for="Choose a video"]').setInputFiles(join(world.folder, 'halves.webm'))
    await page.getByRole('button', { name: 'Train one on this clip' }).click()
    await page.getByRole('button', { name: 'Remove halves.webm' }).waitFor()
    expect(await page.getByLabel('Begin with').inputValue()).toBe('')
    expect(await page.getByRole('button', { name: 'Start training' }).isEnabled()).toBe(true)
  }, 240_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

/** Part of a canvas's pixels that are red. */
const rednessOf = (canvas: Locator) =>
  canvas.evaluate((own) => {
    const { width, height } = own as HTMLCanvasElement
    const { data } = (own as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height)
    return data.reduce((sum, value, i) => sum + Number(i % 4 === 0 && value > 128), 0) / (width * height)
  })

const shown = (page: Page): Promise<string> =>
  page
    .getByRole('img', { name: 'The picture, moved' })
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL())

/** A head that looks into the camera, as PNG. */
async function stillHead(size: number): Promise<Buffer> {
  await using clip = await openClip(`head:100015,frames=1,size=${size}`)
  const { data } = await frameAt(clip, 0)
  return sharp(data, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toBuffer()
}

/** Part of the pixels of the picture's canvas that have the colour of the plain picture. */
const blueness = (page: Page): Promise<number> =>
  page.getByRole('img', { name: 'The picture', exact: true }).evaluate((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement
    const { data } = (canvas as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height)
    const plain = Array.from({ length: width * height }, (_, i) => i).filter(
      (i) => Math.abs(data[4 * i]! - 0x33) < 12 && Math.abs(data[4 * i + 2]! - 0xcc) < 12,
    )
    return plain.length / (width * height)
  })
