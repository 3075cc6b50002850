import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { candidateFolder, writeRung } from '../../src/study/search/candidate.ts'
import { makePlan as makeSearchPlan } from '../../src/study/search/plan.ts'
import { makePlan, trialsOf } from '../../src/study/trials/plan.ts'
import { trialFolder } from '../../src/study/trials/run-trials.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { makeRun, openWorld, said, type World } from './world.ts'

/** Runs of the command line in a page: their curves as they grow, previews, settings, and what one does with them. */

const title = chromium === undefined ? `runs: skipped, ${withoutChromium}` : 'the view Runs'
describe.skipIf(chromium === undefined)(title, () => {
  const runs = realpathSync(mkdtempSync(join(tmpdir(), 'pantin-runs-')))
  let world: World
  let page: Page
  beforeAll(async () => {
    mkdirSync(join(runs, 'saved'))
    await makeRun(join(runs, 'first'))
    await makeRun(join(runs, 'second'))
    world = await openWorld({ runs: [runs], save: join(runs, 'saved') })
    page = await world.open('runs')
  }, 240_000)
  afterAll(async () => {
    await world?.remove()
    rmSync(runs, { recursive: true, force: true })
  })

  test('shows curve, preview and settings of a run, and lays several over each other', async () => {
    await page.getByRole('heading', { name: 'first' }).waitFor()
    await page.locator('.preview img').waitFor()
    expect(await page.getByRole('row', { name: 'model.size 32' }).count()).toBe(1)
    await page.getByRole('checkbox', { name: 'Curve of second' }).check()
    await page.getByRole('img', { name: 'Loss by step of 2 runs' }).waitFor()
    // The values under the pointer.
    await page.locator('.chart-box').hover()
    await expect.poll(() => page.locator('.legend').textContent()).toMatch(/first \d.*second \d.*at step \d/)
    await page.getByRole('combobox', { name: 'Curve' }).selectOption('difference of pictures')
    await page.getByRole('img', { name: 'Difference of pictures by step of 2 runs' }).waitFor()
    await page.getByRole('combobox', { name: 'Curve' }).selectOption('loss')
    await page.getByRole('button', { name: 'Look at second' }).click()
    await page.getByRole('heading', { name: 'second' }).waitFor()
  }, 240_000)

  test('shows how far a study is, while it goes on', async () => {
    const study = join(runs, 'a study')
    mkdirSync(study)
    const plan = await makePlan(['puppet:1,frames=8,size=16'], {
      ...{ nets: ['enet'], skips: ['all'], seeds: 3, size: 16, keypoints: 2, steps: 2, device: 'cpu' },
    })
    writeFileSync(join(study, 'plan.json'), JSON.stringify(plan))
    const line = page.getByRole('list', { name: 'Studies' }).getByRole('listitem')
    await line.filter({ hasText: '0 of 3 trials done' }).locator('[data-state=stopped]').waitFor()
    const [trial] = trialsOf(plan)
    const result = { status: 'done', trial, measures: {}, frames: 1, device: 'cpu', wallSeconds: 1 }
    mkdirSync(trialFolder(study, trial!), { recursive: true })
    writeFileSync(join(trialFolder(study, trial!), 'result.json'), JSON.stringify(result))
    await line.filter({ hasText: '1 of 3 trials done' }).waitFor()
    const bar = page.getByRole('progressbar', { name: 'Trials of a study' })
    expect(await bar.getAttribute('value')).toBe('1')
    rmSync(study, { recursive: true })
    await line.waitFor({ state: 'detached' })
  }, 240_000)

  test('shows how far a search is, and its best design, while it goes on', async () => {
    const search = join(runs, 'a search')
    const plan = await makeSearchPlan(['puppet:1,frames=8,size=32'], {
      ...{ teacher: join(runs, 'first'), candidates: 3, mutations: 0, rungs: 1, steps: 2, device: 'cpu' },
    })
    mkdirSync(search)
    writeFileSync(join(search, 'search.json'), JSON.stringify(plan))
    const line = page.getByRole('list', { name: 'Searches' }).getByRole('listitem')
    await line.filter({ hasText: '0 of 3 trainings done' }).locator('[data-state=stopped]').waitFor()
    const result = { steps: 2, distance: 0.125, frames: 1, device: 'cpu', wallSeconds: 1 }
    await writeRung(candidateFolder(search, 'r000'), 0, { ...result, status: 'done' })
    await line
      .filter({ hasText: '1 of 3 trainings done, best so far r000, 0.125 from the teacher after 2 steps' })
      .waitFor()
    const bar = page.getByRole('progressbar', { name: 'Trainings of a search' })
    expect(await bar.getAttribute('value')).toBe('1')
    rmSync(search, { recursive: true })
    await line.waitFor({ state: 'detached' })
  }, 240_000)

  test('a run whose folder is gone leaves the list, and the others are shown', async () => {
    await makeRun(join(runs, 'third'))
    await page.getByRole('button', { name: 'Look at third' }).click()
    await page.getByRole('heading', { name: 'third' }).waitFor()
    rmSync(join(runs, 'third'), { recursive: true })
    await page.getByRole('button', { name: 'Look at third' }).waitFor({ state: 'detached' })
    await page.getByRole('heading', { name: 'first' }).waitFor()
    await page.locator('.trouble').waitFor({ state: 'detached' })
    await page.getByRole('img', { name: 'Loss by step of 2 runs' }).waitFor()
    await page.getByRole('button', { name: 'Look at second' }).click()
    await page.getByRole('heading', { name: 'second' }).waitFor()
  }, 240_000)

  test('a run that begins to train while the page is open appears, and grows', async () => {
    const script = `
      const { train } = await import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)})
      await train('puppet:3,frames=8,size=64', { net: 'ficelle', batch: 1, device: 'cpu', steps: 100000, logEvery: 1, out: ${JSON.stringify(join(runs, 'live'))} })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
    try {
      const line = page.getByRole('listitem').filter({ hasText: 'live' })
      await line.locator('[data-state=training]').waitFor({ timeout: 240_000 })
      await page.getByRole('button', { name: 'Look at live' }).click()
      const step = async () => Number(/step (\d+)/.exec((await line.textContent())!)![1])
      await expect.poll(step, { timeout: 240_000 }).toBeGreaterThan(0)
      const before = await step()
      await expect.poll(step, { timeout: 240_000 }).toBeGreaterThan(before)
    } finally {
      child.kill('SIGKILL')
    }
  }, 240_000)

  test('animates with a run of the command line', async () => {
    await page.getByRole('button', { name: 'Look at first' }).click()
    await page.getByRole('button', { name: 'Animate with it' }).click()
    await page.locator('.speed[data-fps]').waitFor({ timeout: 240_000 })
    expect(await page.locator('.trouble').count()).toBe(0)
  }, 240_000)

  test('the keypoints of two runs are shown side by side', async () => {
    await page.getByRole('link', { name: 'Compare' }).click()
    await page
      .getByRole('combobox', { name: 'Second run' })
      .selectOption({ label: 'second (hourglass, step 3)' })
    await page.getByRole('button', { name: 'Play both' }).click()
    for (const i of [0, 1]) {
      await expect
        .poll(() => page.locator('.pair figcaption').nth(i).textContent(), { timeout: 240_000 })
        .toMatch(/ms/)
    }
    await page.getByRole('button', { name: 'Stop' }).click()
  }, 240_000)

  test('puts a run of this browser into the folder that was named for it', async () => {
    await page.getByRole('link', { name: 'Runs' }).click()
    await page.locator('input[data-for="Keep a run folder"]').setInputFiles(join(runs, 'second'))
    await said(page, /second is kept/)
    await page.getByRole('button', { name: 'Save second into' }).click()
    await said(page, /second is saved in the folder/)
  }, 240_000)

  test('says so where the server has ended, and what to do', async () => {
    await world.studio.close()
    await page.locator('.trouble', { hasText: 'Pantin studio does not answer' }).waitFor({ timeout: 240_000 })
  }, 240_000)

  test('no page complains on its console', () => {
    // The browser itself reports the server that is gone, and what it asks of a run that goes meanwhile.
    expect(world.complaints.filter((text) => !/ERR_CONNECTION|status of 404/.test(text))).toEqual([])
  })
})
