import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { starters } from '../../src/run/starters.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { chosenSubjects, makeRun, openWorld, type World } from './world.ts'

/** The page's address: another tab shows the same by it, and has the session, and the token is never in it. */

const title = chromium === undefined ? `addresses: skipped, ${withoutChromium}` : "the page's address"
describe.skipIf(chromium === undefined)(title, () => {
  const runs = realpathSync(mkdtempSync(join(tmpdir(), 'pantin-address-')))
  let world: World
  let context: BrowserContext
  let page: Page
  beforeAll(async () => {
    await makeRun(join(runs, 'first'))
    world = await openWorld({ runs: [runs] })
    context = await world.context()
  }, 240_000)
  afterAll(async () => {
    await world?.remove()
    rmSync(runs, { recursive: true, force: true })
  })

  const origin = () => `http://127.0.0.1:${world.studio.port}/`
  const run = (of: Page) => of.getByRole('heading', { name: 'first' })

  test('keeps the session in a tab that Ctrl and a click opens, in a new tab, and after a reload', async () => {
    const addresses: string[] = []
    context.on('page', (opened) => opened.on('framenavigated', (frame) => addresses.push(frame.url())))
    page = await world.open('runs', context)
    await run(page).waitFor()
    const link = page.getByRole('link', { name: 'Train', exact: true })
    const [clicked] = await Promise.all([
      context.waitForEvent('page'),
      link.click({ modifiers: ['ControlOrMeta'] }),
    ])
    await clicked.getByRole('heading', { name: 'Train', exact: true }).waitFor()
    await clicked.getByRole('link', { name: 'Runs' }).click()
    await run(clicked).waitFor()
    const another = await context.newPage()
    await another.goto(`${origin()}#/runs`)
    await run(another).waitFor()
    // Without the first tab, too.
    await page.close()
    await another.reload()
    await run(another).waitFor()
    // The first address of all is the one that the command prints.
    expect(addresses.slice(1).filter((address) => address.includes(world.studio.token))).toEqual([])
    expect(await context.cookies()).toEqual([])
    expect(await another.evaluate(() => JSON.stringify(localStorage))).not.toContain(world.studio.token)
    await clicked.close()
    page = another
  }, 240_000)

  test('gives the session to no other browser, and to no tab when all are closed', async () => {
    const stranger = await (await world.context()).newPage()
    await stranger.goto(`${origin()}#/runs`)
    await stranger.getByText('appear here, live, if their machine serves this page').waitFor()
    await stranger.waitForTimeout(1000)
    expect(await run(stranger).count()).toBe(0)
    await stranger.context().close()
    await page.close()
    const late = await context.newPage()
    await late.goto(`${origin()}#/runs`)
    await late.waitForTimeout(1500)
    expect(await run(late).count()).toBe(0)
    await late.close()
  }, 240_000)

  test('a tab that stayed open after its server ended gives no token to one of the next server', async () => {
    const fresh = await world.context()
    const old = await fresh.newPage()
    await old.goto(`${origin()}#/runs?token=of-a-server-that-has-ended`)
    await old.locator('.trouble').waitFor()
    const deceived = await fresh.newPage()
    await deceived.goto(`${origin()}#/runs`)
    await deceived.waitForTimeout(1500)
    await deceived
      .getByText('appear here, live, if their machine serves this page')
      .waitFor({ timeout: 5000 })
    await deceived.close()
    page = await world.open('runs', fresh)
    await run(page).waitFor()
    const another = await fresh.newPage()
    await another.goto(`${origin()}#/runs`)
    await run(another).waitFor()
    await old.close()
    await another.close()
  }, 240_000)

  test('holds model, picture, what drives, motion and what is shown, for a browser that has never been here', async () => {
    await page.getByRole('link', { name: 'Animate' }).click()
    await page.getByLabel('Run').selectOption('starter:puppet')
    await page.getByRole('button', { name: 'Puppet 3', exact: true }).click()
    await page.getByRole('button', { name: 'Driven by puppet 4' }).click()
    await page.getByRole('radio', { name: 'Absolute' }).check({ force: true })
    await page.getByRole('checkbox', { name: 'Axes' }).check()
    await page.getByRole('checkbox', { name: 'Keypoints' }).uncheck()
    const expected =
      '#/animate?model=puppet&picture=puppet:100012&driving=puppet:100004&motion=absolute&show=axes&smoothing=1.5,0.3'
    await expect.poll(() => new URL(page.url()).hash).toBe(expected)

    const other = await (await world.context()).newPage()
    await other.goto(page.url())
    await expect.poll(() => chosenSubjects(other)).toEqual(['Puppet 3', 'Driven by puppet 4'])
    expect(await other.getByLabel('Run').inputValue()).toBe('starter:puppet')
    expect(await other.getByRole('radio', { name: 'Absolute' }).isChecked()).toBe(true)
    expect(await other.getByRole('checkbox', { name: 'Axes' }).isChecked()).toBe(true)
    expect(await other.getByRole('checkbox', { name: 'Keypoints' }).isChecked()).toBe(false)
    expect(new URL(other.url()).hash).toBe(expected)
    // The other views keep their own choices, and Animate is as it was.
    await other.getByRole('link', { name: 'Compare' }).click()
    await expect
      .poll(() => new URL(other.url()).hash)
      .toBe('#/compare?network=ficelle&across=macs&up=receptiveField')
    await other.goBack()
    await expect.poll(() => chosenSubjects(other)).toEqual(['Puppet 3', 'Driven by puppet 4'])
    await other.context().close()
  }, 240_000)

  test('goes to another view, though the address of the one before is written on the way', async () => {
    await page.getByRole('link', { name: 'Animate' }).click()
    const choice = await page.getByRole('checkbox', { name: 'Axes' }).elementHandle()
    // The page hears of its new address in a later task. Timers that are due come before it here.
    await choice!.evaluate((box: HTMLInputElement) => {
      const own = globalThis.setTimeout
      const due: (() => void)[] = []
      globalThis.setTimeout = ((go: () => void, after?: number) => {
        due.push(go)
        return own(go, after)
      }) as typeof setTimeout
      box.click()
      globalThis.setTimeout = own
      location.hash = '#/train'
      for (const go of due) go()
    })
    await page.getByRole('heading', { name: 'Train', exact: true }).waitFor()
    expect(new URL(page.url()).hash).toMatch(/^#\/train/)
  }, 240_000)

  test('is passed over where it means nothing', async () => {
    const other = await (await world.context()).newPage()
    const [still, mover] = starters[0]!.examples
    const words = 'model=none&picture=head:1&driving=webcam&motion=up&show=teeth&smoothing=x,99'
    await other.goto(`${origin()}#/animate?${words}`)
    await expect
      .poll(() => new URL(other.url()).hash)
      .toBe(
        `#/animate?model=face&picture=${still}&driving=${mover}&motion=relative&show=none&smoothing=1.5,2`,
      )
    await other.context().close()
  })

  test('no page complains on its console', () => {
    // The browser itself reports that the server refuses the old token.
    expect(world.complaints.filter((text) => !/status of 401/.test(text))).toEqual([])
  })
})
