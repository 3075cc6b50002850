// `pantin bench`, as a process and in parts: measurements, skipped parts, reports.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { describeReport, figuresCsv, judged } from '../../bench/src/report.ts'
import { measureParts } from '../../bench/src/run.ts'
import { Reporter } from '../../src/cli/context.ts'
import { describeMachine } from '../../src/run/config-file.ts'
import { compileCli } from './run.ts'

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-bench-parts-'))
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

interface Report {
  readonly machine: { readonly cpu: string }
  readonly figures: readonly { name: string; value: number; unit: string; reached: boolean | null }[]
  readonly leftOut: readonly { name: string; why: string }[]
}

describe('pantin bench', () => {
  it('detector prints every figure with its target, and leaves graphs and CSV', async () => {
    const [keep, csv] = [join(folder, 'graphs'), join(folder, 'figures.csv')]
    const { code, stdout } = await cli.run([
      'bench',
      'detector',
      '--rounds',
      '1',
      '--keep',
      keep,
      '--csv',
      csv,
      '--json',
    ])
    expect(code).toBe(0)
    const { rows } = JSON.parse(stdout) as {
      rows: { form: string; ratio: number; target: number; reached: boolean }[]
    }
    expect(rows.map(({ form, target }) => [form, target])).toEqual([
      ['published', 1],
      ['exact', 1.7],
      ['light', 10],
    ])
    for (const { ratio, target, reached } of rows) expect(reached).toBe(ratio >= target)
    expect(readdirSync(keep).sort()).toEqual(['exact.onnx', 'light.onnx', 'published.onnx'])
    expect(readFileSync(csv, 'utf8').trim().split('\r\n')).toHaveLength(4)

    const again = await cli.run(['bench', '--rounds', '1', '--csv', csv])
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('--force')
  })

  it('growth draws a plot, and replaces none that is there', async () => {
    const [plot, csv] = [join(folder, 'growth.svg'), join(folder, 'growth.csv')]
    const words = ['bench', 'growth', '--series', 'detector.keypoints', '--rounds', '1', '--plot', plot]
    const { code, stdout } = await cli.run([...words, '--csv', csv, '--json'])
    expect(code).toBe(0)
    const { machine, figures, leftOut } = JSON.parse(stdout) as Report
    expect(machine.cpu).not.toBe('')
    expect(figures.map(({ name }) => name)).toEqual(
      [5, 10, 20, 30, 40, 50].map((n) => `growth.detector.keypoints.${n}`),
    )
    for (const { value, unit, reached } of figures) {
      expect(value).toBeGreaterThan(0)
      expect([unit, reached]).toEqual(['ms', null])
    }
    expect(leftOut).toEqual([])
    expect(readFileSync(plot, 'utf8')).toMatch(/^<svg xmlns.*keypoints →.*<\/svg>\n$/s)
    expect(readFileSync(csv, 'utf8').trim().split('\r\n')).toHaveLength(7)

    writeFileSync(plot, 'mine')
    const again = await cli.run(words)
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('--force')
    expect(readFileSync(plot, 'utf8')).toBe('mine')
  })

  it('step says what stood beside it, and stops at Ctrl-C', async () => {
    const words = ['bench', 'step', '--nets', 'lednet:small:32', '--rounds', '1', '--threads', '1']
    const { code, stdout } = await cli.run([...words, '--python', join(folder, 'no-python'), '--json'])
    expect(code).toBe(0)
    const { figures, leftOut } = JSON.parse(stdout) as Report
    expect(figures.map(({ name, unit }) => `${name} ${unit}`)).toEqual([
      'step.lednet.small32.time ms',
      'step.lednet.small32.memory MiB',
      'step.lednet.small32.detector.time ms',
      'step.lednet.small32.detector.memory MiB',
    ])
    expect(leftOut.map(({ name }) => name)).toEqual(['step: PyTorch beside it'])

    let killed = false
    const stopped = await cli.run(words, (said, kill) => {
      if (killed || !said.includes('"phase":"step"')) return
      killed = true
      kill('SIGINT')
    })
    expect(stopped.code).toBe(130)
  })

  it('a part alone that cannot be measured fails', async () => {
    const before = process.env.PANTIN_CHROMIUM
    process.env.PANTIN_CHROMIUM = join(folder, 'no-browser')
    const { code, stdout } = await cli.run(['bench', 'browser', '--rounds', '1', '--json'])
    if (before === undefined) delete process.env.PANTIN_CHROMIUM
    else process.env.PANTIN_CHROMIUM = before
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toHaveProperty('error')
  })

  it.each([
    ['an unknown part', ['nothing']],
    ['no rounds', ['detector', '--rounds', '0', '--csv', join(folder, 'none.svg')]],
    ['an unknown network', ['step', '--nets', 'lednot']],
    ['an unknown series', ['growth', '--series', 'detector.colour']],
    ['a plot of what does not grow', ['step', '--plot', join(folder, 'none.svg')]],
    ['graphs of all parts', ['all', '--keep', join(folder, 'none')]],
  ])('%s exits 2', async (_, words) => {
    expect((await cli.run(['bench', ...words])).code).toBe(2)
    expect(existsSync(join(folder, 'none.svg'))).toBe(false)
  })
})

