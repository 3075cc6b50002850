import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { compileCli, runHere } from './run.ts'

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-cli-trials-'))
const out = join(folder, 'trials')
const csv = join(folder, 'trained.csv')
const html = join(folder, 'trained.html')
const planOf = (seeds: number) => [
  ...['study', 'puppet:1,frames=8,size=16', '--out', out, '--nets', 'enet', '--skips', 'all'],
  ...['--seeds', String(seeds), '--steps', '2', '--batch', '1', '--size', '16', '--keypoints', '2'],
  ...['--device', 'cpu', '--rounds', '1', '--csv', csv],
]
const plan = planOf(3)

afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

const trial = (key: string, ...rest: string[]) => join(out, 'trials', key, ...rest)
const finished = () =>
  new Map(
    (existsSync(join(out, 'trials')) ? readdirSync(join(out, 'trials')) : [])
      .filter((key) => existsSync(trial(key, 'result.json')))
      .map((key) => [key, statSync(trial(key, 'result.json')).mtimeMs]),
  )
const order = ['enet-scratch-all-42', 'enet-scratch-all-43', 'enet-scratch-all-44']
const last = 'enet-scratch-all-45'

/** The process that trains into a run: its lock says so. A process that was ended may leave its lock behind. */
function trainerOf(key: string): number | undefined {
  const path = trial(key, 'run', 'lock')
  if (!existsSync(path)) return undefined
  const { pid } = JSON.parse(readFileSync(path, 'utf8')) as { pid: number }
  try {
    process.kill(pid, 0)
    return pid
  } catch {
    return undefined
  }
}

interface Trained {
  trials: { trial: { net: string }; result: { status: string } | null; problem?: string }[]
  rows: { net: string; skip: string; latency: object | null; results: { n: number; measures: object }[] }[]
  advice: { cost: string; choices: { name: string }[] }[]
  unfinished: number
  interrupted: boolean
}

// Training takes its time where others compute too.
const timeout = 600_000

describe('study', { timeout }, () => {
  it('loses no finished trial when its process is killed', async () => {
    const { code } = await cli.run(plan, (soFar, kill) => {
      if (soFar.includes('"done":1,')) kill('SIGKILL')
    })
    expect(code).toBe(null)
    expect([...finished().keys()]).toEqual([order[0]])
    // The next trial's process ends by itself.
    await vi.waitFor(() => expect(trainerOf(order[1]!)).toBe(undefined), { timeout: 20_000 })
  })

  it('goes on when the process of a trial is killed, and says which has no result', async () => {
    const before = finished()
    let killed = false
    const { code, stdout, stderr } = await cli.run(plan, () => {
      const pid = killed ? undefined : trainerOf(order[1]!)
      if (pid === undefined) return
      killed = true
      process.kill(pid, 'SIGKILL')
    })
    expect(code, stderr).toBe(1)
    expect(stdout).toContain('2 of 3 trials done')
    expect(stdout).toContain(`${order[1]}: no result yet: its process ended with SIGKILL`)
    const after = finished()
    expect([...after.keys()].toSorted()).toEqual(order.filter((_, i) => i !== 1).toSorted())
    expect(after.get(order[0]!)).toBe(before.get(order[0]!))
  })

  it('does what is left, and reports all of it', async () => {
    const before = finished()
    const { code, stdout, stderr } = await cli.run([...plan, '--html', html, '--json'])
    expect(code, stderr).toBe(0)
    const after = finished()
    expect(after.size).toBe(3)
    for (const [key, time] of before) expect(after.get(key)).toBe(time)
    const found = JSON.parse(stdout) as Trained
    expect(found).toMatchObject({ unfinished: 0, interrupted: false, csv, html, out })
    expect(found.trials.map(({ result }) => result?.status)).toEqual(Array(3).fill('done'))
    expect(found.rows.map(({ net }) => net)).toEqual(['enet'])
    for (const { latency, results } of found.rows) {
      expect(latency).not.toBe(null)
      expect(results).toMatchObject([{ n: 3, measures: { ratio: { n: 3 }, l1: {}, psnr: {}, ssim: {} } }])
    }
    expect(found.advice.map(({ cost }) => cost)).toEqual(['latency', 'params', 'macs'])
    const page = readFileSync(html, 'utf8')
    expect(page).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/)
    // Each network has one picture in its row and one beside the others.
    expect(page.match(/<img src="data:image\/webp;base64,/g)).toHaveLength(2)
    const lines = readFileSync(csv, 'utf8').trim().split('\r\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain('ratio,ratioDeviation')
    for (const key of order) {
      expect(existsSync(trial(key, 'run', 'weights.safetensors'))).toBe(true)
      expect(existsSync(trial(key, 'run', 'last'))).toBe(false)
    }
  })

  it('refuses another plan in the same folder', async () => {
    const { code, stderr } = await runHere(...plan, '--holdout', '0.5')
    expect(code).toBe(2)
    expect(stderr).toMatch(/another study[\s\S]*--force/)
  })

  it('reports what there is on Ctrl-C, and goes on from the checkpoint', async () => {
    let asked = false
    const { code, stdout, stderr } = await cli.run([...planOf(4), '--json'], (_, kill) => {
      if (asked || trainerOf(last) === undefined) return
      asked = true
      kill('SIGINT')
    })
    expect(code, stderr).toBe(0)
    const found = JSON.parse(stdout) as Trained
    expect(found).toMatchObject({ unfinished: 1, interrupted: true })
    expect(found.rows.every(({ latency, results }) => latency === null && results[0]!.n === 3)).toBe(true)
    expect(trainerOf(last)).toBe(undefined)
  })

  it.each<[string, readonly string[], readonly string[]]>([
    ['no folder', ['puppet:1'], ["required option '-o, --out <folder>'"]],
    ['an unknown method', ['puppet:1', '--methods', 'magic'], ['distilled, scratch']],
    ['an unknown skip', ['puppet:1', '--skips', 'all,some'], ['none, sum, gated, all']],
    ['steps and minutes', ['puppet:1', '--steps', '3', '--minutes', '1', '-o', 'x'], ['--minutes']],
    ['rounds of nothing', ['puppet:1', '--no-latency', '--rounds', '3', '-o', 'x'], ['--no-latency']],
    ['a page with another ending', ['puppet:1', '--html', 'a.txt', '-o', 'x'], ['--html', '.html']],
    ['no videos', ['nothing.mp4', '--out', join(folder, 'none')], ['nothing.mp4']],
    ['a folder of something else', ['puppet:1,size=64', '--out', folder], ['not a study']],
  ])('refuses %s with exit code 2', async (_, args, words) => {
    const { code, stdout, stderr } = await runHere('study', ...args)
    expect(code, stderr).toBe(2)
    expect(stdout).toBe('')
    for (const word of words) expect(stderr).toContain(word)
    expect(existsSync(join(folder, 'none'))).toBe(false)
  })
})
