import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { studyPage } from '../../src/report/study-page.ts'
import { describeStudy, studyCsv } from '../../src/report/study-text.ts'
import { netNames } from '../../src/zoo/registry.ts'
import { chromium as executablePath, withoutChromium } from '../support/chromium.ts'
import { type Sample, sampleTrained } from './study-sample.ts'

describe('the report', () => {
  let sample: Sample
  beforeAll(async () => {
    sample = await sampleTrained({ latency: false })
  })

  it('has every network of the zoo in each table, reconstructions labelled', () => {
    const { found } = sample
    const text = describeStudy(found)
    for (const name of netNames) {
      const rows = text.match(new RegExp(`^${name}( \\*)? +(all|none)`, 'gm'))
      const skips = found.plan.alike.some(({ net }) => net === name) ? 1 : 2
      expect(rows).toHaveLength(2 * skips)
    }
    const labelled = new Set(Array.from(text.matchAll(/^(\S+) \*/gm), ([, name]) => name))
    expect(labelled).toEqual(
      new Set(found.rows.flatMap(({ net, reconstruction }) => (reconstruction ? [net] : []))),
    )
    expect(text).toContain('all = none')
  })

  it('says what failed, what is missing and what was left out, and why', () => {
    const text = describeStudy(sample.found)
    expect(text).toContain('hourglass-distilled-all-44: failed: training stopped at step 3')
    expect(text).toContain('hourglass-small-scratch-all-44: no result yet: its process ended with SIGKILL')
    expect(text).toContain('toonew: left out: the size')
    expect(text).toContain('2 of 3, 1 failed')
    const advice = text.slice(text.indexOf('against latency') === -1 ? text.indexOf('against parameters') : 0)
    expect(advice).toContain('not recommended, since training failed: hourglass')
    expect(advice).not.toMatch(/: hourglass \(/)
    expect(advice).toMatch(/: hourglass-small \(.*, 2 of 3 seeds/)
    expect(text).toMatch(/2 trials have no result yet|4 trials have no result yet/)
  })

  it('counts one network, one seed and one trial as one', () => {
    const { found } = sample
    const plan = { ...found.plan, nets: ['enet'], seeds: [1] }
    const text = describeStudy({ ...found, plan, unfinished: 1 })
    expect(text).toMatch(/^1 network, skip .*, 1 seed: /)
    expect(text).toContain('1 trial has no result yet')
    expect(describeStudy(found)).toMatch(/^\d\d networks, .*, \d seeds: /)
  })

  it('has one line of CSV for a network, a skip and a method', () => {
    const lines = studyCsv(sample.found).trim().split('\r\n')
    expect(lines).toHaveLength(1 + 2 * sample.found.rows.length)
    expect(lines[0]).toContain('distance,distanceDeviation')
  })
})

const title = executablePath === undefined ? `the page: ${withoutChromium}` : 'the page'

describe.skipIf(executablePath === undefined)(title, () => {
  let sample: Sample
  const folder = mkdtempSync(join(tmpdir(), 'pantin-trained-page-'))
  const file = join(folder, 'trained.html')
  const address = pathToFileURL(file).href
  let browser: Browser
  let page: Page
  const problems: string[] = []

  beforeAll(async () => {
    // Weights of the largest network are not made for a session that never runs.
    sample = await sampleTrained({ nets: netNames.filter((net: string) => net !== 'fcn'), latency: true })
    writeFileSync(file, studyPage(sample.found, sample.strips))
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

  const count = () => sample.found.rows.length

  it('has a row, a point in three plots and a strip of pictures for each network and skip, by each method', async () => {
    for (const method of ['distilled', 'scratch']) {
      await page.locator(`input[value=${method}]`).check({ force: true })
      expect(await page.locator('tbody:visible > tr:first-child').count()).toBeGreaterThanOrEqual(count())
      expect(await page.locator(`#networks > tbody[data-as=${method}]:visible`).count()).toBe(count())
      const figures = page.locator('.plots figure:visible')
      expect(await figures.count()).toBe(3)
      for (const figure of await figures.all()) {
        expect(await figure.locator('.point circle').count()).toBe(count())
        expect(await figure.locator('.point.best').count()).toBeGreaterThan(0)
        expect(await figure.locator('.point .spread').count()).toBeGreaterThan(0)
      }
      expect(await page.locator('.strips figure:visible').count()).toBe(1 + count())
      const shown = await page
        .locator('.strips figure:visible img')
        .evaluateAll((images: { naturalWidth: number }[]) => images.map(({ naturalWidth }) => naturalWidth))
      expect(new Set(shown)).toEqual(new Set([48]))
    }
    expect(problems).toEqual([])
  })

  it('shows the columns of a method with it alone', async () => {
    expect(await page.locator('th[data-key=distance]').isVisible()).toBe(true)
    expect(await page.locator('th[data-key=psnr]').isVisible()).toBe(false)
    await page.locator('input[value=scratch]').check({ force: true })
    expect(await page.locator('th[data-key=distance]').isVisible()).toBe(false)
    expect(await page.locator('th[data-key=psnr]').isVisible()).toBe(true)
    await page.locator('th[data-key=ratio] button').click()
    const column = await page
      .locator('th[data-key=ratio]')
      .evaluate((cell: { cellIndex: number }) => cell.cellIndex)
    const values = await page
      .locator(`#networks > tbody:visible > tr:first-child > :nth-child(${column + 1})`)
      .evaluateAll((cells: { dataset: { value: string } }[]) =>
        cells.map((cell) => Number(cell.dataset.value)),
      )
    expect(values).toEqual(values.toSorted((a, b) => a - b))
  })

  it('recommends, names reconstructions, and says what has no result', async () => {
    // The page opens on one network, since the other that is as good had a seed that failed.
    expect(await page.locator('.advice:visible li').allTextContents()).toEqual([
      expect.stringMatching(/^with .* ms or more: hourglass-small \(.*, 2 of 3 seeds\)$/),
      'not recommended, since training failed: hourglass',
    ])
    const tags = page.locator('#networks > tbody:visible > tr:first-child .tag')
    const wanted = sample.found.rows.filter(({ reconstruction }) => reconstruction).length
    expect(await tags.count()).toBe(wanted)
    const text = (await page.locator('main').textContent())!
    expect(text).toContain('the size <does> not fit')
    expect(text).toContain('its process ended with SIGKILL')
    expect(text).toContain('teacher.onnx')
    expect(await page.content()).not.toContain('secret')
  })

  it('leads from a point to its row, which shows its pictures', async () => {
    await page.locator('figure:visible a.point[href="#distilled-lednet-none"] circle').first().click()
    const inside = page.locator('#distilled-lednet-none .inside')
    // The row opens after the click, and how soon depends on the machine: these wait for it.
    await inside.locator('> img').waitFor({ timeout: 10_000 })
    await inside.locator('svg.diagram').waitFor({ timeout: 10_000 })
  })

  it.each(['light', 'dark'] as const)('is readable on a phone, %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width: 360, height: 740 })
    await page.locator('#distilled-lednet-all th button').click()
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0)
    const picture = join(folder, `phone-${colorScheme}.png`)
    await page.screenshot({ path: picture })
    expect(statSync(picture).size).toBeGreaterThan(10_000)
    expect(problems).toEqual([])
  })
})
