import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import { isRun } from '../../src/run/config-file.ts'
import { appendMetrics, readLastMetrics, readMetricsPage } from '../../src/run/metrics-file.ts'
import { createRun, openRun } from '../../src/run/run.ts'
import { summarise } from '../../src/server/run-summary.ts'
import { InputError } from '../../src/util/errors.ts'

/** Pipes and devices in the places of a run's files: opening one would wait for ever, or have effects. */

let folder = ''
let run = ''
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-pipes-'))
  run = join(folder, 'run')
  ;(await createRun(run, { config: { a: 1 }, version: '0.1.0' })).close()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const schema = z.looseObject({})
function pipe(name: string): string {
  const path = join(run, name)
  rmSync(path, { force: true, recursive: true })
  execFileSync('mkfifo', [path])
  return path
}
const refused = (work: Promise<unknown>) =>
  expect(work).rejects.toThrow(/this is not a file.*device, pipe or socket/s)

it.skipIf(process.platform === 'win32')('are refused as metrics, at once', async () => {
  const path = pipe('metrics.jsonl')
  await refused(readLastMetrics(path))
  await refused(readMetricsPage(path))
  expect(() => appendMetrics(path, { step: 1 })).toThrow(InputError)
  await refused(openRun(run, schema, { write: true }))
  await refused((await openRun(run, schema)).readMetrics())
  expect(await summarise('id', run)).toMatchObject({ state: 'broken' })
})

it.skipIf(process.platform === 'win32')('are refused as configuration, at once', async () => {
  pipe('config.json')
  expect(await isRun(run)).toBe(false)
  await refused(openRun(run, schema))
  expect(await summarise('id', run)).toMatchObject({ state: 'broken' })
})

it.skipIf(process.platform === 'win32')('are refused as checkpoint and weights, at once', async () => {
  pipe('last/checkpoint.safetensors')
  pipe('weights.safetensors')
  const opened = await openRun(run, schema)
  await refused(opened.loadCheckpoint())
  await refused(opened.loadWeights())
})

it('are refused where they are folders', async () => {
  mkdirSync(join(run, 'metrics.jsonl'))
  await expect(readLastMetrics(join(run, 'metrics.jsonl'))).rejects.toThrow(/this is a folder/)
})
