import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compileCli, runHere } from './run.ts'

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-cli-compare-'))
const html = join(folder, 'compare.html')
const csv = join(folder, 'compare.csv')
const quick = ['compare', '--nets', 'lednet,enet', '--device', 'cpu', '--rounds', '2']

afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

interface Row {
  net: string
  as: string
  latency: { median: number; min: number; quartiles: [number, number] } | null
  pareto: string[]
  layers?: unknown[]
}

it('measures, prints its contract as JSON, and writes a page and a table', async () => {
  const { code, stdout, stderr } = await cli.run([...quick, '--html', html, '--csv', csv, '--json'])
  expect(code, stderr).toBe(0)
  const found = JSON.parse(stdout) as { rows: Row[] } & Record<string, unknown>
  expect(Object.keys(found)).toEqual([
    ...[
      'machine',
      'device',
      'threads',
      'rounds',
      'restMs',
      'warmMs',
      'seed',
      'input',
      'outputs',
      'dilations',
    ],
    ...['detector', 'accuracy', 'rows', 'skipped', 'html', 'csv'],
  ])
  expect(found).toMatchObject({
    ...{ device: 'cpu', rounds: 2, input: [3, 64, 64], outputs: 10, html, csv },
    detector: { head: 'light', skip: 'all' },
    machine: { cpu: expect.any(String), cores: expect.any(Number), onnxruntime: expect.any(String) },
  })
  expect(found.rows.map(({ as }) => as)).toEqual(['network', 'network', 'detector', 'detector'])
  for (const row of found.rows) {
    expect(row.latency!.median).toBeGreaterThan(0)
    expect(row).toMatchObject({
      ...{ params: expect.any(Number), macs: expect.any(Number), activationBytes: expect.any(Number) },
      ...{ receptiveField: expect.any(Number), ops: expect.any(Number), outputStride: expect.any(Number) },
      ...{ skips: expect.any(Boolean), clipped: expect.any(Array), reconstruction: expect.any(Boolean) },
    })
    expect(row).not.toHaveProperty('layers')
    expect(row).not.toHaveProperty('diagram')
  }
  const events = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(new Set(events.map(({ phase }) => phase))).toEqual(new Set(['profile', 'load', 'latency']))
  expect(events.at(-1)).toMatchObject({ phase: 'latency', done: 8, total: 8, device: 'cpu' })

  expect(readFileSync(html, 'utf8')).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/)
  expect(readFileSync(csv, 'utf8').split('\r\n')).toHaveLength(6)
})

it('refuses to overwrite either file before it measures, unless forced', async () => {
  writeFileSync(html, 'mine')
  rmSync(csv)
  const refused = await runHere(...quick, '--html', html, '--csv', csv)
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('--force')
  expect(refused.stderr).not.toContain('latency')
  expect([readFileSync(html, 'utf8'), existsSync(csv)]).toEqual(['mine', false])

  const forced = await runHere(...quick, '--as', 'network', '--html', html, '--force')
  expect(forced.code, forced.stderr).toBe(0)
  expect(readFileSync(html, 'utf8')).toContain('<!doctype html>')
  expect(forced.stdout).toContain(`wrote ${html}`)
  expect(forced.stdout).toMatch(/^network +ms +least/m)
  expect(forced.stdout).toContain('2 interleaved rounds')
  expect(forced.stdout).not.toContain('keypoint detectors')
})

it('counts everything without running it, layers as well', async () => {
  const { code, stdout } = await runHere('compare', '--no-latency', '--layers', '--json', '--quiet')
  expect(code).toBe(0)
  const { device, rows } = JSON.parse(stdout) as { device: unknown; rows: Row[] }
  expect(device).toBe(null)
  expect(rows.every(({ latency, layers }) => latency === null && layers!.length > 3)).toBe(true)
  const table = await runHere('compare', '--nets', 'lednet,enet', '--no-latency', '--quiet')
  expect(table.stdout).toContain('nothing was run')
  expect(table.stdout).toMatch(/^network +parameters +MACs/m)
})

it('stops on Ctrl-C between two runs, and writes nothing', async () => {
  const before = readdirSync(folder)
  const out = join(folder, 'stopped.html')
  let asked = false
  const { code, stdout, stderr } = await cli.run(
    ['compare', '--nets', 'enet', '--rounds', '5000', '--device', 'cpu', '--html', out],
    (soFar, kill) => {
      if (asked || !soFar.includes('"phase":"latency"')) return
      asked = true
      kill('SIGINT')
    },
  )
  expect(code, stderr).toBe(130)
  expect(stderr).toContain('nothing was written')
  expect(stdout).toBe('')
  expect(readdirSync(folder)).toEqual(before)
})

it.each<[string, readonly string[], string]>([
  [
    'with videos',
    [
      ...['--train', 'a b.mp4', 'puppet:2', '--nets', 'enet,lednet', '--input', '3x32x32', '--outputs', '5'],
      ...['--no-latency', '--teacher', 'run', '--test', 'c.mp4', '--out', 'x', '--as', 'detector'],
    ],
    "use pantin study 'a b.mp4' puppet:2 --nets enet,lednet --size 32 --keypoints 5 --no-latency --test c.mp4 --teacher run --out x",
  ],
  ['without', ['--seeds', '2', '--json'], 'use pantin study VIDEO... --out FOLDER --seeds 2 --json'],
])('says that another command trains, %s', async (_, args, words) => {
  const { code, stderr } = await runHere('compare', ...args)
  expect(code).toBe(2)
  expect(stderr).toContain(words)
})

describe('bad usage', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ['an unknown network', ['--nets', 'lednet,enett'], ['there is no network "enett"', 'did you mean']],
    ['no network', ['--nets', ''], ['--nets', 'joined by commas']],
    ['a gap among networks', ['--nets', 'lednet,,enet'], ['--nets', 'joined by commas']],
    ['an unknown form', ['--as', 'both of them'], ['network, detector, both']],
    ['a picture that is none', ['--input', '3x64'], ['--input', '3x64x64']],
    ['a picture that is none for detectors', ['--input', '3x64x96'], ['square RGB']],
    [
      'a picture that a named network does not take',
      ['--nets', 'hourglass', '--input', '3x48x48'],
      ['multiples of 32'],
    ],
    ['no outputs', ['--outputs', '0'], ['--outputs', '1 to 4096']],
    ['no rounds', ['--rounds', '0'], ['--rounds', '1 to']],
    ['no threads', ['--threads', '0'], ['--threads', '1 to 1024']],
    ['rounds of nothing', ['--no-latency', '--rounds', '3'], ['--no-latency']],
    [
      'a head of plain networks',
      ['--as', 'network', '--head', 'fomm'],
      ['--head and --skip are for detectors'],
    ],
    ['an unknown skip', ['--skip', 'some'], ['none, sum, gated, all']],
    ['an unknown device', ['--device', 'gpu'], ['auto, cpu, webgpu, cuda']],
    ['a page with another ending', ['--html', join(folder, 'a.txt')], ['--html', '.html']],
    ['a table with another ending', ['--csv', join(folder, 'a.txt')], ['--csv', '.csv']],
    ['no folder to write to', ['--html', join(folder, 'none', 'a.html')], ['no such file or folder']],
  ])('%s exits 2 and says why', async (_, args, words) => {
    const { code, stdout, stderr } = await runHere('compare', ...args)
    expect(code, stderr).toBe(2)
    expect(stdout).toBe('')
    for (const word of words) expect(stderr).toContain(word)
    expect(stderr).not.toContain('bug')
  })
})
