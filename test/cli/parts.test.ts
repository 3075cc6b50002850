// Parts of the command line that need no process: progress, values of options, failures, commands to type, numbers.
import { describe, expect, it } from 'vitest'
import { describeDemo } from '../../src/cli/commands/demo.ts'
import { distilCommand } from '../../src/cli/commands/search.ts'
import { fraction, sizes, wholeNumber } from '../../src/cli/options.ts'
import { commandLine, explain } from '../../src/cli/process.ts'
import { JsonLines, type ProgressEvent } from '../../src/cli/progress.ts'
import { lineChart } from '../../src/report/demo-page.ts'
import { formatScaled, formatSeconds, table } from '../../src/report/format.ts'
import { InputError } from '../../src/util/errors.ts'

describe('progress as JSON lines', () => {
  const show = (events: readonly (ProgressEvent & { at: number })[]) => {
    const lines: string[] = []
    let now = 0
    const view = new JsonLines(
      (line) => lines.push(line),
      () => now,
    )
    for (const { at, ...event } of events) {
      now = at
      view.show(event)
    }
    view.end()
    return lines.map((line) => JSON.parse(line) as ProgressEvent)
  }
  const steps = (...done: [at: number, done: number][]) =>
    done.map(([at, n]) => ({ at, phase: 'train', done: n, total: 100, unit: 'steps' }))

  it('come about once a second, the first and the last always', () => {
    const shown = show(steps([0, 1], [200, 2], [999, 3], [1000, 4], [1100, 5], [1200, 6]))
    expect(shown.map(({ done }) => done)).toEqual([1, 4, 6])
  })

  it('end a phase with its last event before the next begins', () => {
    const shown = show([
      ...steps([0, 1], [10, 2]),
      { at: 20, phase: 'eval', done: 1, total: 9, unit: 'frames' },
    ])
    expect(shown.map(({ phase, done }) => `${phase} ${done}`)).toEqual(['train 1', 'train 2', 'eval 1'])
  })

  it('tell rate and time left by the clock, where the work does not', () => {
    expect(show(steps([0, 0], [2000, 20]))[1]).toMatchObject({ rate: 10, etaSeconds: 8 })
    expect(show(steps([0, 0]))[0]).not.toHaveProperty('rate')
  })
})

describe('values of options', () => {
  it.each(['', 'x', '1.5', '-1', '1e3', '99999999999999999999'])('"%s" is no count', (text) => {
    expect(() => wholeNumber('--n')(text)).toThrow(InputError)
  })
  it('are read as decimal numbers', () => {
    expect(wholeNumber('--n', { min: 1 })('12')).toBe(12)
    expect(fraction('--part')('.25')).toBe(0.25)
    expect(sizes('--input', '3x64x64')('3x128x64')).toEqual([3, 128, 64])
  })
  it.each(['3x64', '3x64x64x1', '3x0x64', 'axbxc'])('"%s" is no picture', (text) => {
    expect(() => sizes('--input', '3x64x64')(text)).toThrow(InputError)
  })
})

describe('anything thrown', () => {
  it('is a bug unless pantin threw it', () => {
    const { exitCode, text, json } = explain(new TypeError('x is undefined'), false)
    expect(exitCode).toBe(1)
    expect(text).toContain('this is a bug in pantin')
    expect(text).toContain('parts.test.ts')
    expect(json).toEqual({ error: { name: 'Bug', message: 'x is undefined', exitCode: 1 } })
  })
  it('is no bug where the user stopped the work', () => {
    expect(explain(AbortSignal.abort().reason, true).exitCode).toBe(130)
    expect(explain(AbortSignal.abort().reason, false).text).toContain('bug')
  })
})

describe('a command to type', () => {
  it.each([
    ['puppet:1..9,frames=8', 'puppet:1..9,frames=8', '"puppet:1..9,frames=8"'],
    ['my clips/a.mp4', "'my clips/a.mp4'", '"my clips/a.mp4"'],
    ["it's", "'it'\\''s'", '"it\'s"'],
    ['C:\\clips\\a.mp4', "'C:\\clips\\a.mp4'", 'C:\\clips\\a.mp4'],
    ['C:\\my clips\\', "'C:\\my clips\\'", '"C:\\my clips\\\\"'],
    ['say "a"', `'say "a"'`, '"say \\"a\\""'],
    ['', "''", '""'],
  ])('has %s in the quotes of the shell', (word, posix, windows) => {
    expect(commandLine(['pantin', word], 'linux')).toBe(`pantin ${posix}`)
    expect(commandLine(['pantin', word], 'win32')).toBe(`pantin ${windows}`)
  })

  it('has names as they were given', () => {
    const names = { clips: ['my clips', 'puppet:1..9'], teacher: 'the teacher' }
    expect(distilCommand(names, 'found/best.json')).toMatch(
      /^pantin distil (['"])my clips\1 puppet:1\.\.9 --teacher \1the teacher\1 .* --design found\/best\.json /,
    )
  })

  it('starts a stopped demo again as it was asked for', () => {
    const made = { out: 'my demo', page: 'my demo/index.html', secondsToPage: 20 }
    const stopped = { ...made, steps: 5, seconds: 9, device: 'cpu', interrupted: true }
    const words = ['pantin', 'demo', '--out', 'my demo', '--seed', '7']
    expect(describeDemo({ ...stopped, steps: 0 }, words)).toMatch(
      /^training was stopped\nlook at my demo.index/,
    )
    const text = describeDemo(stopped, words)
    expect(text).toMatch(
      /run so far: my demo.run\nlook at my demo.index\.html\n.*pantin demo --out (['"])my demo\1 --seed 7 --force$/,
    )
  })
})

describe('numbers for people', () => {
  it.each([
    [0, '0 s'],
    [86, '1 min 26 s'],
    [3720, '1 h 02 min'],
  ])('%d seconds are %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text))
  it.each([
    [915, '915'],
    [87_421_635, '87.4 M'],
    [999_600, '1.00 M'],
  ])('%d is about %s', (value, text) => expect(formatScaled(value)).toBe(text))
  it('stand in columns', () => {
    expect(
      table(
        [
          ['a', '1'],
          ['bb', '22'],
        ],
        ['x', 'n'],
      ),
    ).toBe('x    n\n──  ──\na    1\nbb  22')
  })
})

it('charts whatever is finite', () => {
  expect(lineChart([{ x: 1, y: 2 }], { title: 't', x: 'x' })).toBe('')
  const svg = lineChart(
    [
      { x: 10, y: 4 },
      { x: 20, y: Number.NaN },
      { x: 30, y: 1 },
    ],
    { title: 't', x: 'step' },
  )
  expect(svg).toContain('<title>t</title>')
  expect(svg).not.toContain('NaN')
})
