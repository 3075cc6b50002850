import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { starters } from '../../src/run/starters.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { framesPerSecond, openWorld, type World } from './world.ts'

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
    expect(await chosen(page)).toEqual(['Head 1', 'Driven by head 2'])
    const before = await shown(page)
    await expect.poll(() => shown(page), { timeout: 60_000 }).not.toBe(before)
  }, 240_000)

  test('a starter for puppets gets puppets, and one for faces heads again', async () => {
    await page.getByLabel('Run').selectOption('starter:puppet')
    await page.getByText('Moves a paper puppet').waitFor()
    await expect.poll(() => chosen(page)).toEqual(['Puppet 1', 'Driven by puppet 2'])
    expect(await page.getByRole('button', { name: /head/i }).count()).toBe(0)
    await page.getByRole('button', { name: 'Driven by puppet 3' }).click()
    expect(await framesPerSecond(page)).toBeGreaterThan(0)
    await page.getByLabel('Run').selectOption('starter:face-small')
    await page.getByText('for phones and slow machines').waitFor()
    await expect.poll(() => chosen(page)).toEqual(['Head 1', 'Driven by head 2'])
    expect(await framesPerSecond(page)).toBeGreaterThan(0)
    expect(await page.locator('.trouble').count()).toBe(0)
  }, 240_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

/** The subjects whose buttons are pressed. */
const chosen = (page: Page): Promise<string[]> =>
  page
    .locator('.subject[aria-pressed=true]')
    .evaluateAll((buttons) => buttons.map((button) => button.getAttribute('aria-label')!))

const shown = (page: Page): Promise<string> =>
  page
    .getByRole('img', { name: 'The picture, moved' })
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL())
