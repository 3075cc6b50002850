import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { compileCli } from './run.ts'

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-bench-cli-'))
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

it('bench detector prints every figure with its target, and leaves graphs and CSV', async () => {
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

it.each([
  ['something else to measure', ['bench', 'nothing']],
  ['no rounds', ['bench', 'detector', '--rounds', '0']],
])('%s exits 2', async (_, args) => {
  const { code } = await cli.run([...args, '--csv', join(folder, 'none.csv')])
  expect(code).toBe(2)
  expect(existsSync(join(folder, 'none.csv'))).toBe(false)
})
