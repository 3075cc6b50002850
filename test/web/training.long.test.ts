import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { unzipSync } from 'fflate'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { animate } from '../../src/animate/animate.ts'
import { readSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { train } from '../../src/train/train.ts'
import { scratch } from '../animate/support.ts'
import { gradientFrame, packetsOf, writeFrames } from '../media/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { tinyModel } from '../train/tiny.ts'
import { expectClose, fromBase64, inPage, openSite, type Site, toBase64 } from './browser.ts'

/** Training in a page: the loss falls, a reload loses nothing, and the command line reads what comes of it. */

const title = chromium === undefined ? `training: skipped, ${withoutChromium}` : 'training in a page'

const clip = 'puppet:3,frames=24,size=48'
const settings = {
  ...{ net: 'hourglass', model: tinyModel(), batch: 2, steps: 30, seed: 7 },
  ...{ checkpointSeconds: 0.05, previewSeconds: 600 },
}

interface Step {
  readonly step: number
  readonly loss: number
}

describe.skipIf(chromium === undefined)(title, () => {
  const at = scratch()
  let site: Site
  let page: Page

  beforeAll(async () => {
    site = await openSite()
    page = await site.open()
  }, 240_000)
  afterAll(() => site?.close())

  test('30 steps lower the loss as in Node, over a reload in the middle, and the run animates', async () => {
    // The reload comes at a step after the first checkpoint, with no word to the trainer.
    const before = await inPage<{ steps: Step[]; decoded: number }>(
      page,
      `
      let decoded = 0
      const steps = []
      await new Promise((resolve, reject) => {
        let saved = false
        pantin.Trainer.start([input.clip], input.settings, { ...place, name: 'me', onEvent(event) {
          if (event.kind === 'decode') decoded = event.done
          if (event.kind === 'step') steps.push({ step: event.step, loss: event.loss })
          if (event.kind === 'saved') saved = true
          if (saved && steps.length >= 8) resolve()
          if (event.kind === 'failed') reject(new Error(event.message))
        } }).catch(reject)
      })
      return { steps, decoded }
      `,
      { clip, settings },
    )
    expect(before.decoded).toBe(24)
    await page.reload()
    await page.waitForFunction('globalThis.ready === true')

    const after = await inPage<{
      events: string[]
      steps: Step[]
      zip: string
      stored: object[]
      kept: object[]
    }>(
      page,
      `${toBase64}
      const kept = await pantin.storedRuns.list()
      const events = []
      const steps = []
      const trainer = await pantin.Trainer.resume('me', { ...place, onEvent(event) {
        if (event.kind === 'step') {
          steps.push({ step: event.step, loss: event.loss })
          const { reconstruction, gradientNorm } = event.terms
          if (!(event.rate > 0 && event.etaSeconds >= 0 && event.progress <= 1 && reconstruction > 0 && gradientNorm > 0)) throw new Error('a step without its numbers')
        } else events.push(event.kind)
      } })
      const run = await trainer.done
      return { events, steps, kept, stored: await pantin.storedRuns.list(), zip: await toBase64(await run.toZip()) }
      `,
    )
    expect(after.kept).toMatchObject([{ name: 'me', net: 'hourglass', finished: false, resumable: true }])
    const [first] = after.steps
    expect(first!.step).toBeGreaterThan(1)
    expect(first!.step).toBeLessThanOrEqual(before.steps.at(-1)!.step + 1)
    expect(after.steps.at(-1)!.step).toBe(30)
    expect(after.events).toContain('preview')
    expect(after.events.at(-1)).toBe('finished')
    expect(after.stored).toMatchObject([{ name: 'me', step: 30, finished: true, resumable: false }])

    const all = [...before.steps.filter(({ step }) => step < first!.step), ...after.steps]
    expect(all.map(({ step }) => step)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
    const mean = (part: readonly Step[]) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length
    expect(mean(all.slice(-6))).toBeLessThan(0.9 * mean(all.slice(0, 6)))

    // Node's losses on the same clip, seed and settings. Rounding grows from step to step.
    const inNode: number[] = []
    await train(clip, {
      ...{ out: at('node'), model: tinyModel(), batch: 2, steps: 30, seed: 7, device: 'cpu' },
      onEvent: (event) => event.kind === 'step' && inNode.push(event.loss),
    })
    const losses = all.map(({ loss }) => loss)
    expectClose(losses.slice(0, 3), inNode.slice(0, 3), 1e-3, 'the first losses')
    expectClose(losses.slice(0, 10), inNode.slice(0, 10), 0.05, 'ten losses')

    const folder = unpacked(after.zip, at('zip'))
    const { metadata } = await readSafetensors(join(folder, 'weights.safetensors'))
    expect(metadata.get('step')).toBe('30')
    const metrics = (await readFile(join(folder, 'metrics.jsonl'), 'utf8')).trim().split('\n')
    expect(metrics.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual([10, 20, 30, 30])
    const out = at('moved.mp4')
    const moved = await animate(folder, {
      ...{ source: 'puppet:5,size=48', driving: 'puppet:3,frames=4,size=48', out, device: 'cpu' },
    })
    expect(moved.frames).toBe(4)
  }, 240_000)

  test('a run goes from Node to a page and back, byte for byte', async () => {
    const names = ['config.json', 'weights.safetensors', 'metrics.jsonl', 'last/checkpoint.safetensors']
    const originals = await Promise.all(names.map((name) => readFile(join(at('node'), name))))
    for (const [i, name] of names.entries()) site.files.set(`node/${name}`, originals[i]!)
    const zip = await inPage<string>(
      page,
      `${toBase64}
      const files = new Map()
      for (const name of input) files.set('folder/' + name, await (await fetch('node/' + name)).blob())
      await pantin.storedRuns.put('from node', await pantin.openRun(files))
      return toBase64(await (await pantin.openRun(await (await pantin.storedRuns.open('from node')).toZip(), { name: 'again' })).toZip())
      `,
      names,
    )
    const entries = unzipSync(fromBase64(zip))
    expect(Object.keys(entries).sort()).toEqual(names.map((name) => `again/${name}`).sort())
    for (const [i, name] of names.entries()) {
      expect(Buffer.from(entries[`again/${name}`]!).equals(originals[i]!)).toBe(true)
    }
  }, 240_000)

  test('a run that is trained further begins with its weights, as in Node, and after a reload too', async () => {
    const further = { batch: 2, steps: 3, seed: 7 }
    const result = await inPage<{ losses: number[]; config: { training: object }; said: string }>(
      page,
      `
      const from = await pantin.storedRuns.open('me')
      const losses = []
      const onEvent = (event) => event.kind === 'step' && losses.push(event.loss)
      const settings = { ...input.further, from, checkpointSeconds: 600, previewSeconds: 600 }
      const trainer = await pantin.Trainer.start([input.clip], settings, { ...place, name: 'further', onEvent })
      const files = (await trainer.done).files()
      const config = JSON.parse(await files.get('config.json').text())
      const said = await pantin.Trainer.start([input.clip], { ...settings, keypoints: 3 }, { ...place, name: 'other', onEvent }).then(() => 'done', (error) => error.message)
      return { losses, config, said }
      `,
      { clip, further },
    )
    const inNode: number[] = []
    await train(clip, {
      ...{ out: at('further'), from: at('zip/me'), ...further, device: 'cpu', crop: 'motion' },
      onEvent: (event) => event.kind === 'step' && inNode.push(event.loss),
    })
    expectClose(result.losses, inNode, 1e-3, 'losses')
    expect(result.config.training).toMatchObject({ init: 'me' })
    expect(result.said).toMatch(/trained further keeps its model.*from, and keypoints/s)

    // Given up before its first checkpoint, a run still knows what it began with.
    await inPage(
      page,
      `
      const from = await pantin.storedRuns.open('me')
      const settings = { ...input.further, steps: 100000, from, checkpointSeconds: 600, previewSeconds: 600 }
      await new Promise((resolve) => {
        pantin.Trainer.start([input.clip], settings, { ...place, name: 'again', onEvent: (event) => event.kind === 'step' && resolve() })
      })
      `,
      { clip, further },
    )
    await page.reload()
    await page.waitForFunction('globalThis.ready === true')
    const resumed = await inPage<number>(
      page,
      `
      let trainer
      const loss = await new Promise((resolve, reject) => {
        pantin.Trainer.resume('again', { ...place, onEvent: (event) => event.kind === 'step' && event.step === 1 && resolve(event.loss) })
          .then((made) => { trainer = made }, reject)
      })
      while (trainer === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
      await trainer.close()
      for (const name of ['again', 'further']) await pantin.storedRuns.remove(name)
      return loss
      `,
    )
    expectClose([resumed], inNode.slice(0, 1), 1e-3, 'the first loss after a reload')
  }, 240_000)

  test('a run is trained by one tab at a time, and goes on after a pause', async () => {
    const other = await site.open()
    const start = `
      const steps = []
      globalThis.trainer = await pantin.Trainer.start([input.clip], { ...input.settings, steps: 100000 }, { ...place, name: 'two', onEvent(event) {
        if (event.kind === 'step') steps.push(event.step)
        globalThis.last = event
      } })
      while (steps.length < 3) await new Promise((resolve) => setTimeout(resolve, 20))
    `
    await inPage(page, start, { clip, settings })
    const refusals = await inPage<string[]>(
      other,
      `
      const onEvent = () => {}
      const attempts = [
        () => pantin.Trainer.resume('two', { ...place, onEvent }),
        () => pantin.Trainer.start([input.clip], input.settings, { ...place, name: 'two', onEvent }),
        () => pantin.storedRuns.remove('two'),
      ]
      const said = []
      for (const attempt of attempts) said.push(await attempt().then(() => 'done', (error) => error.message))
      return said
      `,
      { clip, settings },
    )
    for (const refusal of refusals) expect(refusal).toMatch(/this run is in use/)

    const paused = await inPage<{ step: number; last: { kind: string; step: number } }>(
      page,
      'await trainer.pause(); await trainer.pause(); return { step: (await trainer.done).step, last: globalThis.last }',
    )
    expect(paused.last).toEqual({ kind: 'paused', step: paused.step })
    const next = await inPage<number>(
      other,
      `
      let trainer
      const step = await new Promise((resolve, reject) => {
        pantin.Trainer.resume('two', { ...place, onEvent: (event) => event.kind === 'step' && resolve(event.step) })
          .then((made) => { trainer = made }, reject)
      })
      while (trainer === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
      await trainer.close()
      await pantin.storedRuns.remove('two')
      return step
      `,
    )
    expect(next).toBe(paused.step + 1)
    const names = await inPage<string[]>(
      page,
      'return (await pantin.storedRuns.list()).map(({ name }) => name)',
    )
    expect(names).not.toContain('two')
    await other.close()
  }, 240_000)

  test('a run that is saved all the time is listed and opened all the same', async () => {
    const result = await inPage<{ listed: number; opened: number; tries: number }>(
      page,
      `
      let saved
      const first = new Promise((resolve) => { saved = resolve })
      const trainer = await pantin.Trainer.start([input.clip], { ...input.settings, steps: 100000, checkpointSeconds: 0.001 }, { ...place, name: 'busy', onEvent: ({ kind }) => kind === 'saved' && saved() })
      await first
      let [listed, opened] = [0, 0]
      const tries = 30
      for (let i = 0; i < tries; i++) {
        if ((await pantin.storedRuns.list()).some(({ name }) => name === 'busy')) listed++
        if ((await (await pantin.storedRuns.open('busy')).toZip()).size > 0) opened++
      }
      await trainer.close()
      await pantin.storedRuns.remove('busy')
      return { listed, opened, tries }
      `,
      { clip, settings },
    )
    expect(result).toEqual({ listed: 30, opened: 30, tries: 30 })
  }, 240_000)

  test('a run whose first weights are being written is listed without them', async () => {
    const { listed, said } = await inPage<{ listed: object; said: string }>(
      page,
      `
      const config = (await pantin.storedRuns.open('me')).files().get('config.json')
      const root = await (await (await navigator.storage.getDirectory()).getDirectoryHandle('pantin')).getDirectoryHandle('runs')
      const folder = await root.getDirectoryHandle('half', { create: true })
      const writable = await (await folder.getFileHandle('config.json', { create: true })).createWritable()
      await writable.write(config)
      await writable.close()
      // The browser makes an empty file before its content is written.
      await folder.getFileHandle('weights.safetensors', { create: true })
      await (await folder.getDirectoryHandle('last', { create: true })).getFileHandle('checkpoint.safetensors', { create: true })
      const listed = (await pantin.storedRuns.list()).find(({ name }) => name === 'half')
      const said = await pantin.storedRuns.open('half').then(() => 'done', (error) => error.message)
      await pantin.storedRuns.remove('half')
      return { listed, said }
      `,
    )
    expect(listed).toMatchObject({ name: 'half', net: 'hourglass', step: 0, finished: false })
    expect(said).toMatch(/no weights yet/)
  })

  test('what is wrong with clips is told, as Node tells it', async () => {
    // A damaged frame in a clip that is smaller than the model's pictures, and a clip in which nothing moves.
    const pictures = Array.from({ length: 12 }, (_, i) => gradientFrame(24, 24, 4 * i))
    const bytes = readFileSync(await writeFrames(at('odd.webm'), pictures, { codec: 'vp8' }))
    const packet = (await packetsOf(at('odd.webm')))[5]!
    const start = bytes.indexOf(packet)
    writeFileSync(at('odd.webm'), bytes.fill(0xff, start, start + packet.length))
    const same = Array.from({ length: 6 }, () => gradientFrame(48, 48))
    await writeFrames(at('same.webm'), same, { codec: 'vp8' })
    const names = ['odd.webm', 'same.webm']
    for (const name of names) site.files.set(name, readFileSync(at(name)))
    const told = await inPage<{ events: string[]; still: string[]; notices: string[] }>(
      page,
      `
      const [events, still, notices] = [[], [], []]
      const clips = await Promise.all(input.names.map(async (name) => new File([await (await fetch(name)).blob()], name)))
      const trainer = await pantin.Trainer.start(clips, { ...input.settings, steps: 2 }, {
        ...place,
        name: 'told',
        onNotice: ({ kind, message }) => notices.push(kind + ' ' + message),
        onEvent(event) {
          if (event.kind === 'notice') events.push(event.notice.message)
          if (event.kind === 'still') still.push(event.clip)
        },
      })
      await trainer.done
      await pantin.storedRuns.remove('told')
      return { events, still, notices }
      `,
      { names, settings },
    )
    expect(told.still).toEqual(['same.webm'])
    const inNode = await train(names.map(at), {
      ...{ out: at('told'), model: tinyModel(), batch: 2, steps: 2, seed: 7, device: 'cpu' },
    })
    const notices = inNode.notices.map((notice) => notice.replace(`${at('')}/`, ''))
    expect(notices).toHaveLength(3)
    expect(told.events).toEqual(notices.filter((notice) => !/nothing moves/.test(notice)))
    expect(told.notices).toEqual(told.events.map((message) => `clip ${message}`))
  }, 480_000)

  test('where storage is full the run goes on in memory, and says so', async () => {
    const session = await page.context().newCDPSession(page)
    const origin = new URL(site.address).origin
    const usage = await inPage<number>(page, 'return (await navigator.storage.estimate()).usage')
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + 40_000 })
    const result = await inPage<{
      notices: string[]
      kinds: string[]
      saved: { inMemory: boolean }[]
      zip: string
      list: string[]
    }>(
      page,
      `${toBase64}
      const notices = []
      const kinds = []
      const saved = []
      const trainer = await pantin.Trainer.start([input.clip], { ...input.settings, steps: 8 }, { ...place, name: 'full', onNotice: ({ kind }) => notices.push(kind), onEvent(event) {
        kinds.push(event.kind)
        if (event.kind === 'saved') saved.push(event)
      } })
      const zip = await toBase64(await (await trainer.done).toZip())
      return { notices, kinds, saved, zip, list: (await pantin.storedRuns.list()).map(({ name }) => name) }
      `,
      { clip, settings },
    )
    await session.send('Storage.overrideQuotaForOrigin', { origin })
    expect(result.notices).toEqual(['storage-full'])
    expect(result.kinds).toContain('notice')
    expect(result.kinds.at(-1)).toBe('finished')
    expect(result.saved.at(-1)).toEqual({ kind: 'saved', step: 8, inMemory: true })
    expect(result.list).toEqual(expect.arrayContaining(['me', 'from node']))
    const { metadata } = await readSafetensors(join(unpacked(result.zip, at('full')), 'weights.safetensors'))
    expect(metadata.get('step')).toBe('8')
  }, 240_000)

  test('what found no room is stored once there is some, but for the frames: the run cannot go on, and leaves none', async () => {
    const session = await page.context().newCDPSession(page)
    const origin = new URL(site.address).origin
    const usage = await inPage<number>(page, 'return (await navigator.storage.estimate()).usage')
    // A browser without a profile of its own counts no frames, so the worker is given what others throw.
    site.files.set('full-worker.js', `${fullForFrames}${String(site.files.get('worker.js'))}`)
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + 20_000 })
    const during = await inPage<boolean>(
      page,
      `
      globalThis.saved = []
      let isSaved
      const first = new Promise((resolve) => { isSaved = resolve })
      globalThis.trainer = await pantin.Trainer.start([input.clip], { ...input.settings, steps: 100000 }, { ...place, workerUrl: 'full-worker.js', name: 'short', onEvent(event) {
        if (event.kind !== 'saved') return
        globalThis.saved.push(event.inMemory)
        isSaved(event.inMemory)
      } })
      return first
      `,
      { clip, settings },
    )
    expect(during).toBe(true)
    await session.send('Storage.overrideQuotaForOrigin', { origin })
    const after = await inPage<{ saved: boolean; files: string[]; stored: object; said: string }>(
      page,
      `
      await trainer.pause()
      const root = await (await (await navigator.storage.getDirectory()).getDirectoryHandle('pantin')).getDirectoryHandle('runs')
      const files = []
      for await (const name of (await (await root.getDirectoryHandle('short')).getDirectoryHandle('frames')).keys()) files.push(name)
      const stored = (await pantin.storedRuns.list()).find(({ name }) => name === 'short')
      const { step } = await pantin.storedRuns.open('short')
      const said = await pantin.Trainer.resume('short', { ...place, onEvent() {} }).then(() => 'done', (error) => error.message)
      await pantin.storedRuns.remove('short')
      return { saved: saved.at(-1), files, stored: { ...stored, isOfWeights: stored.step === step }, said }
      `,
    )
    expect(after.saved).toBe(false)
    expect(after.files).toEqual([])
    expect(after.stored).toMatchObject({ finished: false, resumable: false, isOfWeights: true })
    expect(after.said).toMatch(/frames are not kept/)
  }, 240_000)

  test('reading clips can be given up, and leaves nothing', async () => {
    const { said, names } = await inPage<{ said: string; names: string[] }>(
      page,
      `
      const stop = new AbortController()
      const onEvent = ({ kind }) => kind === 'decode' && stop.abort()
      const clips = ['puppet:3,frames=2000,size=48']
      const said = await pantin.Trainer.start(clips, input, { ...place, name: 'stopped', signal: stop.signal, onEvent }).then(() => 'done', ({ name }) => name)
      const root = await (await (await navigator.storage.getDirectory()).getDirectoryHandle('pantin')).getDirectoryHandle('runs')
      const names = []
      // The browser frees the lock of the worker that was ended when it gets to it.
      for (let tries = 0; tries < 50; tries++) {
        await pantin.storedRuns.list()
        names.length = 0
        for await (const name of root.keys()) names.push(name)
        if (!names.includes('stopped')) break
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return { said, names }
      `,
      settings,
    )
    expect(said).toBe('AbortError')
    expect(names).not.toContain('stopped')
  }, 240_000)

  test('what cannot be trained is refused with the reason', async () => {
    const said = await inPage<string[]>(
      page,
      `
      const onEvent = () => {}
      const start = (clips, settings, name) => pantin.Trainer.start(clips, { ...input, ...settings }, { ...place, name, onEvent })
      const attempts = [
        () => start(['puppet:3,frames=24,size=48'], {}, 'me'),
        () => start(['puppet:3,frames=24,size=48'], {}, '../up'),
        () => start(['puppet:3,frames=24,size=48'], { model: undefined, net: 'lednot' }, 'a'),
        () => start([new Blob(['no video, but a text'])], {}, 'a'),
        () => start(['https://example.org/a.mp4'], {}, 'a'),
        () => start([], {}, 'a'),
        () => pantin.Trainer.resume('me', { ...place, onEvent }),
        () => pantin.Trainer.resume('nobody', { ...place, onEvent }),
        () => pantin.Trainer.resume('from node', { ...place, onEvent }),
        () => pantin.storedRuns.open('nobody'),
        () => pantin.openRun(new Blob(['no zip'])),
        () => pantin.openRun(new Map([['a.txt', new Blob([])]])),
        () => pantin.openRun('nowhere/'),
      ]
      const said = []
      for (const attempt of attempts) {
        said.push(await attempt().then(() => 'done', (error) => (pantin.isPantinError(error) ? '' : 'UNTYPED ') + error.message))
      }
      return said
      `,
      settings,
    )
    const expected = [
      /exists and is not overwritten/,
      /cannot have this name/,
      /no network "lednot"[\s\S]*did you mean "lednet"/,
      /not a video/,
      /no such clip/,
      /no clip to train on/,
      /finished/,
      /no such run/,
      /frames are not kept/,
      /no such run/,
      /not a zip/,
      /not a run/,
      /cannot be fetched/,
    ]
    expect(said).toHaveLength(expected.length)
    for (const [i, pattern] of expected.entries()) expect(said[i]).toMatch(pattern)
    expect(said.filter((text) => text.startsWith('UNTYPED'))).toEqual([])
  }, 240_000)

  test('no page complains on its console', () => {
    // The browser itself reports the address that is not there.
    expect(site.complaints.filter((text) => !/404/.test(text))).toEqual([])
  })
})

/** In a worker: storage takes a frame or two, and no more. */
const fullForFrames = `
const { write } = FileSystemSyncAccessHandle.prototype
FileSystemSyncAccessHandle.prototype.write = function (bytes, options) {
  if (options.at > 10_000) throw new DOMException('no room', 'QuotaExceededError')
  return write.call(this, bytes, options)
}
`

/** Unpacks a zip of one folder. @returns that folder's path */
function unpacked(zip: string, into: string): string {
  const entries = Object.entries(unzipSync(fromBase64(zip)))
  for (const [path, data] of entries) {
    mkdirSync(dirname(join(into, path)), { recursive: true })
    writeFileSync(join(into, path), data)
  }
  return join(into, entries[0]![0].split('/')[0]!)
}
