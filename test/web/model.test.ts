// Keypoints and animation in a page are held to Node's, on a model that was trained for some steps.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPaster } from '../../src/animate/animate.ts'
import { createTransfer, poseDistance } from '../../src/animate/transfer.ts'
import { openClip } from '../../src/clips/source.ts'
import { openModel } from '../../src/model/open-model.ts'
import { starters } from '../../src/run/starters.ts'
import { puppetClip, stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { scratch } from '../animate/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { trainedRun } from '../support/shared.ts'
import { expectClose, inPage, openSite, type Site } from './browser.ts'

const title = chromium === undefined ? `pantin/web: skipped, ${withoutChromium}` : 'a run in a page'

describe.skipIf(chromium === undefined)(title, () => {
  const _at = scratch()
  let run: string
  let site: Site
  let page: Page

  beforeAll(async () => {
    run = await trainedRun()
    site = await openSite()
    for (const file of ['config.json', 'weights.safetensors']) {
      site.files.set(`runs/me/${file}`, await readFile(join(run, file)))
    }
    page = await site.open()
  }, 240_000)
  afterAll(() => site?.close())

  /** In a page: frames of a clip as ImageData-like lists would be large, so the page reads the puppet itself. */
  test('a video is tracked and drives as soon as its first frame is loaded, whenever it is opened', async () => {
    const tracked = await inPage<number[]>(
      page,
      `
      const clip = await pantin.openClip('puppet:4,frames=12,size=64', place)
      const writer = await pantin.createVideoWriter({ width: 64, height: 64, format: 'webm' }, place)
      for await (const { time, picture } of clip.frames()) {
        await writer.write(picture, time)
        picture.close()
      }
      const address = URL.createObjectURL(await writer.close())
      clip.close()
      const tracker = await pantin.Tracker.open('runs/me', place)
      const found = []
      for (let i = 0; i < 10; i++) {
        const video = document.createElement('video')
        video.muted = true
        const loaded = new Promise((resolve) => video.addEventListener('loadeddata', resolve))
        video.src = address
        await loaded
        if (i % 2 === 0) void video.play()
        found.push((await tracker.track(video)).value.length)
      }
      await tracker.close()
      return found
      `,
    )
    expect(tracked).toEqual(Array(10).fill(tracked[0]))
    expect(tracked[0]).toBeGreaterThan(0)
  })

  test('the same frames give the same keypoints as in Node', async () => {
    const { frames, ...facts } = await inPage<{
      frames: { value: number[]; jacobian: number[]; heatmap: number[] }[]
      device: string
      threads: number
      size: number
      step: number
    }>(
      page,
      `
      const run = await pantin.openRun('runs/me/')
      const tracker = await pantin.Tracker.open(run, place)
      const clip = await pantin.openClip('puppet:5,frames=3,size=32', place)
      const frames = []
      for await (const { time, picture } of clip.frames()) {
        const { value, jacobian, heatmap } = await tracker.track(picture, { time, heatmap: true })
        const plain = await tracker.track(picture, { time })
        if (JSON.stringify(plain.value.map(([x]) => x.toFixed(4))) !== JSON.stringify(value.map(([x]) => x.toFixed(4)))) throw new Error('heatmaps change the keypoints')
        picture.close()
        const { data, keypoints, height, width } = heatmap
        const sums = Array.from({ length: keypoints }, (_, k) => data.slice(k * height * width, (k + 1) * height * width).reduce((a, b) => a + b, 0))
        frames.push({ value: value.flat(), jacobian: jacobian.flat(2), heatmap: sums })
      }
      clip.close()
      const { device, threads, size } = tracker
      await tracker.close()
      return { frames, device, threads, size, step: run.step }
      `,
    )
    expect(facts).toEqual({ device: 'cpu', threads: 2, size: 32, step: 40 })
    const model = await openModel(run, { device: 'cpu' })
    expect(frames).toHaveLength(3)
    let at = 0
    for await (const frame of puppetClip({ seed: 5, frames: 3, size: 32 }).frames()) {
      const { value, jacobian } = await model.detect(frame.data)
      expectClose(frames[at]!.value, [...value], 1e-3, `values of frame ${at}`)
      expectClose(frames[at]!.jacobian, [...jacobian!], 1e-3, `jacobians of frame ${at}`)
      for (const sum of frames[at]!.heatmap) expect(sum).toBeCloseTo(1, 4)
      at++
    }
    await model.close()
  }, 240_000)

  test('a starter is opened by its name, and finds in a head what it finds in Node', async () => {
    for (const name of [
      'heads.bin',
      'starters/face-small/config.json',
      'starters/face-small/weights.safetensors',
    ]) {
      site.files.set(`assets/${name}`, await readFile(join('assets', name)))
    }
    const clip = 'head:100002,frames=2,size=128'
    const { found, size, names } = await inPage<{ found: number[][]; size: number; names: string[] }>(
      page,
      `
      const found = []
      const tracker = await pantin.Tracker.open('face-small', place)
      const clip = await pantin.openClip(input, place)
      for await (const { picture } of clip.frames()) found.push((await tracker.track(picture)).value.flat())
      const animator = await pantin.Animator.open('face-small', place)
      for await (const { picture } of clip.frames({ toFrame: 1 })) await animator.setSource(picture)
      for await (const { picture } of clip.frames({ fromFrame: 1 })) {
        const { frame } = await animator.animate(picture)
        if (frame.width !== 128) throw new Error('a frame of ' + frame.width)
      }
      const { size } = tracker
      await Promise.all([clip.close(), tracker.close(), animator.close()])
      return { found, size, names: pantin.starters.map(({ name }) => name) }
      `,
      clip,
    )
    expect({ size, names }).toEqual({ size: 128, names: starters.map(({ name }) => name) })
    await using model = await openModel('face-small', { device: 'cpu' })
    await using opened = await openClip(clip)
    let at = 0
    for await (const { data } of opened.frames()) {
      const { value } = await model.detect(data)
      expectClose(found[at]!, [...value], 1e-3, `values of frame ${at}`)
      at++
    }
    expect(at).toBe(2)
  }, 240_000)

  test('says what is missing where the assets are not served', async () => {
    const before = site.complaints.length
    const said = await inPage<string[]>(
      page,
      `
      const elsewhere = { ...place, assetsFolder: 'nowhere' }
      const said = []
      for (const open of [
        () => pantin.openClip('head:1,frames=1,size=64', elsewhere),
        () => pantin.openRun('face', { assetsFolder: 'nowhere/' }),
        () => pantin.openRun('fase'),
      ]) await open().catch((error) => said.push(error.constructor.name + ': ' + error.message))
      return said
      `,
    )
    // The browser tells of each file of a run that is not there, a little later.
    await expect.poll(() => site.complaints.length - before).toBe(4)
    const told = site.complaints.splice(before)
    expect(told.every((text) => text.includes('404'))).toBe(true)
    expect(said[0]).toMatch(
      /EnvironmentError.*nowhere\/heads\.bin: the shapes of synthetic heads.*assetsFolder/s,
    )
    expect(said[1]).toMatch(/InputError.*nowhere\/starters\/face\/config\.json/s)
    expect(said[2]).toMatch(/InputError.*fase.*face, face-small, puppet/s)
  })

  test('a picture moves as in Node, relative and absolute', async () => {
    const results = await inPage<Record<string, number[][]> & { refused: string[] }>(
      page,
      `
      const animator = await pantin.Animator.open(await pantin.openRun('runs/me/'), place)
      const pixelsOf = (bitmap) => {
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
        const context = canvas.getContext('2d')
        context.drawImage(bitmap, 0, 0)
        bitmap.close()
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
        return Array.from(data).filter((_, i) => i % 4 !== 3)
      }
      const source = await pantin.openClip('puppet:9,frames=1,size=32', place)
      for await (const { picture } of source.frames()) await animator.setSource(picture)
      const results = {}
      for (const absolute of [false, true]) {
        animator.resetReference()
        const clip = await pantin.openClip('puppet:5,frames=3,size=32', place)
        results[absolute] = []
        for await (const { time, picture } of clip.frames()) {
          const { frame, milliseconds, moved } = await animator.animate(picture, { time, absolute })
          if (!Object.values(milliseconds).every((ms) => ms >= 0)) throw new Error('stages without times')
          results[absolute].push(pixelsOf(frame))
          results.pose = moved
        }
        clip.close()
      }
      // The last pose once more, without a picture that drives.
      const { value, jacobian } = results.pose
      results.posed = pixelsOf((await animator.pose({ value, jacobian })).frame)
      results.refused = []
      for (const pose of [{ value: value.slice(1), jacobian }, { value: [[NaN, 0], ...value.slice(1)], jacobian }]) {
        results.refused.push(await animator.pose(pose).then(() => 'done', (error) => error.name + error.message))
      }
      await animator.close()
      return results
      `,
    )
    const model = await openModel(run, { device: 'cpu' })
    const source = stillPuppet({ seed: 9, size: 32 }).data
    const kpSource = await model.detect(source)
    for (const absolute of [false, true]) {
      let transfer: ReturnType<typeof createTransfer> | undefined
      const got = results[String(absolute)]!
      let at = 0
      for await (const frame of puppetClip({ seed: 5, frames: 3, size: 32 }).frames()) {
        const kpDriving = await model.detect(frame.data)
        transfer ??= createTransfer(kpSource, kpDriving, { absolute })
        const expected = await model.generate(source, kpSource, transfer(kpDriving))
        const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - got[at]![i]!)), 0)
        expect(worst, `frame ${at}, absolute ${absolute}`).toBeLessThanOrEqual(2)
        at++
      }
      expect(got).toHaveLength(at)
    }
    await model.close()
    expect(results.posed).toEqual(results.true!.at(-1))
    expect(results.refused[0]).toMatch(/InputError.*does not fit.*points/s)
    expect(results.refused[1]).toMatch(/InputError.*not finite/s)
  }, 240_000)

  test('motion starts from a pose that is set, and distances between poses are those of Node', async () => {
    const { distances, none, first, set, again, refused } = await inPage<{
      distances: number[]
      none: boolean
      first: number[]
      set: number[]
      again: number[]
      refused: string
    }>(
      page,
      `
      const animator = await pantin.Animator.open('runs/me/', place)
      const frames = []
      const clip = await pantin.openClip('puppet:5,frames=3,size=32', place)
      for await (const { picture } of clip.frames()) frames.push(picture)
      clip.close()
      const before = await animator.track(frames[0])
      const refused = await animator.setReference(before).then(() => 'done', (error) => error.message)
      const source = await pantin.openClip('puppet:9,frames=1,size=32', place)
      for await (const { picture } of source.frames()) await animator.setSource(picture)
      source.close()
      const tracked = []
      for (const frame of frames) tracked.push(await animator.track(frame))
      const movedBy = async (frame) => (await animator.animate(frame)).moved.value.flat()
      const first = await movedBy(frames[1])
      await animator.setReference(tracked[0])
      const set = await movedBy(frames[1])
      animator.resetReference()
      await movedBy(frames[0])
      const again = await movedBy(frames[1])
      await animator.close()
      const distances = tracked.map(({ poseDistance }) => poseDistance)
      return { distances, none: before.poseDistance === undefined, first, set, again, refused }
      `,
    )
    await using model = await openModel(run, { device: 'cpu' })
    const kpSource = await model.detect(stillPuppet({ seed: 9, size: 32 }).data)
    const expected: number[] = []
    for await (const { data } of puppetClip({ seed: 5, frames: 3, size: 32 }).frames()) {
      expected.push(poseDistance(kpSource, await model.detect(data)))
    }
    expectClose(distances, expected, 1e-2, 'distances')
    expect(none).toBe(true)
    expect(refused).toMatch(/no picture to animate yet/)
    // The first frame that drives moves nothing.
    expectClose(first, [...kpSource.value], 1e-3, 'the source')
    expectClose(set, again, 1e-5, 'moved from the pose that was set')
    expect(Math.max(...set.map((value, i) => Math.abs(value - first[i]!)))).toBeGreaterThan(1e-3)
  }, 240_000)

  test('a moved square is put back into the whole picture as in Node, in every shape', async () => {
    const paste = (width: number, height: number, crop: string) =>
      inPage<{ pasted: number[]; square: number[]; size: number[] }>(
        page,
        `
        const [width, height] = [${width}, ${height}]
        const picture = new ImageData(width, height)
        for (let i = 0; i < width * height; i++) {
          const [x, y] = [i % width, Math.floor(i / width)]
          picture.data.set([(255 * x) / width, (255 * y) / height, 90, 255], 4 * i)
        }
        const animator = await pantin.Animator.open('runs/me/', place)
        await animator.setSource(picture, ${crop})
        const pixelsOf = (bitmap) => {
          const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')
          context.drawImage(bitmap, 0, 0)
          return Array.from(context.getImageData(0, 0, bitmap.width, bitmap.height).data).filter((_, i) => i % 4 !== 3)
        }
        const driving = new ImageData(32, 32)
        const { frame: whole, moved } = await animator.animate(driving, { paste: true })
        const { frame: square } = await animator.pose(moved)
        const { frame: posed } = await animator.pose(moved, { paste: true })
        await animator.close()
        const [pasted, other] = [pixelsOf(whole), pixelsOf(posed)]
        if (pasted.some((value, i) => value !== other[i])) throw new Error('a pose is pasted in another way')
        return { pasted, square: pixelsOf(square), size: [whole.width, whole.height] }
        `,
      )
    for (const [width, height, crop, square] of [
      [50, 40, '{ crop: { left: 9, top: 4, side: 32 } }', { left: 9, top: 4, side: 32 }],
      [32, 48, '{}', { left: 0, top: 8, side: 32 }],
    ] as const) {
      const shown = await paste(width, height, crop)
      expect(shown.size).toEqual([width, height])
      const data = new Uint8Array(width * height * 3)
      for (let i = 0; i < width * height; i++) {
        const [x, y] = [i % width, Math.floor(i / width)]
        data.set([Math.round((255 * x) / width), Math.round((255 * y) / height), 90], 3 * i)
      }
      const frame = { width, height, data, time: 0, duration: 0 }
      const moved = { width: 32, height: 32, data: Uint8Array.from(shown.square), time: 0, duration: 0 }
      const expected = createPaster(frame, square).show(moved).data
      // Canvases keep colours under an opacity with fewer digits.
      const worst = shown.pasted.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
      expect(worst, `${width} x ${height}`).toBeLessThanOrEqual(4)
    }
    // Larger pictures are made smaller: no film of them would play.
    const large = await inPage<number[]>(
      page,
      `
      const animator = await pantin.Animator.open('runs/me/', place)
      await animator.setSource(new ImageData(3000, 1000), { crop: { left: 2000, top: 0, side: 1000 } })
      const { frame } = await animator.animate(new ImageData(32, 32), { paste: true })
      await animator.close()
      return [frame.width, frame.height]
      `,
    )
    expect(large).toEqual([1920, 640])
  }, 240_000)

  test('opening is given up by a signal, and leaves no worker', async () => {
    const result = await inPage<{ said: string[]; before: string[]; open: number }>(
      page,
      `
      const run = await pantin.openRun('runs/me/')
      let open = 0
      const { terminate } = Worker.prototype
      const Own = globalThis.Worker
      globalThis.Worker = class extends Own { constructor(...given) { super(...given); open++ } }
      Worker.prototype.terminate = function () { open--; terminate.call(this) }
      const attempts = (signal) => [
        () => pantin.openRun('runs/me/', { signal }),
        () => pantin.openClip('puppet:5,frames=3,size=32', { ...place, signal }),
        () => pantin.createVideoWriter({ width: 64, height: 64 }, { ...place, signal }),
        () => pantin.Tracker.open(run, { ...place, signal }),
        () => pantin.Animator.open(run, { ...place, signal }),
        () => pantin.listNetworks({ ...place, signal }),
        () => pantin.profileNetwork('lednet', { ...place, signal }),
        () => pantin.timeNetwork('ficelle', { ...place, signal }),
      ]
      const name = (work) => work.then(() => 'done', (error) => error.message)
      const [said, before] = [[], []]
      for (const i of attempts(undefined).keys()) {
        const stop = new AbortController()
        const work = name(attempts(stop.signal)[i]())
        stop.abort(new Error('given up'))
        said.push(await work)
        before.push(await name(attempts(AbortSignal.abort(new Error('never begun')))[i]()))
      }
      // A signal that is aborted later has no meaning for what is open.
      const later = new AbortController()
      const tracker = await pantin.Tracker.open(run, { ...place, signal: later.signal })
      later.abort()
      await tracker.track(new ImageData(32, 32))
      await tracker.close()
      globalThis.Worker = Own
      Own.prototype.terminate = terminate
      return { said, before, open }
      `,
    )
    expect(result.said).toEqual(Array(8).fill('given up'))
    expect(result.before).toEqual(Array(8).fill('never begun'))
    expect(result.open).toBe(0)
  })

  test('what holds a worker is disposable, in browsers without Symbol.asyncDispose too', async () => {
    const body = `
      const key = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')
      const run = await pantin.openRun('runs/me/')
      const objects = [
        await pantin.Tracker.open(run, place),
        await pantin.Animator.open(run, place),
        await pantin.openClip('puppet:5,frames=3,size=32', place),
        await pantin.createVideoWriter({ width: 64, height: 64 }, place),
      ]
      const uses = [
        () => objects[0].track(new ImageData(32, 32)),
        () => objects[1].setSource(new ImageData(32, 32)),
        () => objects[2].frames().next(),
        () => objects[3].write(new ImageData(64, 64), 0),
      ]
      const said = []
      for (const use of uses) await use()
      for (const [i, object] of objects.entries()) {
        await object[key]()
        await object[key]()
        said.push(await uses[i]().then(() => 'done', (error) => error.message))
      }
      return { said, isKnown: Symbol.asyncDispose !== undefined }
    `
    const here = await inPage<{ said: string[]; isKnown: boolean }>(page, body)
    expect(here.isKnown).toBe(true)
    for (const text of here.said) expect(text).toMatch(/it is closed/)

    const older = await (await site.context()).newPage()
    await older.addInitScript(() => {
      const own = globalThis.Symbol
      const names: PropertyKey[] = ['asyncDispose', 'dispose']
      // Not a proxy of Symbol itself, whose properties a proxy must tell.
      const older: object = new Proxy(() => {}, {
        get: (_, name) => (names.includes(name) ? undefined : Reflect.get(own, name)),
        apply: (_, __, [description]: [string]) => own(description),
      })
      globalThis.Symbol = older as typeof Symbol
    })
    await older.goto(site.address)
    await older.waitForFunction(() => (globalThis as { ready?: boolean }).ready === true)
    const there = await inPage<{ said: string[]; isKnown: boolean }>(older, body)
    expect(there).toEqual({ said: here.said, isKnown: false })
    await older.close()
  })

  test('no page complains on its console', () => {
    expect(site.complaints).toEqual([])
  })
})
