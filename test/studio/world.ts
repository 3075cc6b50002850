// The studio as `pantin studio` serves it, in a browser whose webcam shows a puppet.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium as driver, type Page } from 'playwright-core'
import sharp from 'sharp'
import { expect } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { examineRun } from '../../src/server/run-saver.ts'
import { type Studio, type StudioOptions, startStudio } from '../../src/server/server.ts'
import { chromium } from '../support/chromium.ts'
import { shared, studioSite } from '../support/shared.ts'

export { makeRun } from '../support/shared.ts'

/** A studio and a browser that looks at it. */
export interface World {
  readonly folder: string
  /** The built pages. */
  readonly site: string
  readonly studio: Studio
  /** What pages wrote to their consoles as errors, or threw. */
  readonly complaints: string[]
  readonly browser: Browser
  context(options?: Parameters<Browser['newContext']>[0]): Promise<BrowserContext>
  /** Opens a view, such as `train`, or `animate?model=puppet`. Its shifts of layout are counted. */
  open(view: string, context?: BrowserContext): Promise<Page>
  remove(): Promise<void>
}

export async function openWorld(options: StudioOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-app-'))
  const site = await studioSite()
  const webcam = join(
    await shared('webcam', (made) => filmPuppet(join(made, 'puppet.mjpeg'))),
    'puppet.mjpeg',
  )
  const studio = await startStudio({ site, port: 0, examine: examineRun, ...options })
  const browser = await driver.launch({
    executablePath: chromium!,
    args: [
      ...['--no-sandbox', '--disable-gpu'],
      ...['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
      `--use-file-for-fake-video-capture=${webcam}`,
    ],
  })
  const complaints: string[] = []
  let own: Promise<BrowserContext> | undefined
  const context = (more: Parameters<Browser['newContext']>[0] = {}) =>
    browser.newContext({ permissions: ['camera'], acceptDownloads: true, ...more })
  return {
    ...{ folder, site, studio, complaints, browser, context },
    async open(view, given) {
      own ??= context()
      const first = await own
      const page = await (given ?? first).newPage()
      if (page.context() !== first) {
        const others = first.pages()
        await Promise.all(others.map((other) => rest(other, true)))
        page.once('close', () => others.map((other) => rest(other, false).catch(() => {})))
      }
      // On a busy machine a model takes its time.
      page.setDefaultTimeout(120_000)
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
      page.on('pageerror', (error) => complaints.push(error.stack ?? error.message))
      await page.addInitScript(countShifts)
      await page.addInitScript(beCalm)
      const more = view.includes('?') ? '&' : '?'
      await page.goto(`http://127.0.0.1:${studio.port}/#/${view}${more}token=${studio.token}`)
      return page
    },
    async remove() {
      await browser.close()
      await studio.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A puppet as motion JPEG, which the browser plays as a webcam. */
async function filmPuppet(path: string): Promise<void> {
  const clip = await openClip('puppet:3,frames=10,size=256')
  const pictures: Buffer[] = []
  for await (const { width, height, data } of clip.frames()) {
    const pixels = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    pictures.push(
      await sharp(pixels, { raw: { width, height, channels: 3 } })
        .jpeg()
        .toBuffer(),
    )
  }
  await clip.close()
  writeFileSync(path, Buffer.concat(pictures))
}

/** Runs in pages: sums shifts of layout that no input caused. */
function countShifts(): void {
  const page = globalThis as { shifts?: number }
  page.shifts = 0
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & {
      value: number
      hadRecentInput: boolean
    })[]) {
      if (!entry.hadRecentInput) page.shifts! += entry.value
    }
  }).observe({ type: 'layout-shift', buffered: true })
}

/**
 * Runs in pages: pictures move some six times a second, unless a test says `hurry`. A page that animates takes a whole core, and
 * a test mostly looks at something else.
 */
function beCalm(): void {
  const page = globalThis as {
    hurries?: boolean
    rests?: boolean
    requestAnimationFrame: typeof requestAnimationFrame
  }
  const next = page.requestAnimationFrame.bind(globalThis)
  const wait = (then: FrameRequestCallback): number =>
    Number(setTimeout(() => (page.rests ? wait(then) : next(then)), 120))
  page.requestAnimationFrame = (then) => (page.hurries ? next(then) : wait(then))
}

/** A page draws nothing, so that a page of another context has the machine for itself. */
const rest = (page: Page, rests: boolean): Promise<void> =>
  page.evaluate((value) => {
    Object.assign(globalThis, { rests: value })
  }, rests)

/** Pictures move as fast as they can, or calmly again. */
export const hurry = (page: Page, hurries = true): Promise<void> =>
  page.evaluate((value) => {
    Object.assign(globalThis, { hurries: value })
  }, hurries)

export const shiftsOf = (page: Page): Promise<number> =>
  page.evaluate(() => (globalThis as { shifts?: number }).shifts ?? Number.NaN)

/** Waits for a message of the page, such as that something was saved. */
export async function said(page: Page, text: RegExp): Promise<void> {
  await page.locator('.message', { hasText: text }).first().waitFor()
}

/** Whether the browser would ask before it leaves the page. */
export const asksBeforeLeaving = (page: Page): Promise<boolean> =>
  page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })))

/** The subjects whose buttons are pressed: the picture's, and what drives it. */
export const chosenSubjects = (page: Page): Promise<string[]> =>
  page
    .locator('.subject[aria-pressed=true]')
    .evaluateAll((buttons) => buttons.map((button) => button.getAttribute('aria-label')!))

/** Frames a second as the view Animate shows them, once it does. */
export async function framesPerSecond(page: Page): Promise<number> {
  const shown = page.locator('.speed[data-fps]')
  await shown.waitFor({ timeout: 240_000 })
  return Number(await shown.getAttribute('data-fps'))
}

/** The page's own script, as the server sends it. */
export function scriptOf(site: string): { readonly name: string; readonly compressed: number } {
  const name = readdirSync(join(site, 'assets')).find((file) => file.endsWith('.js'))!
  return { name, compressed: readFileSync(join(site, 'assets', `${name}.gz`)).length }
}

/** Waits until something that is read from a page, such as `pixels`, is not what it is now. */
export async function moves(read: () => Promise<string>): Promise<void> {
  const before = await read()
  await expect.poll(read).not.toBe(before)
}

/** What a canvas shows, as text to compare. */
export function pixels(page: Page, name = 'The picture, moved'): Promise<string> {
  return page
    .getByRole('img', { name })
    .first()
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL())
}
