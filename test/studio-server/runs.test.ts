import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { acquireLock } from '../../src/files/lock.ts'
import { together } from '../../src/server/run-routes.ts'
import type { Studio } from '../../src/server/server.ts'
import { makePlan as makeSearchPlan } from '../../src/study/search/plan.ts'
import { makePlan } from '../../src/study/trials/plan.ts'
import type { RunDetails, RunListing, RunMetrics } from '../../src/web/studio-api.ts'
import { makeRun, makeWorld } from './world.ts'

/** What the API tells of runs. */

const world = makeWorld()
let studio: Studio

beforeAll(async () => {
  await makeRun(world.run)
  studio = await world.start({ runs: [world.run] })
})
afterAll(() => world.remove())

function get(path: string, at = studio): Promise<Response> {
  return fetch(`http://127.0.0.1:${at.port}/api/${path}`, { headers: { 'X-Pantin-Token': at.token } })
}
const json = async <T>(path: string, at = studio) => (await (await get(path, at)).json()) as T

it('prints an address that leads to the runs, with the token where it is not sent on', () => {
  expect(studio.address).toBe(`http://127.0.0.1:${studio.port}/#/runs?token=${studio.token}`)
})

it('lists a run with where it stands', async () => {
  const listing = await json<RunListing>('runs')
  expect(listing).toMatchObject({ version: expect.any(String), canSave: false })
  expect(listing.runs).toHaveLength(1)
  expect(listing.runs[0]).toMatchObject({
    id: expect.stringMatching(/^tiny-[0-9a-f]{8}$/),
    ...{ name: 'tiny', state: 'finished', kind: 'train', net: 'hourglass', size: 32, keypoints: 3 },
    ...{ step: 3, steps: 3, progress: 1, hasWeights: true },
    loss: expect.any(Number),
    updated: expect.stringMatching(/^\d{4}-/),
  })
})

it('tells settings, previews, metrics and files of a run', async () => {
  const { runs } = await json<RunListing>('runs')
  const id = runs[0]!.id
  const details = await json<RunDetails>(`runs/${id}`)
  expect(details.config).toEqual(JSON.parse(readFileSync(join(world.run, 'config.json'), 'utf8')))
  expect(details.environment).toMatchObject({ cpu: expect.any(String) })
  expect(details.previews).toEqual(['step-00000003.png'])

  const preview = await get(`runs/${id}/previews/${details.previews[0]}`)
  expect(preview.headers.get('content-type')).toBe('image/png')
  const bytes = Buffer.from(await preview.arrayBuffer())
  expect(bytes.equals(readFileSync(join(world.run, 'previews', details.previews[0]!)))).toBe(true)

  const metrics = await json<RunMetrics>(`runs/${id}/metrics`)
  expect(metrics.records.map(({ step }) => step)).toEqual([1, 2, 3, 3])
  expect(await json<RunMetrics>(`runs/${id}/metrics?cursor=${metrics.cursor}`)).toMatchObject({
    records: [],
    whole: false,
  })
  expect((await get(`runs/${id}/metrics?cursor=../x`)).status).toBe(422)

  for (const [name, path] of [
    ['config.json', 'config.json'],
    ['weights.safetensors', 'weights.safetensors'],
    ['checkpoint.safetensors', 'last/checkpoint.safetensors'],
  ] as const) {
    const file = await get(`runs/${id}/files/${name}`)
    expect(file.headers.get('cache-control')).toBe('no-store')
    expect(Buffer.from(await file.arrayBuffer()).equals(readFileSync(join(world.run, path))), name).toBe(true)
  }
})

