import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileCli, runHere } from './run.ts'

// Each is several processes, one after the other.
const timeout = 240_000
const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-cli-search-'))
const clip = 'puppet:1,frames=8,size=16'
const teacher = join(folder, 'teacher')
const out = join(folder, 'search')
const args = [
  ...['search', clip, '--teacher', teacher, '--out', out, '--candidates', '2', '--mutations', '0'],
  ...['--rungs', '2', '--steps', '1', '--batch', '1', '--latency', '20', '--device', 'cpu'],
]

beforeAll(async () => {
  const made = ['train', clip, '-o', teacher, '--net', 'enet', '--size', '16', '--keypoints', '2']
  const { code, stderr } = await runHere(...made, '--steps', '1', '--batch', '1', '--device', 'cpu')
  expect(code, stderr).toBe(0)
}, timeout)
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Results that are on disk, and when they were written. */
const results = () => {
  const all = join(out, 'candidates')
  const files = existsSync(all)
    ? readdirSync(all).flatMap((id) => readdirSync(join(all, id)).map((name) => join(id, name)))
    : []
  const kept = files.filter((name) => name.endsWith('.json') && !name.includes('.tmp'))
  return new Map(kept.map((name) => [name, statSync(join(all, name)).mtimeMs]))
}
const trainings = () => [...results().keys()].filter((name) => /rung-\d\.json$/.test(name)).length

interface Found {
  best: { id: string; distance: number; design: object; run: string; ratio: number }
  finalists: unknown[]
  trainings: { done: number; total: number }
  interrupted: boolean
}

describe('search', () => {
  it('loses no result when it is killed', { timeout }, async () => {
    const { code } = await cli.run(args, (_, kill) => {
      if (trainings() > 0) kill('SIGKILL')
    })
    expect(code).toBe(null)
    expect(trainings()).toBe(1)
  })

  it('says where it stands after Ctrl-C, and how to go on', { timeout }, async () => {
    const before = results()
    let asked = false
    const { code, stdout, stderr } = await cli.run(args, (_, kill) => {
      if (asked || trainings() < 2) return
      asked = true
      kill('SIGINT')
    })
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/of 3 trainings done[\s\S]*stopped: the same command goes on/)
    for (const [name, time] of before) expect([name, results().get(name)]).toEqual([name, time])
    expect(trainings()).toBeLessThan(3)
  })

  it('goes on to the end, with a design that distil takes', { timeout }, async () => {
    const before = results()
    const { code, stdout, stderr } = await cli.run([...args, '--json'])
    expect(code, stderr).toBe(0)
    const found = JSON.parse(stdout) as Found
    expect(found).toMatchObject({ trainings: { done: 3, total: 3 }, interrupted: false })
    expect(found.finalists).toHaveLength(1)
    for (const [name, time] of before) expect([name, results().get(name)]).toEqual([name, time])
    expect(stderr).toMatch(/"phase":"train".*"unit":"trainings".*"etaSeconds"/)

    const best = join(out, 'best.json')
    expect(JSON.parse(readFileSync(best, 'utf8'))).toEqual(found.best.design)
    expect(existsSync(join(found.best.run, 'weights.safetensors'))).toBe(true)
    const run = join(folder, 'student')
    const student = ['distil', clip, '--teacher', teacher, '--net', 'ficelle', '--design', best, '-o', run]
    const distilled = await runHere(...student, '--steps', '1', '--batch', '1', '--device', 'cpu')
    expect(distilled.code, distilled.stderr).toBe(0)
    const config = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8')) as {
      model: { detector: { design: object } }
    }
    expect(config.model.detector.design).toEqual(found.best.design)

    const again = await cli.run(args)
    expect(again.stdout).toMatch(/to teacher +jacobian +latency[\s\S]*best design, in [\s\S]*--design/)
    expect(again.stdout).toContain(`pantin distil ${clip} --teacher ${teacher} --net ficelle`)
  })

  it.each<[string, readonly string[], readonly string[]]>([
    ['no teacher', ['search', clip, '-o', out], ["required option '-t, --teacher <run>'"]],
    ['no folder', ['search', clip, '-t', teacher], ["required option '-o, --out <folder>'"]],
    ['no candidates', [...args, '--candidates', '0'], ['--candidates', '1 to 10000']],
    ['no latency', [...args, '--latency', '0'], ['--latency', 'above 0']],
    ['a loss that is none', [...args, '--losses', 'distanse=1'], ['did you mean "distance"']],
    ['another plan in the folder', [...args, '--seed', '9'], ['another seed', 'choose another folder']],
    ['a folder of something else', ['search', clip, '-t', teacher, '-o', teacher], ['not a search']],
  ])('%s exits 2 and says why', async (_, words, expected) => {
    const { code, stdout, stderr } = await runHere(...words)
    expect([code, stdout], stderr).toEqual([2, ''])
    for (const word of expected) expect(stderr).toContain(word)
    expect(stderr).not.toContain('bug')
  })

  it('a design that cannot be read exits 2', async () => {
    const path = join(folder, 'design.json')
    writeFileSync(path, '{"stem":{"kind":"convolutions","widths":[17]},"stages":[]}')
    const words = ['train', clip, '-o', join(folder, 'none'), '--net', 'ficelle', '--design', path]
    const { code, stderr } = await runHere(...words)
    expect(code).toBe(2)
    expect(stderr).toContain('design.stem.widths')
  })
})
