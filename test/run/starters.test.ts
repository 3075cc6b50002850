import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hashDetector, openModel } from '../../src/model/open-model.ts'
import { hidesStarter, runFolder, starterFolder } from '../../src/run/config-file.ts'
import { findStarter, starters } from '../../src/run/starters.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { InputError } from '../../src/util/errors.ts'

describe.each(starters)('the starter $name', ({ name, subject, size, purpose }) => {
  const folder = starterFolder(name)

  it('is small, and holds nothing of the machine that trained it', () => {
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'strings.json', 'weights.safetensors'])
    const bytes = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
    expect(bytes).toBeLessThanOrEqual(3_000_000)
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object
    expect(Object.keys(config).sort()).toEqual(['model', 'pantin', 'training'])
    const crop = subject === 'face' ? 'auto' : expect.stringMatching(/^(auto|motion)$/)
    expect(config).toMatchObject({ training: { fit: 'crop', crop } })
    expect(JSON.stringify(config)).not.toMatch(/clips|\/(home|work|tmp|root|Users)\//)
    expect(purpose.split('\n')).toHaveLength(1)
  })

  it('opens by its name, and moves a picture of its size', async () => {
    await using model = await openModel(name, { device: 'cpu' })
    expect(model).toMatchObject({ path: folder, hasGenerator: true, config: { size } })
    for await (const { data } of puppetClip({ seed: 1, frames: 1, size }).frames()) {
      const keypoints = await model.detect(data)
      const moved = await model.generate(data, keypoints, keypoints)
      expect(moved).toHaveLength(size * size * 3)
    }
    expect(await hashDetector(name)).toBe(await hashDetector(folder))
  })
})

describe('the name of a run', () => {
  const before = process.cwd()
  let here = ''
  beforeEach(() => {
    here = realpathSync(mkdtempSync(join(tmpdir(), 'pantin-here-')))
    process.chdir(here)
  })
  afterEach(() => {
    process.chdir(before)
    rmSync(here, { recursive: true, force: true })
  })

  it('is a starter, or else a path', async () => {
    expect(await runFolder('face')).toBe(starterFolder('face'))
    expect(await runFolder('./face')).toBe(join(here, 'face'))
    expect(await runFolder('runs/face')).toBe(join(here, 'runs', 'face'))
    expect(findStarter('constructor')).toBeUndefined()
  })

  it('is a run in the current folder rather than the starter, but no other folder', async () => {
    mkdirSync('face')
    expect(await runFolder('face')).toBe(starterFolder('face'))
    cpSync(starterFolder('puppet'), 'face', { recursive: true })
    expect(await hidesStarter('face')).toBe(true)
    expect(await hidesStarter('puppet')).toBe(false)
    expect(await runFolder('face')).toBe(join(here, 'face'))
    expect(await hashDetector('face')).toBe(await hashDetector('puppet'))
    await using model = await openModel('face', { device: 'cpu' })
    expect(model.path).toBe(join(here, 'face'))
  })

  it('is told beside the starters, if there is none of it', async () => {
    const opening = openModel('fase')
    await expect(opening).rejects.toThrow(InputError)
    await expect(opening).rejects.toThrow(/face, face-small, puppet/)
    await expect(opening).rejects.toThrow(/did you mean the starter "face"\?/)
    await expect(openModel('runs/nothing-like-it')).rejects.toThrow(/a starter: face/)
  })
})