it('shows what comes into a folder of runs, and what goes', async () => {
  const place = join(world.folder, 'many')
  mkdirSync(place)
  const many = await world.start({ runs: [place] })
  expect((await json<RunListing>('runs', many)).runs).toEqual([])
  cpSync(world.run, join(place, 'one'), { recursive: true })
  cpSync(world.run, join(place, 'two'), { recursive: true })
  mkdirSync(join(place, 'no-run'))
  // A link that leads out shows nothing that nobody named.
  symlinkSync(world.run, join(place, 'linked'))
  const names = async () => (await json<RunListing>('runs', many)).runs.map(({ name }) => name)
  expect(await names()).toEqual(['one', 'two'])
  rmSync(join(place, 'one'), { recursive: true })
  expect(await names()).toEqual(['two'])
})

it('tells of a broken run what is wrong, and goes on with others', async () => {
  const place = join(world.folder, 'broken')
  mkdirSync(place)
  cpSync(world.run, join(place, 'good'), { recursive: true })
  cpSync(world.run, join(place, 'newer'), { recursive: true })
  cpSync(world.run, join(place, 'torn'), { recursive: true })
  writeFileSync(join(place, 'newer', 'config.json'), '{"pantin":{"format":99,"version":"9.0.0"}}')
  appendFileSync(join(place, 'torn', 'metrics.jsonl'), '{"step": 4, "lo')
  // A lock that cannot be read, also by root.
  cpSync(world.run, join(place, 'locked'), { recursive: true })
  symlinkSync('lock', join(place, 'locked', 'lock'))
  rmSync(join(place, 'torn', 'weights.safetensors'))
  const at = await world.start({ runs: [place] })
  const { runs } = await json<RunListing>('runs', at)
  expect(runs.map(({ name, state, step, hasWeights }) => ({ name, state, step, hasWeights }))).toEqual([
    { name: 'good', state: 'finished', step: 3, hasWeights: true },
    { name: 'locked', state: 'broken', step: 0, hasWeights: false },
    { name: 'newer', state: 'broken', step: 0, hasWeights: false },
    { name: 'torn', state: 'finished', step: 3, hasWeights: false },
  ])
  expect(runs[1]!.problem).toMatchObject({ where: join(place, 'locked', 'lock') })
  expect(runs[2]!.problem).toMatchObject({ what: expect.stringContaining('newer pantin') })
  expect((await get(`runs/${runs[3]!.id}/files/weights.safetensors`, at)).status).toBe(404)
})

it('tells of runs that were compressed or packed, and does not count steps that they never took', async () => {
  const place = join(world.folder, 'made')
  const { pantin, model } = JSON.parse(readFileSync(join(world.run, 'config.json'), 'utf8')) as Record<
    string,
    unknown
  >
  const packed = { pantin, model, training: { fit: 'crop', crop: 'auto' } }
  const compressed = { ...packed, compression: { device: 'cpu', eightBits: {} } }
  for (const [name, config] of Object.entries({ compressed, packed })) {
    mkdirSync(join(place, name), { recursive: true })
    cpSync(join(world.run, 'weights.safetensors'), join(place, name, 'weights.safetensors'))
    writeFileSync(join(place, name, 'config.json'), JSON.stringify(config))
  }
  const { runs } = await json<RunListing>('runs', await world.start({ runs: [place] }))
  const told = runs.map(({ name, state, kind }) => ({ name, state, kind }))
  // Neither can be resumed.
  expect(told).toEqual([
    { name: 'compressed', state: 'compressed', kind: 'compress' },
    { name: 'packed', state: 'imported', kind: undefined },
  ])
})

it('serves no file of a run that is a link to elsewhere', async () => {
  const place = join(world.folder, 'linking')
  cpSync(world.run, place, { recursive: true })
  const secret = join(world.folder, 'secret.txt')
  rmSync(join(place, 'env.json'))
  symlinkSync(secret, join(place, 'env.json'))
  symlinkSync(secret, join(place, 'previews', 'step-00000009.png'))
  rmSync(join(place, 'last'), { recursive: true })
  symlinkSync(world.folder, join(place, 'last'))
  const at = await world.start({ runs: [place] })
  const { runs } = await json<RunListing>('runs', at)
  const id = runs[0]!.id
  for (const path of ['files/env.json', 'previews/step-00000009.png', 'files/checkpoint.safetensors']) {
    expect((await get(`runs/${id}/${path}`, at)).status, path).toBe(404)
  }
  expect((await json<RunDetails>(`runs/${id}`, at)).environment).toBeNull()
})

