import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type SearchTask, writeCost, writeRung } from '../../../src/study/search/candidate.ts'
import {
  type SearchOptions,
  type SearchProgress,
  type SearchTools,
  searchWith,
} from '../../../src/study/search/search.ts'
import { train } from '../../../src/train/train.ts'
import { EnvironmentError, InputError } from '../../../src/util/errors.ts'
import { type Design, parseDesign } from '../../../src/zoo/design.ts'
import { ficelleDesign } from '../../../src/zoo/ficelle.ts'
import { tinyModel } from '../../train/tiny.ts'

const clip = 'puppet:1,frames=10,size=32'
const root = mkdtempSync(join(tmpdir(), 'pantin-search-'))
const teacher = join(root, 'teacher')
beforeAll(async () => {
  await train(clip, { out: teacher, model: tinyModel(), steps: 1, batch: 1, device: 'cpu' })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

let out: string
beforeEach(() => {
  out = join(root, 'search')
})
afterEach(() => rmSync(out, { recursive: true, force: true }))

/** Stands in for time and training: wide designs are slow, and deep ones learn more with more steps. */
const widthOf = ({ stages }: Design) => stages.reduce((sum, { width }) => sum + width, 0)
const depthOf = ({ stages }: Design) => stages.reduce((sum, { depth }) => sum + depth, 0)
const ratioOf = (design: Design) => widthOf(design) / widthOf(ficelleDesign)

function worker(did: string[] = []) {
  return async (task: SearchTask): Promise<undefined> => {
    const { design, folder } = task
    did.push(`${basename(folder)} ${task.kind === 'rung' ? task.rung : 'cost'}`)
    if (task.kind === 'cost') {
      const ratio = ratioOf(design)
      await writeCost(folder, {
        ...{ ratio, ms: ratio, referenceMs: 1, rounds: 1, device: 'cpu' },
        ...{ params: 1, macs: 1 },
      })
      return undefined
    }
    const run = join(folder, `rung-${task.rung}`)
    mkdirSync(join(run, 'last'), { recursive: true })
    await writeRung(folder, task.rung, {
      ...{ status: 'done', steps: task.steps, frames: 1, device: 'cpu', wallSeconds: task.steps / 10 },
      distance: 1 / (1 + depthOf(design)) + 1 / task.steps,
    })
    return undefined
  }
}

const options = (more: Partial<SearchOptions & SearchTools> = {}): SearchOptions & SearchTools => ({
  ...{ out, teacher, candidates: 9, mutations: 3, steps: 10, rungs: 2, threads: 1, device: 'cpu' },
  ...more,
})

describe('a search', () => {
  it('trains what is fast enough, the best of it longer, then mutations of the best', async () => {
    const did: string[] = []
    const events: SearchProgress[] = []
    const found = await searchWith(
      [clip],
      options({ perform: worker(did), onProgress: (e) => events.push(e) }),
    )
    const trained = did.filter((what) => !what.endsWith('cost'))
    expect(trained.filter((what) => what.endsWith(' 0'))).toHaveLength(9 + 3)
    expect(trained.filter((what) => what.endsWith(' 1'))).toHaveLength(3 + 1)
    expect(trained[0]).toBe('reference 0')
    for (const { id, cost } of found.tried) if (id !== 'reference') expect(cost.ratio).toBeLessThanOrEqual(1)
    expect(found.dropped).toBe(did.length - trained.length - found.tried.length)
    expect(found.dropped).toBeGreaterThan(0)

    expect(found.finalists).toHaveLength(4)
    const distances = found.finalists.map(({ distance }) => distance)
    expect(distances).toEqual(distances.toSorted((a, b) => a - b))
    expect(found.best!.onFront).toBe(true)
    expect(depthOf(found.best!.design)).toBeGreaterThan(depthOf(ficelleDesign))
    expect(found.against!.best).toBeLessThan(found.against!.reference)
    expect(found.tried.filter(({ parent }) => parent !== undefined)).toHaveLength(3)
    expect(parseDesign(JSON.parse(readFileSync(join(out, 'best.json'), 'utf8')))).toEqual(found.best!.design)
    expect([existsSync(found.best!.run), existsSync(join(found.best!.run, 'last'))]).toEqual([true, false])
    expect(existsSync(join(out, 'candidates', found.best!.id, 'rung-0'))).toBe(false)

    expect(found.trainings).toEqual({ done: 16, total: 16 })
    const last = events.at(-1)!
    expect(last).toMatchObject({ phase: 'train', done: 16, total: 16, progress: 1, etaSeconds: 0 })
    // After the first training of ten steps in a second: 230 steps are left.
    expect(events.find(({ phase, done }) => phase === 'train' && done === 1)!.etaSeconds).toBeCloseTo(23)
  })

  it('goes on where it was stopped, and ends as one that was not', async () => {
    const whole = await searchWith([clip], options({ perform: worker() }))
    rmSync(out, { recursive: true })
    const [first, second]: [string[], string[]] = [[], []]
    const stop = new AbortController()
    const work = worker(first)
    const stopped = await searchWith(
      [clip],
      options({
        signal: stop.signal,
        perform: async (task) => {
          if (first.length === 18) stop.abort()
          return stop.signal.aborted ? undefined : work(task)
        },
      }),
    )
    expect(stopped).toMatchObject({ interrupted: true })
    const rest = await searchWith([clip], options({ perform: worker(second) }))
    expect(first).toHaveLength(18)
    expect(second.filter((what) => first.includes(what))).toEqual([])
    expect(rest).toEqual(whole)
    const third: string[] = []
    expect(await searchWith([clip], options({ perform: worker(third) }))).toEqual(whole)
    expect(third).toEqual([])
  })

  it('does several trainings at a time, but the first alone, which makes the labels for all', async () => {
    const one = await searchWith([clip], options({ perform: worker() }))
    rmSync(out, { recursive: true })
    const work = worker()
    const running: number[] = []
    let now = 0
    const perform = async (task: SearchTask): Promise<undefined> => {
      if (task.kind === 'cost') return work(task)
      const at = running.push(++now) - 1
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
      running[at] = Math.max(running[at]!, now)
      await work(task)
      now--
    }
    const several = await searchWith([clip], options({ perform, jobs: 3 }))
    expect(several).toEqual(one)
    expect(running[0]).toBe(1)
    expect(Math.max(...running)).toBe(3)
  })

  it('loses nothing where a process fails, and says what was wrong', async () => {
    const work = worker()
    const failing = options({
      perform: async (task) => {
        if (task.kind === 'rung' && task.rung === 1) throw new EnvironmentError({ what: 'out of memory' })
        return work(task)
      },
    })
    await expect(searchWith([clip], failing)).rejects.toThrow(EnvironmentError)
    await expect(searchWith([clip], failing)).rejects.toThrow('out of memory')
    const did: string[] = []
    await searchWith([clip], options({ perform: worker(did) }))
    expect(did[0]).toMatch(/ 1$/)
  })

  it('goes on without candidates that diverge, and does torn results again', async () => {
    const work = worker()
    const diverging = async (task: SearchTask) => {
      if (task.kind === 'cost' || task.folder.endsWith('reference')) return work(task)
      const { steps, rung, folder } = task
      await writeRung(folder, rung, { status: 'failed', steps, reason: 'NaN', wallSeconds: 1 })
      return undefined
    }
    const found = await searchWith([clip], options({ perform: diverging }))
    expect(found.finalists.map(({ id }) => id)).toEqual(['reference'])
    expect(found.against).toBeUndefined()
    writeFileSync(join(out, 'candidates', 'reference', 'rung-1.json'), '{"status":')
    const did: string[] = []
    await searchWith([clip], options({ perform: worker(did) }))
    expect(did).toEqual(['reference 1'])
  })

  it('draws other designs for another seed, and tries the reference only within the limits', async () => {
    const idsOf = async (more: Partial<SearchOptions & SearchTools>) => {
      const { tried } = await searchWith([clip], options({ perform: worker(), mutations: 0, ...more }))
      rmSync(out, { recursive: true })
      return tried.map(({ design }) => JSON.stringify(design))
    }
    const [one, same, other] = [await idsOf({}), await idsOf({}), await idsOf({ seed: 2 })]
    expect(one).toEqual(same)
    expect(other.filter((design) => one.includes(design))).toHaveLength(1)
    expect(await idsOf({ latency: 0.9 })).not.toContain(JSON.stringify(ficelleDesign))
  })

  it('refuses another plan, a folder of something else, and a second process', async () => {
    await searchWith([clip], options({ perform: worker(), mutations: 0 }))
    await expect(
      searchWith([clip], options({ perform: worker(), mutations: 0, latency: 2 })),
    ).rejects.toThrow(/another latency[\s\S]*got: +2[\s\S]*expected: 1/)
    await expect(searchWith([clip], options({ out: teacher, perform: worker() }))).rejects.toThrow(
      'not a search',
    )
    let second: Promise<unknown> | undefined
    rmSync(out, { recursive: true })
    await searchWith(
      [clip],
      options({
        perform: async (task) => {
          second ??= expect(searchWith([clip], options({ perform: worker() }))).rejects.toThrow('in use')
          await second
          return worker()(task)
        },
      }),
    )
    expect(second).toBeDefined()
  })

  it.each<[string, Partial<SearchOptions & SearchTools>, string]>([
    ['a teacher that is none', { teacher: 'nowhere' }, 'not a run'],
    ['nothing to measure on', { holdout: 0 }, '--test'],
    ['a test clip that is none', { test: ['nothing.mp4'] }, 'nothing.mp4'],
    ['latencies that nothing has', { latency: 0.001, candidates: 2 }, 'too few designs'],
    ['no candidates', { candidates: 0 }, 'candidates'],
  ])('refuses %s', async (_, more, words) => {
    const failed = searchWith([clip], options({ perform: worker(), ...more }))
    await expect(failed).rejects.toThrow(InputError)
    await expect(failed).rejects.toThrow(words)
  })
})
