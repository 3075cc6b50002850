import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { openVideo } from '../../src/media/codecs.ts'
import { collect, madeSound, soundOf, writeFrames } from '../media/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { framesPerSecond, openWorld, pixels, said, type World } from './world.ts'

/**
 * The path of somebody who sees the studio for the first time: an own portrait, an own clip with sound, a short training,
 * and a film. Each step leaves pictures of the page, at two widths, light and dark. PANTIN_SCREENSHOTS names a folder that
 * keeps them.
 */

const portraits = '../shared/data/portraits'
const title = chromium === undefined ? `a newcomer's path: skipped, ${withoutChromium}` : "a newcomer's path"
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  let page: Page
  let shots: string
  let portrait: string
  let clip: string
  const frames = 24
  beforeAll(async () => {
    world = await openWorld()
    shots = process.env.PANTIN_SCREENSHOTS ?? join(world.folder, 'screenshots')
    mkdirSync(shots, { recursive: true })
    portrait = await ownPortrait(world.folder)
    const head = await openClip(`head:100002,frames=${frames},size=256`)
    clip = await writeFrames(join(world.folder, 'holiday.webm'), await collect(head.frames()), {
      ...{ codec: 'vp8', sound: await madeSound('opus') },
    })
    await head.close()
    page = await world.open('animate')
  }, 240_000)
  afterAll(() => world?.remove())

  /** Pictures of the whole page. Nothing may reach beyond the page's edges, or be cut off in a button. */
  const look = async (step: string) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 390]) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 900 })
        await page.waitForTimeout(300)
        await page.screenshot({ path: join(shots, `${step}-${width}-${colorScheme}.png`), fullPage: true })
        expect(await page.evaluate(cutOff), `${step} at ${width}`).toEqual([])
      }
    }
    await page.setViewportSize({ width: 1280, height: 900 })
  }

  test('a portrait that is dropped moves as a clip that is dropped', async () => {
    await framesPerSecond(page)
    await look('1-open')
    const before = await pixels(page, 'The picture')
    await drop(page, 'Picture', portrait, 'image/jpeg')
    await page.getByText(basename(portrait), { exact: true }).waitFor()
    await expect.poll(() => pixels(page, 'The picture')).not.toBe(before)
    await page.getByText('The square around the face is moved.').waitFor()
    await look('2-portrait')
    await drop(page, 'Driving', clip, 'video/webm')
    await page.getByText(basename(clip), { exact: true }).waitFor()
    await expect.poll(() => moves(page)).toBe(true)
    await look('3-clip')
    expect(await page.locator('.trouble, .message.error').allTextContents()).toEqual([])
  }, 240_000)

  test('a training on the clip ends, and Animate shows what it learned', async () => {
    await page.getByRole('link', { name: 'Train' }).click()
    await drop(page, 'Clips', clip, 'video/webm')
    await page.getByRole('button', { name: `Remove ${basename(clip)}` }).waitFor()
    await page.getByText('More settings').click()
    for (const [label, value] of [
      ['Frame pairs per step', 1],
      ['Steps (0: minutes decide)', 3],
    ] as const) {
      await page.getByLabel(label).fill(String(value))
      await page.getByLabel(label).blur()
    }
    await look('4-train')
    await page.getByRole('button', { name: 'Start training' }).click()
    await page.locator('.state[data-state=training]').waitFor({ timeout: 240_000 })
    await look('5-training')
    await page.locator('.state[data-state=finished]').waitFor({ timeout: 400_000 })
    await look('6-trained')
    await page.getByRole('button', { name: 'Animate with it' }).click()
    await page.getByText(`first frame of ${basename(clip)}`, { exact: true }).waitFor()
    await expect.poll(() => moves(page)).toBe(true)
    await look('7-learned')
  }, 600_000)

  test('the own portrait is rendered by the trained run, every frame and the sound', async () => {
    await drop(page, 'Picture', portrait, 'image/jpeg')
    await page.getByText(basename(portrait), { exact: true }).waitFor()
    await page.getByText('The square around the face is moved.').waitFor()
    await expect.poll(() => moves(page)).toBe(true)
    await page.getByLabel('Format of the recording').selectOption('webm')
    // The live picture would take half of a small machine.
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    const [film] = await Promise.all([
      page.waitForEvent('download', { timeout: 240_000 }),
      page.getByRole('button', { name: 'Render the whole video' }).click(),
    ])
    await said(page, new RegExp(`Rendered ${frames} frames.*Sound: copied`))
    await look('8-rendered')
    const path = await film.path()
    await using own = await openClip(clip)
    await using rendered = await openVideo(path)
    expect(rendered).toMatchObject({ width: 512, height: 512, frameCount: own.frameCount })
    expect(rendered.duration).toBeCloseTo(own.duration, 1)
    expect((await soundOf(path)).length).toBeGreaterThan(5)
    const shown = await collect(rendered.frames())
    expect(
      shown.some(({ data }) => !data.every((value, i) => Math.abs(value - shown[0]!.data[i]!) < 30)),
    ).toBe(true)
  }, 400_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

/** A real portrait where the shared data are, and else a head that is drawn, in a wide picture. */
async function ownPortrait(folder: string): Promise<string> {
  if (existsSync(portraits)) return join(portraits, readdirSync(portraits).sort()[0]!)
  const head = await openClip('head:100001,frames=1,size=480')
  const [{ data, width, height }] = (await collect(head.frames())) as [
    Awaited<ReturnType<typeof collect>>[number],
  ]
  await head.close()
  const path = join(folder, 'portrait.jpg')
  await sharp(data, { raw: { width, height, channels: 3 } })
    .extend({ left: 160, right: 160, background: '#7a8a99' })
    .jpeg()
    .toFile(path)
  return path
}

/** Drops a file on a part of the page, as the file manager does. */
async function drop(page: Page, area: string, path: string, type: string): Promise<void> {
  const bytes = readFileSync(path).toString('base64')
  const data = await page.evaluateHandle(
    async ([text, name, kind]) => {
      const { buffer } = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
      const transfer = new DataTransfer()
      transfer.items.add(new File([buffer], name, { type: kind }))
      return transfer
    },
    [bytes, basename(path), type] as const,
  )
  await page.getByRole('region', { name: area, exact: true }).dispatchEvent('drop', { dataTransfer: data })
  await data.dispose()
}

async function moves(page: Page): Promise<boolean> {
  const before = await pixels(page)
  await page.waitForTimeout(500)
  return (await pixels(page)) !== before
}

/** Runs in pages: what is wider than the page, and buttons whose words do not fit. */
function cutOff(): string[] {
  const wide = document.documentElement.scrollWidth - innerWidth
  const buttons = [...document.querySelectorAll('button')].filter(
    ({ scrollWidth, clientWidth }) => clientWidth > 0 && scrollWidth > clientWidth + 1,
  )
  return [
    ...(wide > 0 ? [`the page is ${wide} pixels too wide`] : []),
    ...buttons.map(({ textContent, ariaLabel }) => `button ${ariaLabel ?? textContent}`),
  ]
}
