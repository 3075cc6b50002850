import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { comparisonPage } from '../../src/report/comparison-page.ts'
import { netNames } from '../../src/zoo/registry.ts'
import { sampleComparison } from './comparison-sample.ts'

/** The page in a real browser, from a file, as users open it. */

/** What the tests ask of the browser's elements; its own types would come with a whole world of globals. */
interface Drawn {
  readonly dataset: { readonly value: string }
  readonly cellIndex: number
  getBoundingClientRect(): { toJSON(): Record<'left' | 'right' | 'top' | 'bottom', number> }
}

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = places.find((path) => existsSync(path))
const title =
  executablePath === undefined ? 'the page: no Chromium here (Debian: apt install chromium)' : 'the page'

describe.skipIf(executablePath === undefined)(title, () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-page-'))
  const file = join(folder, 'compare.html')
  const address = pathToFileURL(file).href
  let browser: Browser
  let page: Page
  const problems: string[] = []

  beforeAll(async () => {
    // Weights of the largest network are not made for a session that never runs.
    const nets = netNames.filter((net: string) => net !== 'fcn')
    writeFileSync(file, comparisonPage(await sampleComparison(nets)))
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
    page = await browser.newPage()
    page.on('console', (message) => problems.push(`console: ${message.text()}`))
    page.on('pageerror', (error) => problems.push(`error: ${error.message}`))
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith('data:') && url.split('#')[0] !== address) problems.push(`request: ${url}`)
    })
  })
  afterAll(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(async () => {
    problems.length = 0
    await page.setViewportSize({ width: 1280, height: 900 })
    await page.goto('about:blank')
    await page.goto(address)
  })

  const rows = (as: string) => page.locator(`tbody[data-as=${as}]`)
  const names = () => page.locator('tbody:visible .name').allTextContents()

  it('runs without an error and asks for nothing but itself', async () => {
    expect(await page.title()).toContain('compared')
    await page.locator('#network-lednet th button').click()
    await page.waitForTimeout(100)
    expect(problems).toEqual([])
  })

  it('would be told of an error, and blocks what is not its own', async () => {
    await page.evaluate(
      `document.body.append(Object.assign(new Image(), { src: 'https://example.invalid/' }))`,
    )
    await page.waitForTimeout(100)
    expect(problems.join()).toContain('Content Security Policy')
  })

  it.each(['network', 'detector'])('plots as many points as there are %s rows, with a front', async (as) => {
    const count = await rows(as).count()
    expect(count).toBe(netNames.length - 1)
    const figures = page.locator(`figure[data-as=${as}]`)
    expect(await figures.count()).toBe(2)
    for (const figure of await figures.all()) {
      expect(await figure.locator('.point circle').count()).toBe(count)
      expect(await figure.locator('.point.best').count()).toBeGreaterThan(0)
      expect(await figure.locator('path.front').getAttribute('d')).toMatch(/^M[\d.]+ [\d.]+L/)
      expect(await figure.locator('tbody tr').count()).toBe(count)
    }
  })

  it('labels every point, and no label covers another', async () => {
    for (const plot of await page.locator('figure:visible svg.plot').all()) {
      const boxes = await plot
        .locator('.point text')
        .evaluateAll((texts: Drawn[]) => texts.map((text) => text.getBoundingClientRect().toJSON()))
      expect(boxes).toHaveLength(netNames.length - 1)
      for (const [i, a] of boxes.entries()) {
        for (const b of boxes.slice(i + 1)) {
          const apart =
            a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 3 || b.bottom <= a.top + 3
          expect(apart, `${JSON.stringify(a)} ${JSON.stringify(b)}`).toBe(true)
        }
      }
    }
  })

  it('opens a row by click and by keyboard, and shows its diagram', async () => {
    const row = page.locator('#network-enet')
    const button = row.locator('th button')
    const diagram = row.locator('svg.diagram')
    expect(await diagram.isVisible()).toBe(false)
    await button.click()
    expect(await button.getAttribute('aria-expanded')).toBe('true')
    expect(await diagram.isVisible()).toBe(true)
    expect(await diagram.locator('.stage').count()).toBeGreaterThan(5)
    const box = (await diagram.boundingBox())!
    expect(box.width > 200 && box.height > 80).toBe(true)
    expect(await row.locator('.source a').getAttribute('href')).toMatch(/^https:\/\//)
    await button.focus()
    await page.keyboard.press('Enter')
    expect(await diagram.isVisible()).toBe(false)
    expect(problems).toEqual([])
  })

  it('lists layers in an opened row', async () => {
    const row = page.locator('#network-lednet')
    await row.locator('th button').click()
    await row.locator('details summary').click()
    expect(await row.locator('.plain tbody tr').count()).toBeGreaterThan(10)
    expect(await row.locator('.plain').isVisible()).toBe(true)
  })

  it('sorts by a column, one way and the other', async () => {
    const head = page.locator('th[data-key=params]')
    const column = await head.evaluate((cell: Drawn) => cell.cellIndex)
    const values = () =>
      page
        .locator(`tbody:visible > tr:first-child > :nth-child(${column + 1})`)
        .evaluateAll((cells: Drawn[]) => cells.map((cell) => Number(cell.dataset.value)))
    await head.locator('button').click()
    expect(await head.getAttribute('aria-sort')).toBe('ascending')
    expect(await values()).toEqual((await values()).toSorted((a, b) => a - b))
    await head.locator('button').click()
    expect(await head.getAttribute('aria-sort')).toBe('descending')
    expect(await values()).toEqual((await values()).toSorted((a, b) => b - a))
    await page.locator('th[data-key=name] button').click()
    expect(await names()).toEqual((await names()).toSorted((a, b) => a.localeCompare(b)))
    expect(await head.getAttribute('aria-sort')).toBe(null)
  })

  it('shows networks or detectors', async () => {
    expect(await rows('network').first().isVisible()).toBe(true)
    expect(await rows('detector').first().isVisible()).toBe(false)
    await page.getByText('keypoint detectors', { exact: true }).click()
    expect(await rows('network').first().isVisible()).toBe(false)
    expect(await rows('detector').first().isVisible()).toBe(true)
    expect(await page.locator('figure:visible').count()).toBe(2)
    // By keyboard as well.
    await page.locator('input[value=detector]').press('ArrowLeft')
    expect(await rows('network').first().isVisible()).toBe(true)
  })

  it('leads from a point to its row', async () => {
    await page.locator('figure:visible a.point[href="#network-hourglass"] circle').first().click()
    // A row opens after the click, and how soon depends on the machine: these wait for it.
    await page.locator('#network-hourglass svg.diagram').waitFor({ timeout: 10_000 })
    await page.goto('about:blank')
    await page.goto(`${address}#detector-hourglass`)
    await page.locator('#detector-hourglass svg.diagram').waitFor({ timeout: 10_000 })
  })

  it.each(['light', 'dark'] as const)('is readable on a phone, %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width: 360, height: 740 })
    await page.locator('#network-lednet th button').click()
    await page.locator('#network-lednet details summary').click()
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
    expect(overflow).toBe(0)
    const inside = (await page.locator('#network-lednet .inside').boundingBox())!
    expect(inside.x >= 0 && inside.x + inside.width <= 360).toBe(true)
    const body = 'getComputedStyle(document.body)'
    const [ink, paper] = await page.evaluate<string[]>(`[${body}.color, ${body}.backgroundColor]`)
    const red = (colour?: string) => Number(/\d+/.exec(colour ?? '')?.[0])
    expect(red(ink) < red(paper)).toBe(colorScheme === 'light')
    const picture = join(folder, `phone-${colorScheme}.png`)
    await page.screenshot({ path: picture })
    expect(statSync(picture).size).toBeGreaterThan(10_000)
  })
})