it('refuses folders that hold no run', async () => {
  await expect(world.start({ runs: [world.site] })).rejects.toThrow(/there is no run here/)
  await expect(world.start({ runs: [join(world.folder, 'absent')] })).rejects.toThrow(
    /no such file or folder/,
  )
  await expect(world.start({ runs: [join(world.run, 'config.json')] })).rejects.toThrow(
    /there is no run here/,
  )
})

it('tells how far a study is, with the pace of its last results', async () => {
  const study = join(world.folder, 'lab', 'a study')
  const plan = await makePlan(['puppet:1,frames=8,size=16'], {
    ...{ nets: ['enet'], skips: ['all'], seeds: 4, size: 16, keypoints: 2, steps: 2, device: 'cpu' },
  })
  mkdirSync(study, { recursive: true })
  await expect(world.start({ runs: [join(world.folder, 'lab')] })).rejects.toThrow('there is no run here')
  writeFileSync(join(study, 'plan.json'), JSON.stringify(plan))
  const many = await world.start({ runs: [join(world.folder, 'lab')] })
  const list = async () => (await json<RunListing>('runs', many)).studies
  const name = { id: expect.stringMatching(/^a-study-[0-9a-f]{8}$/) as string, name: 'a study' }
  expect(await list()).toEqual([{ ...name, state: 'stopped', total: 4, done: 0, failed: 0 }])

  // Three results, ten seconds apart.
  const end = (seed: number, result: object) => {
    const folder = join(study, 'trials', `enet-scratch-all-${seed}`)
    mkdirSync(folder, { recursive: true })
    const trial = { net: 'enet', method: 'scratch', skip: 'all', seed }
    writeFileSync(join(folder, 'result.json'), JSON.stringify({ trial, wallSeconds: 1, ...result }))
    utimesSync(join(folder, 'result.json'), 1000 + 10 * seed, 1000 + 10 * seed)
  }
  const done = { status: 'done', measures: { l1: 1 }, frames: 3, device: 'cpu' }
  end(42, done)
  end(43, { status: 'failed', reason: 'numbers are not finite' })
  end(44, done)
  expect(await list()).toMatchObject([{ state: 'stopped', done: 3, failed: 1 }])
  const lock = acquireLock(join(study, 'lock'))
  expect(await list()).toEqual([{ ...name, state: 'training', total: 4, done: 3, failed: 1, etaSeconds: 10 }])
  end(45, { ...done, measures: { ratio: 0.75 } })
  end(42, { ...done, measures: { ratio: 0.5 } })
  const errors = { measure: expect.stringContaining('still picture') as string, by: { enet: 0.625 } }
  expect(await list()).toMatchObject([{ state: 'finished', done: 4, total: 4, errors }])
  lock.release()

  writeFileSync(join(study, 'plan.json'), '{"format": 9}')
  expect(await list()).toMatchObject([
    { state: 'broken', problem: { what: expect.stringContaining('plan') } },
  ])
  // Its folder may be named itself.
  expect((await json<RunListing>('runs', await world.start({ runs: [study] }))).studies).toHaveLength(1)
})

