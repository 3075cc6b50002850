import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { comparisonPage } from '../../src/report/comparison-page.ts'
import { comparisonCsv, describeComparison, describeUnrest } from '../../src/report/comparison-text.ts'
import { diagramSvg } from '../../src/report/network-diagram.ts'
import { paretoPlot } from '../../src/report/pareto-plot.ts'
import { logScale, overlap, placeLabels } from '../../src/report/plot-layout.ts'
import { sampleComparison } from './comparison-sample.ts'

const sample = await sampleComparison(['lednet', 'enet', 'hourglass'])

describe('labels', () => {
  const area = { x: 0, y: 0, width: 440, height: 360 }
  const options = { area, radius: 4.5, height: 15, widthOf: (text: string) => 7 * text.length }
  const point = fc.record({
    x: fc.integer({ min: 20, max: 420 }),
    y: fc.integer({ min: 20, max: 340 }),
    text: fc.string({ minLength: 1, maxLength: 14 }),
  })

  it('never cover one another or a point, and stay inside', () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 30 }), (points) => {
        const boxes = placeLabels(points, options).flatMap((label) => label?.box ?? [])
        for (const [i, box] of boxes.entries()) {
          expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= 440 && box.y + box.height <= 360).toBe(true)
          expect(boxes.slice(i + 1).some((other) => overlap(box, other))).toBe(false)
          const dots = points.map(({ x, y }) => ({ x: x - 4, y: y - 4, width: 8, height: 8 }))
          expect(dots.some((dot) => overlap(box, dot))).toBe(false)
        }
      }),
      { numRuns: 40 },
    )
  })

  it('are all there where three networks are nearly alike', () => {
    const points = [0, 1, 2].map((i) => ({ x: 100 + i, y: 100 + i, text: `lednet-${i}` }))
    expect(placeLabels(points, options)).not.toContain(undefined)
  })
})

describe('a logarithmic axis', () => {
  it('shows every value inside, with round ticks', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1e-3, max: 1e10, noNaN: true }), { minLength: 1 }), (values) => {
        const { at, ticks } = logScale(values, [0, 100], 6)
        for (const value of values) expect(at(value) > 0 && at(value) < 100).toBe(true)
        for (const tick of ticks) expect(String(tick.toExponential())).toMatch(/^[125]e/)
        expect(ticks.length).toBeGreaterThan(0)
      }),
    )
  })
  it('takes powers of ten alone where ticks would be many', () => {
    expect(logScale([3e5, 2e8], [0, 100], 6).ticks).toEqual([1e6, 1e7, 1e8])
    expect(logScale([2, 9], [0, 100], 6).ticks).toEqual([2, 5, 10])
  })
  it('takes even steps where it is asked to show little', () => {
    expect(logScale([0.6, 0.8], [0, 100], 8, 1.5).ticks).toEqual([0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85])
    expect(logScale([0.02, 0.5], [0, 100], 8, 1.5).ticks).toEqual([0.02, 0.05, 0.1, 0.2, 0.5])
  })
})

describe('CSV', () => {
  /** RFC 4180, read by the book. */
  const parse = (text: string) => {
    const records: string[][] = [[]]
    for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
      records.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain ?? '')
      if (end === '\r\n') records.push([])
      if (end === '') break
    }
    return records.slice(0, -1)
  }

  it('has a line for each row, and as many cells in each', () => {
    const [names, ...rows] = parse(comparisonCsv(sample))
    expect(rows).toHaveLength(6)
    for (const row of rows) expect(row).toHaveLength(names!.length)
    const cell = (row: number, name: string) => rows[row]![names!.indexOf(name)]
    expect(cell(0, 'net')).toBe(sample.rows[0]!.net)
    expect(Number(cell(0, 'medianMs'))).toBeCloseTo(sample.rows[0]!.latency!.median, 3)
    expect(cell(0, 'paretoParams')).toBe(String(sample.rows[0]!.pareto.includes('params')))
    expect(cell(0, 'accuracy')).toBe('')
  })

  it('quotes what would break it', () => {
    const title = 'a "network", of\ntwo lines'
    const text = comparisonCsv({ ...sample, rows: [{ ...sample.rows[0]!, title }] })
    expect(text).toContain('"a ""network"", of\ntwo lines"')
    expect(parse(text)[1]).toContain(title)
  })
})

