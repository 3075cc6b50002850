import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { asksBeforeLeaving, openWorld, said, type World } from './world.ts'

/** A training that is not begun as it should be, what would be lost with the page, and a run that cannot be read. */

const title =
  chromium === undefined
    ? `train mishaps: skipped, ${withoutChromium}`
    : 'mishaps in the views Train and Runs'
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  let page: Page
  beforeAll(async () => {
    world = await openWorld()
    page = await world.open('train')
    await page.locator('.train-form').waitFor()
  }, 240_000)
  afterAll(() => world?.remove())

  test('a setting that was emptied and is out of sight is shown, instead of a training that does not start', async () => {
    await page.getByRole('button', { name: 'Head 1', exact: true }).click()
    const more = page.locator('details.more')
    const pairs = page.getByLabel('Frame pairs per step')
    await page.getByText('More settings').click()
    await pairs.fill('')
    await page.getByText('More settings').click()
    expect(await more.getAttribute('open')).toBeNull()
    await page.getByRole('button', { name: 'Start training' }).click()
    await expect.poll(() => more.getAttribute('open')).not.toBeNull()
    await expect.poll(() => pairs.evaluate((field) => field === document.activeElement)).toBe(true)
    expect(await page.locator('.job').count()).toBe(0)
    await pairs.fill('1')
    await pairs.blur()
  }, 60_000)

  test('the reading of clips is cancelled, and the form is as it was', async () => {
    for (const name of ['Head 2', 'Puppet 1', 'Puppet 2']) {
      await page.getByRole('button', { name, exact: true }).click()
    }
    const chosen = () => page.locator('.clips li').allTextContents()
    const before = await chosen()
    await page.getByLabel('Name of the run').fill('mine')
    expect(await asksBeforeLeaving(page)).toBe(false)
    await page.getByRole('button', { name: 'Start training' }).click()
    await page.locator('.state[data-state=decoding]').waitFor()
    // Some of it was read, which would be lost.
    await expect.poll(() => asksBeforeLeaving(page)).toBe(true)
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.locator('.train-form').waitFor()
    expect(await asksBeforeLeaving(page)).toBe(false)
    expect(await chosen()).toEqual(before)
    expect(await page.getByLabel('Name of the run').inputValue()).toBe('mine')
    expect(await page.locator('.message.error, .trouble').count()).toBe(0)

    // The name is free, and no worker reads on.
    for (const name of ['head 1', 'head 2', 'puppet 2']) {
      await page.getByRole('button', { name: `Remove ${name}` }).click()
    }
    await page.getByRole('button', { name: 'Start training' }).click()
    await page.locator('.state[data-state=training]').waitFor({ timeout: 240_000 })
    expect(await page.getByRole('button', { name: 'Cancel', exact: true }).count()).toBe(0)
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.locator('.state[data-state=paused]').waitFor({ timeout: 240_000 })
    await page.getByRole('button', { name: 'Train another' }).click()
    expect(await page.getByLabel('Name of the run').inputValue()).not.toBe('mine')
  }, 240_000)

  test('a recording of the webcam is not lost without a question, until a training has read it', async () => {
    expect(await asksBeforeLeaving(page)).toBe(false)
    await page.getByRole('button', { name: 'Record the webcam' }).click()
    const stop = page.getByRole('button', { name: /^Stop \([1-9]/ })
    await stop.waitFor()
    expect(await asksBeforeLeaving(page)).toBe(true)
    await stop.click()
    await page.getByText('webcam 1').waitFor()
    expect(await asksBeforeLeaving(page)).toBe(true)
    await page.getByRole('button', { name: 'Remove webcam 1' }).click()
    expect(await asksBeforeLeaving(page)).toBe(false)

    await page.getByRole('button', { name: 'Record the webcam' }).click()
    await stop.click()
    await page.getByText('webcam 1').waitFor()
    await page.getByRole('button', { name: 'Start training' }).click()
    await page.locator('.state[data-state=training]').waitFor({ timeout: 240_000 })
    expect(await asksBeforeLeaving(page)).toBe(false)
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.locator('.state[data-state=paused]').waitFor({ timeout: 240_000 })
    await page.getByRole('button', { name: 'Train another' }).click()
    await page.getByText('webcam 1').waitFor()
    expect(await asksBeforeLeaving(page)).toBe(false)
    await page.getByRole('button', { name: 'Remove webcam 1' }).click()
  }, 240_000)

  test('a webcam that is unplugged ends its recording, and the clip up to then is kept', async () => {
    await page.evaluate(() => {
      const { mediaDevices } = navigator
      const open = mediaDevices.getUserMedia.bind(mediaDevices)
      mediaDevices.getUserMedia = async (asked) => {
        const stream = await open(asked)
        const [track] = stream.getVideoTracks()
        Object.assign(globalThis, {
          unplug() {
            track!.stop()
            track!.dispatchEvent(new Event('ended'))
          },
        })
        return stream
      }
    })
    await page.getByRole('button', { name: 'Record the webcam' }).click()
    await page.getByRole('button', { name: /^Stop \([1-9]/ }).waitFor()
    await page.evaluate(() => (globalThis as unknown as { unplug(): void }).unplug())
    await said(page, /the webcam was disconnected/)
    await page.getByText('webcam 1').waitFor()
    await page.getByRole('button', { name: 'Record the webcam' }).waitFor()
    await page.getByRole('button', { name: 'Remove webcam 1' }).click()
  }, 60_000)

  test('a run whose configuration is damaged is shown, and removed when one says so twice', async () => {
    await page.evaluate(async () => {
      let folder = await navigator.storage.getDirectory()
      for (const name of ['pantin', 'runs', 'torn']) {
        folder = await folder.getDirectoryHandle(name, { create: true })
      }
      const file = await folder.getFileHandle('config.json', { create: true })
      const writable = await file.createWritable()
      await writable.write('{"model": {"net": "fic')
      await writable.close()
    })
    await page.getByRole('link', { name: 'Runs' }).click()
    const line = page
      .getByRole('region', { name: 'Runs in this browser' })
      .getByRole('listitem')
      .filter({ hasText: 'torn' })
    await line.locator('[data-state=broken]').waitFor()
    expect(await line.textContent()).toContain('torn/config.json: not valid JSON')
    expect(await line.getByRole('button').allTextContents()).toEqual(['Remove'])
    await page.getByRole('link', { name: 'Animate' }).click()
    const runs = page.getByRole('combobox', { name: 'Run', exact: true })
    await expect
      .poll(() => runs.locator('option').allTextContents())
      .toContainEqual(expect.stringMatching(/mine/))
    expect((await runs.locator('option').allTextContents()).join()).not.toMatch(/torn/)
    await page.getByRole('link', { name: 'Runs' }).click()
    await page.getByRole('button', { name: 'Remove torn', exact: true }).click()
    await page.getByRole('button', { name: 'Remove torn for good' }).click()
    await line.waitFor({ state: 'detached' })
  }, 60_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})