it('tells how far a search is, with its best design and the pace of its last steps', async () => {
  const search = join(world.folder, 'designs', 'a search')
  // 3 designs, of which one goes on; then a mutation, on both rungs.
  const plan = await makeSearchPlan(['puppet:1,frames=8,size=32'], {
    ...{ teacher: world.run, candidates: 3, mutations: 1, rungs: 2, steps: 10, threads: 1, device: 'cpu' },
  })
  mkdirSync(search, { recursive: true })
  writeFileSync(join(search, 'search.json'), JSON.stringify(plan))
  const many = await world.start({ runs: [join(world.folder, 'designs')] })
  const list = async () => (await json<RunListing>('runs', many)).searches
  const name = { id: expect.stringMatching(/^a-search-[0-9a-f]{8}$/) as string, name: 'a search' }
  expect(await list()).toEqual([{ ...name, state: 'stopped', total: 6, done: 0, failed: 0 }])

  const end = (id: string, rung: number, at: number, distance?: number) => {
    const folder = join(search, 'candidates', id)
    mkdirSync(folder, { recursive: true })
    const how =
      distance === undefined
        ? { status: 'failed', reason: 'numbers are not finite' }
        : { status: 'done', distance, frames: 2, device: 'cpu' }
    const path = join(folder, `rung-${rung}.json`)
    writeFileSync(path, JSON.stringify({ steps: 10 * 3 ** rung, wallSeconds: 1, ...how }))
    utimesSync(path, at, at)
  }
  end('reference', 0, 1000, 0.5)
  end('r000', 0, 1010, 0.25)
  end('r001', 0, 1020)
  const best = { id: 'r000', steps: 10, distance: 0.25 }
  expect(await list()).toEqual([{ ...name, state: 'stopped', total: 6, done: 3, failed: 1, best }])
  // One step a second, and 70 steps to go: 30, and 10 and 30 of the mutation.
  const lock = acquireLock(join(search, 'lock'))
  expect(await list()).toMatchObject([{ state: 'training', done: 3, etaSeconds: 70 }])
  // A higher rung counts more. If nothing is left of the drawn designs, there are no mutations.
  end('r000', 1, 1030, 0.375)
  expect(await list()).toMatchObject([{ total: 6, done: 4, best: { steps: 30, distance: 0.375 } }])
  end('r000', 1, 1030)
  expect(await list()).toMatchObject([{ state: 'finished', total: 4, done: 4, failed: 2, best }])
  end('r000', 1, 1030, 0.375)
  end('m000', 0, 1040, 0.5)
  end('m000', 1, 1050, 0.125)
  expect(await list()).toMatchObject([{ state: 'finished', done: 6, best: { id: 'm000', distance: 0.125 } }])
  lock.release()

  writeFileSync(join(search, 'search.json'), '{"format": 9}')
  expect(await list()).toMatchObject([
    { state: 'broken', problem: { what: expect.stringContaining('plan of this search') } },
  ])
  expect((await json<RunListing>('runs', await world.start({ runs: [search] }))).searches).toHaveLength(1)
})

it('reads once for all who ask at once, and for none what was read before it asked', async () => {
  let [begun, now] = [0, 'first']
  const open: (() => void)[] = []
  const read = together(async (key: string) => {
    begun++
    const seen = `${key} ${now}`
    await new Promise<void>((resolve) => open.push(resolve))
    if (seen === 'a third') throw new Error('gone')
    return seen
  })
  const first = read('a')
  now = 'second'
  const others = [read('a'), read('a'), read('a')]
  const another = read('b')
  expect(begun).toBe(2)
  open.shift()!()
  expect(await first).toBe('a first')
  await expect.poll(() => open.length).toBe(2)
  for (const go of open.splice(0)) go()
  expect(await Promise.all(others)).toEqual(['a second', 'a second', 'a second'])
  expect(await another).toBe('b second')
  expect(begun).toBe(3)
  // A round that fails is no obstacle to the next one.
  now = 'third'
  const failing = read('a')
  now = 'fourth'
  const next = read('a')
  open.shift()!()
  await expect(failing).rejects.toThrow('gone')
  await expect.poll(() => open.length).toBe(1)
  open.shift()!()
  expect(await next).toBe('a fourth')
})