describe('the page', () => {
  it('lets no text become markup', () => {
    const evil = `<img src=x onerror="alert('1')">&`
    const [row] = sample.rows
    const { diagram } = row!
    const page = comparisonPage({
      ...sample,
      machine: { ...sample.machine, cpu: evil },
      accuracy: { label: evil, better: 'higher' },
      skipped: [{ net: evil, as: 'network', reason: evil }],
      rows: [
        {
          ...row!,
          title: evil,
          licence: evil,
          paper: { title: evil, authors: evil, url: 'javascript:alert(1)' },
          layers: [{ ...row!.layers[0]!, name: evil }],
          diagram: { ...diagram, stages: diagram.stages.map((stage) => ({ ...stage, modules: [evil] })) },
        },
      ],
    })
    expect(page).not.toContain('<img')
    expect(page).not.toContain('javascript:')
    expect(page).toContain('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;')
  })

  it('allows itself its own style and script, and nothing else', () => {
    const page = comparisonPage(sample)
    expect(page).toMatch(
      /content="default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; img-src data:; /,
    )
    // What such a policy would not let through.
    expect(page).not.toMatch(/ style="| on[a-z]+="/)
    expect(page).not.toMatch(/(src|href)="(https?:)?\/\/[^"]*\.(js|css|woff2?|png)/)
  })

  it('shows counts against each other where nothing was timed, and an accuracy where there is one', () => {
    const rows = sample.rows.map((row) => ({ ...row, latency: null, pareto: [], accuracy: 27.123456 }))
    const page = comparisonPage({
      ...{ ...sample, rows, device: null, threads: null, rounds: 0 },
      accuracy: { label: 'PSNR in dB', better: 'higher' },
    })
    const words = [
      'Multiply-adds against parameters',
      'PSNR in dB',
      '>27.12<',
      'Latency',
      'ms,',
      '>null<',
      '="NaN',
    ]
    expect(words.filter((word) => page.includes(word))).toEqual(words.slice(0, 3))
  })
})

it('draws a plot of one point, and a diagram of every stage', () => {
  const about = { spread: undefined, hollow: false, href: '#a', about: 'a' }
  const text = { title: 't', x: 'x', y: 'y', tickX: String, tickY: String }
  const svg = paretoPlot([{ name: 'a', x: 1e6, y: 2, ...about }], text)
  expect(svg.match(/<circle/g)).toHaveLength(1)
  expect(svg).not.toContain('NaN')
  for (const { diagram, title } of sample.rows) {
    const drawn = diagramSvg(diagram, title)
    expect(drawn.match(/<g class="stage /g)).toHaveLength(diagram.stages.length)
    expect(drawn.match(/class="arc/g)?.length ?? 0).toBe(
      diagram.edges.filter(({ from, to }) => to > from + 1).length,
    )
    expect(drawn).not.toMatch(/NaN|undefined|Infinity/)
  }
})

it('says on the terminal who is on the front, and what is a reconstruction', () => {
  const rows = sample.rows.map((row) => ({ ...row, reconstruction: row.net === 'enet' }))
  const text = describeComparison({ ...sample, rows }, { layers: true })
  expect(text).toMatch(/^enet \* .* \d/m)
  expect(text).toContain('*: reconstruction')
  expect(text).toMatch(/^hourglass .*size, MACs/m)
  expect(text).toContain('lednet as detector, layer by layer')
})

it('says where the machine was busy', () => {
  expect(describeUnrest(sample)).toBe(undefined)
  const rows = sample.rows.map((row) => ({
    ...row,
    latency: { median: 10, min: 1, quartiles: [5, 15] as const },
  }))
  expect(describeUnrest({ ...sample, rows })).toContain('100% of the median')
})