describe('parts together', () => {
  const quiet = () =>
    new Reporter({ json: true, quiet: true }, async () => {
      throw new Error('nothing is shown')
    })

  it('leave out what cannot be measured here', async () => {
    // A part that has no browser, or no packed worker, fails before it measures anything.
    vi.stubEnv('PANTIN_CHROMIUM', join(folder, 'no-browser'))
    const options = { brief: true, rounds: 1, series: ['detector.keypoints'] } as const
    const context = { reporter: quiet(), signal: new AbortController().signal }
    const { figures, skipped, growth } = await measureParts(['browser', 'growth'], options, context)
    vi.unstubAllEnvs()
    expect(skipped).toEqual([{ name: 'browser', why: expect.any(String) }])
    expect(skipped[0]!.why).not.toBe('')
    expect([figures.length, growth.length]).toEqual([6, 1])
  })

  it('stop when they are told to', async () => {
    const context = { reporter: quiet(), signal: AbortSignal.abort(new Error('enough')) }
    await expect(measureParts(['browser', 'growth'], { brief: true }, context)).rejects.toThrow('enough')
  })
})

describe('the report', () => {
  const figures = judged([
    {
      name: 'step.lednet.time',
      value: 450,
      unit: 'ms',
      peer: { name: 'PyTorch', value: 300 },
      ratio: 1.5,
      target: { atMost: 1 },
      floor: { value: 120, because: 'so' },
      how: 'in turn',
    },
    { name: 'track.256', value: 140, unit: 'frames/s', target: { atLeast: 100 }, how: 'a "clip", short' },
  ])
  const leftOut = [{ name: 'browser', why: 'no Chromium is installed' }]
  const report = { machine: describeMachine(), figures, leftOut }

  it('says what is not reached, with what was tried, and what was left out', () => {
    const text = describeReport(report, [])
    expect(text).toMatch(
      /step\.lednet\.time +450 ms +300 ms +1\.50 +120 ms +at most 1, not reached\n {2}tried: /,
    )
    expect(text).toMatch(/track\.256 +140 frames\/s +at least 100, reached\n/)
    expect(text).toContain('left out: browser: no Chromium is installed')
  })

  it('is a line of CSV for each figure', () => {
    const [head, first, second] = figuresCsv(report).split('\r\n')
    expect(head).toMatch(/^name,value,unit,peer,/)
    expect(first).toMatch(/^step\.lednet\.time,450,ms,PyTorch,300,,1\.5,,1,false,120,so,in turn,"weight/)
    expect(second).toContain('"a ""clip"", short"')
  })
})
