import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { unzipSync } from 'fflate'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileCli } from '../cli/run.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { asksBeforeLeaving, makeRun, openWorld, said, type World } from './world.ts'

/** Training in a page, as a visitor does it. */

const title = chromium === undefined ? `train: skipped, ${withoutChromium}` : 'the view Train'
describe.skipIf(chromium === undefined)(title, () => {
  let world: World
  let page: Page
  beforeAll(async () => {
    world = await openWorld()
    const context = await world.context()
    await context.addInitScript(saveOften)
    page = await world.open('train', context)
  }, 240_000)
  afterAll(() => world?.remove())

  test('24 steps lower the loss, over a reload, and the command line animates with the run', async () => {
    await begin(page, 'me', 24)
    const first = await lossAt(page, 1)
    // A checkpoint, long before the end.
    await page
      .locator('.numbers div', { hasText: 'saved at step' })
      .locator('dd', { hasText: /\d/ })
      .waitFor({
        timeout: 240_000,
      })
    await page.reload()
    await page.getByRole('button', { name: 'Go on with me' }).click()
    await page.locator('.state[data-state=finished]').waitFor({ timeout: 300_000 })
    expect(await number(page, 'step')).toBe('24 of 24')
    expect(Number(await number(page, 'loss'))).toBeLessThan(0.8 * first)
    expect(await page.locator('.preview img').getAttribute('alt')).toMatch(/step 24/)

    const [zip] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download the run' }).click(),
    ])
    expect(zip.suggestedFilename()).toBe('me.zip')
    const folder = unpack(await zip.path(), join(world.folder, 'unpacked'))
    const losses = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n')
    expect(JSON.parse(losses.at(-1)!)).toMatchObject({ step: 24 })
    const out = join(world.folder, 'moved.mp4')
    const driving = 'puppet:3,frames=3,size=64'
    const cli = compileCli()
    try {
      const words = ['animate', folder, '--source', 'puppet:5,size=64', '--driving', driving, '--out', out]
      const { code, stdout, stderr } = await cli.run([...words, '--device', 'cpu', '--json'])
      expect(code, stderr).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ frames: 3 })
    } finally {
      cli.remove()
    }

    await page.getByRole('button', { name: 'Animate with it' }).click()
    await page.locator('.speed[data-fps]').waitFor({ timeout: 240_000 })
    expect(await page.getByRole('combobox', { name: 'Run', exact: true }).inputValue()).toBe('stored:me')
  }, 400_000)

  test('pauses and goes on; another tab may not train the same run, and may train another', async () => {
    await page.goto(page.url().replace(/#.*/, '#/train'))
    await page.getByRole('button', { name: 'Train another' }).click()
    await begin(page, 'two', 100_000)
    await lossAt(page, 1)

    const other = await world.open('train', page.context())
    await other.getByRole('button', { name: 'Go on with two' }).click()
    await other.locator('.trouble', { hasText: 'This run is in use' }).waitFor()
    await other.getByRole('button', { name: 'Train another' }).click()
    await other.close()

    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.locator('.state[data-state=paused]').waitFor({ timeout: 240_000 })
    const paused = parseInt(await number(page, 'saved at step'), 10)
    await page.getByRole('button', { name: 'Go on', exact: true }).click()
    const next = await lossStep(page)
    expect(next).toBeGreaterThan(paused)

    // It goes on while another view is shown, and in a tab that nobody sees.
    await page.getByRole('link', { name: 'Runs' }).click()
    const front = await page.context().newPage()
    await front.bringToFront()
    await front.waitForTimeout(2500)
    await front.close()
    await page.getByRole('link', { name: 'Train' }).click()
    expect(await lossStep(page)).toBeGreaterThan(next)
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.locator('.state[data-state=paused]').waitFor({ timeout: 240_000 })

    // What cannot go on is still there to be taken away.
    const remover = await world.open('runs', page.context())
    await remover.getByRole('button', { name: 'Remove two', exact: true }).click()
    await remover.getByRole('button', { name: 'Remove two for good' }).click()
    await remover.getByRole('button', { name: 'Animate with two' }).waitFor({ state: 'detached' })
    await remover.close()
    await page.getByRole('button', { name: 'Go on', exact: true }).click()
    await page.locator('.trouble', { hasText: 'There is no such run' }).waitFor()
    await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download the run' }).click(),
    ])
    await page.getByRole('button', { name: 'Train another' }).click()
  }, 300_000)

  test('where storage is full it says so, and the run can still be taken away', async () => {
    const session = await page.context().newCDPSession(page)
    const origin = new URL(page.url()).origin
    const usage = await page.evaluate(async () => (await navigator.storage.estimate()).usage!)
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + 2_000_000 })
    await begin(page, 'full', 3)
    await said(page, /full/)
    await page.locator('.state[data-state=finished]').waitFor({ timeout: 240_000 })
    await session.send('Storage.overrideQuotaForOrigin', { origin })
    const [zip] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download the run' }).click(),
    ])
    unpack(await zip.path(), join(world.folder, 'full'))
    await page.getByRole('link', { name: 'Runs' }).click()
    await page.getByRole('button', { name: 'Download me' }).waitFor()
  }, 200_000)

  test('what only the page has is not called saved, and is not lost without a question', async () => {
    await page.getByRole('link', { name: 'Train' }).click()
    await page.getByRole('button', { name: 'Train another' }).click()
    const session = await page.context().newCDPSession(page)
    const origin = new URL(page.url()).origin
    const usage = await page.evaluate(async () => (await navigator.storage.estimate()).usage!)
    expect(await asksBeforeLeaving(page)).toBe(false)
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + 100_000 })
    await begin(page, 'only', 100_000)
    await lossAt(page, 1)
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.locator('.state[data-state=paused]').waitFor({ timeout: 240_000 })
    await page.locator('.trouble', { hasText: 'This page has the only copy' }).waitFor()
    expect(await page.getByText('all of it is saved').count()).toBe(0)
    expect(await page.getByRole('button', { name: /^Go on/ }).count()).toBe(0)
    expect(await page.locator('button.strong').textContent()).toBe('Download the run')
    expect(await asksBeforeLeaving(page)).toBe(true)
    await page.getByRole('button', { name: 'Train another' }).click()
    await page.getByRole('button', { name: 'Lose this run?' }).waitFor()

    await page.getByRole('button', { name: 'Animate with it' }).click()
    // What it learned from: the clip's first frame, moved by the clip.
    await page.getByText(/^first frame of /).waitFor()
    await page.locator('.speed[data-fps]').waitFor({ timeout: 240_000 })
    await page.getByRole('link', { name: 'Train' }).click()
    const [zip] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download the run' }).click(),
    ])
    await session.send('Storage.overrideQuotaForOrigin', { origin })
    expect(readdirSync(unpack(await zip.path(), join(world.folder, 'only')))).toEqual(
      expect.arrayContaining(['config.json', 'weights.safetensors', 'last']),
    )
    await page.locator('.trouble').waitFor({ state: 'detached' })
    expect(await asksBeforeLeaving(page)).toBe(false)
    await page.getByRole('button', { name: 'Train another' }).click()
    await page.locator('.train-form').waitFor()
  }, 240_000)

  test('a webcam is recorded into a clip, and is off afterwards, however often one clicks', async () => {
    await page.evaluate(() => {
      const streams: MediaStream[] = []
      const { mediaDevices } = navigator
      const open = mediaDevices.getUserMedia.bind(mediaDevices)
      mediaDevices.getUserMedia = async (asked) => {
        // As long as it takes to allow it.
        await new Promise((resolve) => setTimeout(resolve, 500))
        streams.push(await open(asked))
        return streams.at(-1)!
      }
      Object.assign(globalThis, { streams })
    })
    const live = () =>
      page.evaluate(() => {
        const { streams } = globalThis as unknown as { streams: MediaStream[] }
        return streams.map((stream) => stream.getTracks().some(({ readyState }) => readyState === 'live'))
      })
    const record = page.getByRole('button', { name: 'Record the webcam' })
    await record.dblclick()
    // Long enough for some frames.
    await page.getByRole('button', { name: /^Stop \([1-9]/ }).click()
    await page.getByText('webcam 1').waitFor()
    await page.getByRole('button', { name: 'Remove webcam 1' }).click()
    expect(await live()).toEqual([false])

    await record.click()
    await page.getByRole('link', { name: 'Runs' }).click()
    await expect.poll(live).toEqual([false, false])
  }, 240_000)

  test('a run folder of the command line opens, is kept, and is removed when one says so twice', async () => {
    const folder = join(world.folder, 'from-node')
    await makeRun(folder)
    await page.getByRole('link', { name: 'Runs' }).click()
    await page.locator('input[data-for="Keep a run folder"]').setInputFiles(folder)
    await said(page, /from-node is kept/)
    await page.getByRole('button', { name: 'Animate with from-node' }).click()
    await page.locator('.speed[data-fps]').waitFor({ timeout: 240_000 })
    await page.getByRole('link', { name: 'Runs' }).click()
    await page.getByRole('button', { name: 'Remove from-node', exact: true }).click()
    await page.getByRole('button', { name: 'Remove from-node for good' }).click()
    await page.getByRole('button', { name: 'Animate with from-node' }).waitFor({ state: 'detached' })
  }, 240_000)

  test('begins with a starter, whose model it keeps', async () => {
    const other = await world.open('train')
    await begin(other, 'further', 1, 'puppet (128x128)')
    await other.locator('.state[data-state=finished]').waitFor({ timeout: 300_000 })
    const [zip] = await Promise.all([
      other.waitForEvent('download'),
      other.getByRole('button', { name: 'Download the run' }).click(),
    ])
    const folder = unpack(await zip.path(), join(world.folder, 'further'))
    const { model, training } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
    expect(training.init).toBe('puppet')
    expect(model.keypoints).toBe(20)
    await other.close()
  }, 400_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

/** The call with which a page begins a training. */
interface TrainCall {
  readonly method?: string
  readonly request?: { readonly name?: string; readonly settings?: object }
}

/** Runs in pages: the run `me` is saved five times per second instead of every ten seconds, so that no test waits for it. */
function saveOften(): void {
  const { postMessage } = Worker.prototype
  Worker.prototype.postMessage = function (message: TrainCall, more: object = []) {
    const { method, request } = message
    if (method === 'train' && request?.name === 'me') {
      Object.assign(request, { settings: { ...request.settings, checkpointSeconds: 0.2 } })
    }
    postMessage.call(this, message, more)
  }
}

/** Fills the form: a puppet, the lightest settings. */
async function begin(page: Page, name: string, steps: number, from = 'a new model'): Promise<void> {
  const form = page.locator('.train-form')
  await form.waitFor()
  if ((await form.getByRole('button', { name: 'Remove puppet 1' }).count()) === 0) {
    await form.getByRole('button', { name: 'Puppet 1', exact: true }).click()
  }
  await form.getByLabel('Begin with').selectOption(from)
  await form.getByText('More settings').click()
  await form.getByLabel('Name of the run').fill(name)
  // A model that is trained further stays as it is.
  const keypoints = from === 'a new model' ? 4 : undefined
  expect(await form.getByLabel('Keypoints').count()).toBe(keypoints === undefined ? 0 : 1)
  for (const [label, value] of [
    ['Keypoints', keypoints],
    ['Frame pairs per step', 1],
    ['Steps (0: minutes decide)', steps],
  ] as const) {
    if (value === undefined) continue
    await form.getByLabel(label).fill(String(value))
    await form.getByLabel(label).blur()
  }
  await form.getByRole('button', { name: 'Start training' }).click()
}

const number = async (page: Page, name: string): Promise<string> =>
  (await page
    .locator('.numbers div', { has: page.getByText(name, { exact: true }) })
    .locator('dd')
    .textContent())!

/** The loss that is shown, from a step on. */
async function lossAt(page: Page, step: number): Promise<number> {
  await expect
    .poll(async () => Number.parseInt(await number(page, 'step'), 10), { timeout: 240_000 })
    .toBeGreaterThanOrEqual(step)
  return Number(await number(page, 'loss'))
}

async function lossStep(page: Page): Promise<number> {
  await lossAt(page, 1)
  return Number.parseInt(await number(page, 'step'), 10)
}

/** Unpacks a zip of one folder. @returns that folder's path */
function unpack(zip: string, into: string): string {
  const entries = Object.entries(unzipSync(readFileSync(zip)))
  for (const [path, data] of entries) {
    mkdirSync(dirname(join(into, path)), { recursive: true })
    writeFileSync(join(into, path), data)
  }
  return join(into, entries[0]![0].split('/')[0]!)
}
