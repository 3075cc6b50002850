import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeEach, expect, it } from 'vitest'
import {
  appendMetrics,
  readLastMetrics,
  readMetricsPage,
  truncateMetrics,
} from '../../src/run/metrics-file.ts'
import type { MetricsPage } from '../../src/run/run-files.ts'

/** A file of metrics that another process writes, read as it grows. */

const folder = mkdtempSync(join(tmpdir(), 'pantin-metrics-tail-'))
const path = join(folder, 'metrics.jsonl')
beforeEach(() => rmSync(path, { force: true }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const line = (step: number) => `${JSON.stringify({ step, loss: 1 / (step + 1) })}\n`
const steps = ({ records }: MetricsPage) => records.map(({ step }) => step)

it('has nothing before there is a file', async () => {
  expect(await readMetricsPage(path)).toEqual({ records: [], cursor: '', whole: true, more: false })
  expect(await readLastMetrics(path)).toEqual({ records: [] })
})

it('goes on where it was', async () => {
  for (const step of [1, 2, 3]) appendMetrics(path, { step })
  const first = await readMetricsPage(path)
  expect(first).toMatchObject({ whole: true, more: false })
  expect(steps(first)).toEqual([1, 2, 3])
  const none = await readMetricsPage(path, first.cursor)
  expect(none).toEqual({ records: [], cursor: first.cursor, whole: false, more: false })
  appendMetrics(path, { step: 4 })
  const next = await readMetricsPage(path, none.cursor)
  expect(next.whole).toBe(false)
  expect(steps(next)).toEqual([4])
})

it('waits for the end of a line that is being written', async () => {
  writeFileSync(path, line(1) + line(2).slice(0, 5))
  const first = await readMetricsPage(path)
  expect(steps(first)).toEqual([1])
  appendFileSync(path, line(2).slice(5))
  expect(steps(await readMetricsPage(path, first.cursor))).toEqual([2])
})

it('begins again after a resume that dropped lines, and after a new run', async () => {
  for (const step of [1, 2, 3]) appendMetrics(path, { step })
  const { cursor } = await readMetricsPage(path)
  await truncateMetrics(path, 2)
  appendMetrics(path, { step: 3, again: true })
  appendMetrics(path, { step: 4 })
  const resumed = await readMetricsPage(path, cursor)
  expect(resumed.whole).toBe(true)
  expect(steps(resumed)).toEqual([1, 2, 3, 4])
  // The same file, shorter, or with other lines.
  truncateSync(path, 3)
  expect(await readMetricsPage(path, resumed.cursor)).toMatchObject({ whole: true, records: [] })
  rmSync(path)
  expect(await readMetricsPage(path, resumed.cursor)).toMatchObject({ whole: true, records: [], cursor: '' })
})

it('passes over lines that are no records', async () => {
  writeFileSync(path, `${line(1)}garbage\n\n{"loss":1}\n${line(2)}`)
  expect(steps(await readMetricsPage(path))).toEqual([1, 2])
  writeFileSync(path, `${'x'.repeat(2_500_000)}\n${line(3)}`)
  let page = await readMetricsPage(path)
  const found = steps(page)
  while (page.more) {
    page = await readMetricsPage(path, page.cursor)
    found.push(...steps(page))
  }
  expect(found).toEqual([3])
})

it('gives every record once, however the file grows and whatever the sizes of its pieces', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 90 }), { maxLength: 20 }), async (cuts) => {
      rmSync(path, { force: true })
      const text = Array.from({ length: 40 }, (_, step) => line(step)).join('')
      const found: number[] = []
      let [written, cursor] = [0, '']
      writeFileSync(path, '')
      for (const cut of [...cuts, text.length]) {
        appendFileSync(path, text.slice(written, written + cut))
        written += cut
        const page = await readMetricsPage(path, cursor)
        if (page.whole) found.length = 0
        found.push(...steps(page))
        cursor = page.cursor
      }
      expect(found).toEqual(Array.from({ length: 40 }, (_, step) => step))
    }),
    { numRuns: 30 },
  )
})

it('reads files larger than a page', async () => {
  const many = 40_000
  writeFileSync(path, Array.from({ length: many }, (_, step) => line(step)).join(''))
  let page = await readMetricsPage(path)
  expect(page.more).toBe(true)
  const found = steps(page)
  while (page.more) {
    page = await readMetricsPage(path, page.cursor)
    expect(page.whole).toBe(false)
    found.push(...steps(page))
  }
  expect(found).toHaveLength(many)
  const { records } = await readLastMetrics(path)
  expect(records.at(-1)).toMatchObject({ step: many - 1 })
  expect(records.length).toBeLessThan(many)
})

it('refuses a cursor that no page had', async () => {
  for (const cursor of ['x', '1', '1-', '-1', '1--1', '1-2-3', '1-9999999999999999']) {
    await expect(readMetricsPage(path, cursor), cursor).rejects.toThrow(/cursor/)
  }
})
