import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { moves, openWorld, pixels, scriptOf, shiftsOf, type World } from './world.ts'

/** Every view in a real browser: it comes soon, moves nothing, fits, and can be read and reached by everybody. */

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const views = ['animate', 'train', 'compare', 'runs'] as const

const title =
  chromium === undefined ? `the studio's views: skipped, ${withoutChromium}` : "the studio's views"
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
  }, 240_000)
  afterAll(() => world?.remove())

  test.each(['light', 'dark'] as const)(
    'axe finds nothing serious in any view (%s), at two widths',
    async (colorScheme) => {
      // The page's policy forbids scripts that are not its own.
      const context = await world.context({ colorScheme, bypassCSP: true })
      const page = await world.open('animate', context)
      await page.addScriptTag({ content: axe })
      for (const view of ['strings', 'webcam', 'wipe', ...views]) {
        await show(page, view)
        for (const width of [1280, 360]) {
          await page.setViewportSize({ width, height: 800 })
          const found = await page.evaluate(async () => {
            type Result = { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }
            const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Result[] }> } }
            const { violations } = await axe.run()
            return violations.map(({ id, impact, nodes }) => ({
              id,
              impact,
              where: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`),
            }))
          })
          const grave = found.filter(({ impact }) => impact === 'serious' || impact === 'critical')
          expect(grave, `${view} at ${width}`).toEqual([])
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
          expect(overflow, `${view} at ${width} scrolls sideways`).toBeLessThanOrEqual(0)
        }
      }
      await context.close()
    },
    400_000,
  )

  test('the first view is at most 6 MB on the wire, until something moves', async () => {
    const context = await world.context()
    const sizes = new Map<string, number>()
    const finished: Promise<void>[] = []
    context.on('requestfinished', (request) => {
      const measure = async () => {
        const { responseBodySize, responseHeadersSize } = await request.sizes()
        const name = new URL(request.url()).pathname
        sizes.set(name, (sizes.get(name) ?? 0) + responseBodySize + responseHeadersSize)
      }
      finished.push(measure())
    })
    const began = performance.now()
    const page = await world.open('animate', context)
    // A film, until the model is there.
    const film = page.locator('img.poster')
    expect(await film.evaluate((img: HTMLImageElement) => img.decode().then(() => img.naturalWidth))).toBe(
      256,
    )
    await page.locator('.speed[data-fps]').waitFor({ timeout: 240_000 })
    expect(await film.count()).toBe(0)
    const seconds = (performance.now() - began) / 1000
    await Promise.all(finished)
    const bytes = [...sizes.values()].reduce((a, b) => a + b, 0)
    process.stdout.write(
      `the first view: ${(bytes / 1e6).toFixed(1)} MB, moves after ${seconds.toFixed(1)} s\n`,
    )
    expect(sizes.get('/ort/ort-wasm-simd-threaded.wasm'), 'as brotli').toBeLessThan(3_000_000)
    expect(bytes).toBeLessThan(6_000_000)
    await context.close()
  }, 240_000)

  test('nothing moves while a view loads', async () => {
    for (const view of views) {
      const page = await world.open(view)
      await page.locator('h1').waitFor({ state: 'attached' })
      if (view === 'animate') await page.locator('.speed[data-fps]').waitFor({ timeout: 240_000 })
      else if (view === 'compare') await page.locator('.diagram').waitFor({ timeout: 240_000 })
      else await page.waitForLoadState('networkidle')
      await page.waitForTimeout(500)
      expect(await shiftsOf(page), view).toBeLessThan(0.02)
      await page.close()
    }
  }, 240_000)

  test('the first view is there soon, its script is small, and the runtime is loaded when it is needed', async () => {
    const script = scriptOf(world.site)
    expect(script.compressed).toBeLessThan(200_000)
    const page = await world.open('runs')
    await page.getByRole('heading', { name: 'In this browser' }).waitFor()
    const paint = await page.evaluate(
      () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
    )
    process.stdout.write(
      `first view after ${Math.round(paint!)} ms; script ${script.compressed} bytes compressed\n`,
    )
    const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name))
    expect(loaded.filter((name) => name.includes('/ort/'))).toEqual([])
    await page.close()
  })

  test('the token leaves the address, and survives a reload', async () => {
    const page = await world.open('runs')
    await page.getByText('No runs yet').waitFor()
    expect(page.url()).not.toContain(world.studio.token)
    await page.reload()
    await page.getByText('No runs yet').waitFor()
    await page.close()
  })

  test('all is reached by keys', async () => {
    const page = await world.open('train')
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('Skip to the view')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('Choose videos')

    await page.locator('.device summary').focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.press('ArrowRight')
    expect(await page.getByRole('radio', { name: 'WASM' }).isChecked()).toBe(true)
    await page.keyboard.press('Escape')
    expect(await page.getByRole('radio', { name: 'WASM' }).isVisible()).toBe(false)
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('SUMMARY')
    await page.close()
  })

  test('the menu of devices is whole, however narrow the page', async () => {
    const page = await world.open('train')
    await page.locator('.device summary').click()
    for (const width of [1280, 390, 360]) {
      await page.setViewportSize({ width, height: 800 })
      const menu = (await page.locator('.menu').boundingBox())!
      const button = (await page.locator('.device summary').boundingBox())!
      expect(menu.x, `at ${width}`).toBeGreaterThanOrEqual(0)
      expect(menu.x + menu.width, `at ${width}`).toBeLessThanOrEqual(width)
      expect(menu.y, `at ${width}`).toBeGreaterThanOrEqual(button.y + button.height)
    }
    await page.close()
  })

  test('colours are the system’s, or those that one chooses', async () => {
    const context = await world.context({ colorScheme: 'light' })
    const page = await world.open('train', context)
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const light = await paper()
    await page.getByRole('button', { name: 'change to light' }).click()
    await page.getByRole('button', { name: 'change to dark' }).click()
    const dark = await paper()
    expect(dark).not.toBe(light)
    await page.reload()
    expect(await paper()).toBe(dark)
    await context.close()
  })

  test('the zoo is counted, sorted and drawn down to its blocks', async () => {
    const page = await world.open('compare')
    await page.getByText(/^\d+ networks$/).waitFor({ timeout: 240_000 })
    await page.getByRole('button', { name: 'Params' }).click()
    const params = await page.locator('.zoo tbody td:nth-of-type(2)').allTextContents()
    const counts = params.map(countOf)
    expect(counts.length).toBeGreaterThan(12)
    expect(counts).toEqual([...counts].sort((a, b) => a - b))
    await page.getByRole('button', { name: 'Params' }).click()
    const falling = (await page.locator('.zoo tbody td:nth-of-type(2)').allTextContents()).map(countOf)
    expect(falling).toEqual([...counts].reverse())

    await page.locator('.zoo').getByRole('button', { name: 'LEDNet', exact: true }).click()
    await page.getByRole('heading', { name: 'LEDNet', exact: true }).waitFor()
    const second = page.getByRole('button', { name: /^Stage 2:/ })
    await second.focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => second.getAttribute('aria-pressed')).toBe('true')
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowLeft']) await page.keyboard.press(key)
    const third = page.getByRole('button', { name: /^Stage 3:/ })
    expect(await third.getAttribute('aria-pressed')).toBe('true')
    expect(await third.evaluate((stage) => stage === document.activeElement)).toBe(true)
    await page.keyboard.press('ArrowLeft')
    const block = page.locator('.blocks li').first()
    expect(await block.textContent()).toMatch(/conv.*parameters.*MACs.*sees \d+ px/)
    await page.close()
  }, 240_000)

  test('results of two runs lie one over the other, and the divider is dragged and moved by keys', async () => {
    const page = await world.open('compare')
    await page.getByRole('radio', { name: 'Results' }).check({ force: true })
    await page.getByRole('combobox', { name: 'First run' }).selectOption('none: the picture as it is')
    const divider = page.getByRole('slider', { name: /^Divider: The picture is on its left/ })
    const at = async () => Number(await divider.getAttribute('aria-valuenow'))
    await expect.poll(at).toBe(50)
    await divider.focus()
    for (const [key, wanted] of [
      ['ArrowLeft', 48],
      ['ArrowUp', 50],
      ['PageUp', 60],
      ['End', 100],
      ['ArrowRight', 100],
      ['Home', 0],
    ] as const) {
      await page.keyboard.press(key)
      await expect.poll(at, { message: key }).toBe(wanted)
    }
    await page.getByRole('button', { name: 'Play both' }).click()
    const result = () => pixels(page, 'Result of the second run')
    const first = await result()
    await expect.poll(result).not.toBe(first)
    const second = await result()
    await expect.poll(result).not.toBe(second)
    // On the left of the divider is the picture, which nothing moves.
    const picture = page.getByRole('img', { name: 'The picture', exact: true })
    await picture.scrollIntoViewIfNeeded()
    const { x, y, width, height } = (await picture.boundingBox())!
    await page.mouse.move(x + 0.5 * width, y + 0.5 * height)
    await page.mouse.down()
    await page.mouse.move(x + 0.75 * width, y + 0.6 * height, { steps: 3 })
    await page.mouse.up()
    await page.mouse.move(x + 0.1 * width, y + 0.6 * height)
    await expect.poll(at).toBe(75)
    await expect
      .poll(() => picture.evaluate((canvas) => (canvas as HTMLCanvasElement).style.clipPath))
      .toBe('inset(0px 25% 0px 0px)')
    const still = await pixels(page, 'The picture')
    // While the driving video passes the frame that it starts from, the result is the picture itself.
    await expect.poll(result).not.toBe(still)
    expect(await pixels(page, 'The picture')).toBe(still)
    // Both runs at once; then keypoints again.
    await page.getByRole('combobox', { name: 'First run' }).selectOption('face-small (128x128)')
    const other = () => pixels(page, 'Result of the first run')
    await moves(other)
    await page.getByRole('radio', { name: 'Keypoints' }).check({ force: true })
    const points = () => pixels(page, 'Keypoints of the first run')
    await moves(points)
    expect(await page.locator('.trouble').count()).toBe(0)
    await page.close()
  }, 240_000)

  test('latency is measured here, and can be cancelled', async () => {
    const page = await world.open('compare')
    const measure = page.getByRole('button', { name: 'Measure on this device' })
    await measure.click()
    await page.waitForFunction(
      () =>
        [...document.querySelectorAll('.zoo tbody td:last-child')].some((cell) => cell.textContent !== '-'),
      undefined,
      { timeout: 240_000 },
    )
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Measure again' }).waitFor()
    expect(await page.locator('.trouble').count()).toBe(0)
    await page.close()
  }, 240_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

/**
 * Shows a view; `strings` is the view Animate whose picture is pulled by its strings, `webcam` the one that a webcam drives,
 * and `wipe` the view Compare with the results of two runs.
 */
async function show(page: Page, view: string): Promise<void> {
  if (view === 'strings') {
    await show(page, 'animate')
    await page.getByRole('button', { name: 'Pull the strings' }).click()
    await page.getByLabel('Turn').waitFor()
    await page.getByRole('button', { name: 'Keep this pose' }).click()
    await page.getByRole('button', { name: 'Pose 1', exact: true }).waitFor()
    return
  }
  if (view === 'webcam') {
    await show(page, 'animate')
    await page.getByRole('button', { name: 'Webcam' }).click()
    await page.getByRole('meter', { name: 'Nearness' }).waitFor()
    return
  }
  if (view === 'wipe') {
    await show(page, 'compare')
    await page.getByRole('radio', { name: 'Results' }).check({ force: true })
    await page.getByRole('slider', { name: /^Divider/ }).waitFor()
    return
  }
  await page.evaluate((name) => {
    location.hash = `#/${name}`
  }, view)
  await page.locator(`.top a[aria-current=page][href^='#/${view}']`).waitFor()
  if (view === 'compare') await page.locator('.diagram').waitFor({ timeout: 240_000 })
  if (view === 'animate') await page.locator('.speed[data-fps]').waitFor({ timeout: 240_000 })
  await page.waitForTimeout(400)
}

const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent)

function countOf(text: string): number {
  const [, digits, unit = ''] = /^([\d.]+) ?([kMG]?)$/.exec(text)!
  return Number(digits) * { '': 1, k: 1e3, M: 1e6, G: 1e9 }[unit]!
}
