import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hashDetector } from '../../../src/model/open-model.ts'
import { makePlan, openStudy, type TrialPlan, trialKey, trialsOf } from '../../../src/study/trials/plan.ts'
import { netNames } from '../../../src/zoo/registry.ts'

const clip = 'puppet:1,frames=10,size=32'
const tiny = { nets: ['enet', 'lednet'], size: 32, seeds: 2 }

describe('a plan', () => {
  it('tries every network once before any a second time', async () => {
    const trials = trialsOf(await makePlan([clip], tiny))
    expect(trials).toHaveLength(8)
    expect(trials.map(trialKey).slice(0, 5)).toEqual([
      'enet-scratch-all-42',
      'lednet-scratch-all-42',
      'enet-scratch-none-42',
      'lednet-scratch-none-42',
      'enet-scratch-all-43',
    ])
    expect(new Set(trials.map(trialKey)).size).toBe(8)
  })

  it('has every network of the zoo, or says why not', async () => {
    const { nets, skipped } = await makePlan([clip], { size: 32 })
    expect([...nets, ...skipped.map(({ net }) => net)].toSorted()).toEqual(netNames.toSorted())
    const whole = await makePlan(['puppet:1,frames=10,size=64'], {})
    expect(whole.nets).toEqual(netNames)
    expect(whole.settings).toMatchObject({ steps: 1000, batch: 8, holdout: 0.2, size: 64, keypoints: 10 })
    expect(whole.seeds).toEqual([42, 43, 44])
    const small = await makePlan(['puppet:1,frames=10,size=48'], { size: 48 })
    expect(small.skipped).toContainEqual({
      net: 'hourglass',
      reason: expect.stringContaining('multiple of 32'),
    })
    expect(small.nets).not.toContain('hourglass')
  })

  it('tries a skip once where a network has no use for it', async () => {
    const skips = ['none', 'sum'] as const
    const plan = await makePlan([clip], { nets: ['ficelle', 'lednet'], skips, size: 32, seeds: 1 })
    // It joins the map of 1/4 in any case.
    expect(plan.alike).toEqual([{ net: 'ficelle', skip: 'sum', as: 'none' }])
    expect(trialsOf(plan).map(trialKey)).toEqual([
      'ficelle-scratch-none-42',
      'lednet-scratch-none-42',
      'lednet-scratch-sum-42',
    ])
  })

  it('knows what stands behind the names', async () => {
    const { contents } = await makePlan([clip], { ...tiny, test: ['puppet:2,frames=7,size=48'] })
    expect(contents).toEqual({ clips: ['32x32, 10 frames'], test: ['48x48, 7 frames'] })
    const folder = mkdtempSync(join(tmpdir(), 'pantin-plan-'))
    try {
      const [teacher, copy] = [join(folder, 'teacher.onnx'), join(folder, 'copy.onnx')]
      for (const [file, bytes] of [
        [teacher, 'one'],
        [copy, 'one'],
      ] as const)
        writeFileSync(file, bytes)
      const same = await hashDetector(teacher)
      expect(await hashDetector(copy)).toBe(same)
      writeFileSync(copy, 'two')
      expect(await hashDetector(copy)).not.toBe(same)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('notices that a folder of numbered pictures was changed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pantin-plan-'))
    try {
      const write = (i: number, grey: number) =>
        sharp({ create: { width: 32, height: 32, channels: 3, background: { r: grey, g: grey, b: 9 } } })
          .png({ compressionLevel: 0 })
          .toFile(join(folder, `${i}.png`))
      for (let i = 1; i <= 10; i++) await write(i, 20 * i)
      const contents = async () => (await makePlan([folder], tiny)).contents.clips
      const before = await contents()
      expect(await contents()).toEqual(before)
      // It has as many bytes as before.
      await write(3, 200)
      expect(await contents()).not.toEqual(before)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('holds nothing out of training where other clips are measured on', async () => {
    const { settings } = await makePlan([clip], { ...tiny, test: ['puppet:2,frames=10,size=32'] })
    expect(settings.holdout).toBe(0)
  })

  it.each<[string, object, string]>([
    ['an unknown network', { nets: ['enett'] }, 'did you mean'],
    ['a named network that does not take the size', { size: 48, nets: ['hourglass'] }, 'multiple of 32'],
    ['distillation without a teacher', { methods: ['distilled'] }, '--teacher'],
    ['a teacher that is none', { teacher: 'nowhere' }, 'not a run'],
    ['nothing to measure on', { holdout: 0 }, '--test'],
    ['too little to train on', { holdout: 0.9 }, 'too few frames'],
    ['a test clip that is none', { test: ['nothing.mp4'] }, 'nothing.mp4'],
  ])('refuses %s', async (_, options, words) => {
    await expect(makePlan([clip], { ...tiny, ...options })).rejects.toThrow(words)
  })
})

describe('its folder', () => {
  let folder: string
  let plan: TrialPlan
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pantin-plan-'))
    plan = await makePlan([clip], tiny)
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const begin = async (asked: TrialPlan, options = {}) =>
    (await openStudy(folder, asked, options)).lock.release()
  const written = () => statSync(join(folder, 'plan.json')).mtimeMs

  it('takes up the same plan, with more or fewer trials of the same settings', async () => {
    await begin(plan)
    const before = written()
    await begin(plan)
    expect(written()).toBe(before)
    await begin({ ...plan, seeds: [42, 43, 44], nets: ['enet'] })
  })

  it('refuses a plan with other settings, and replaces it by force', async () => {
    await begin(plan)
    const other = { ...plan, settings: { ...plan.settings, batch: 4 } }
    await expect(begin(other)).rejects.toThrow(/another batch[\s\S]*got: +4[\s\S]*expected: 8[\s\S]*--force/)
    await begin(other, { force: true })
    await expect(begin(plan)).rejects.toThrow('another batch')
  })

  it('refuses another teacher and other videos of the same names', async () => {
    const of = (teacher: string, video: string): TrialPlan => ({
      ...plan,
      contents: { teacher, clips: [video], test: [] },
    })
    await begin(of('a', '64x64, 10 frames, 5 bytes'))
    await begin({ ...of('a', '64x64, 10 frames, 5 bytes'), seeds: [42] })
    await expect(begin(of('b', '64x64, 10 frames, 5 bytes'))).rejects.toThrow(
      /another content of the teacher/,
    )
    await expect(begin(of('a', '64x64, 12 frames, 6 bytes'))).rejects.toThrow(/another content of the videos/)
  })

  it('is one process', async () => {
    const { lock } = await openStudy(folder, plan)
    await expect(begin(plan)).rejects.toThrow('in use')
    lock.release()
    await begin(plan)
  })

  it('is never a folder of something else, and a broken plan is said to be one', async () => {
    writeFileSync(join(folder, 'mine.txt'), '')
    await expect(begin(plan, { force: true })).rejects.toThrow('not a study')
    rmSync(join(folder, 'mine.txt'))
    writeFileSync(join(folder, 'plan.json'), '{"format":1}')
    await expect(begin(plan)).rejects.toThrow('cannot be read')
    await begin(plan, { force: true })
  })
})
