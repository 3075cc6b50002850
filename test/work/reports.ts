// Reports of one study that was done in several ways: they are the same but for times.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Cli } from '../cli/run.ts'

/** Makes the times of all trials the same, in the trials' own files. @returns the trials' names */
export function levelTimes(out: string): string[] {
  const names = readdirSync(join(out, 'trials')).toSorted()
  for (const name of names) {
    const path = join(out, 'trials', name, 'result.json')
    const result = JSON.parse(readFileSync(path, 'utf8')) as { measures?: object }
    const measures = result.measures && { ...result.measures, seconds: 1 }
    writeFileSync(path, JSON.stringify({ ...result, wallSeconds: 1, ...(measures && { measures }) }))
  }
  return names
}

/** Text, page and table of a study, by a command that finds all trials done. */
export async function reportsOf(cli: Cli, words: readonly string[], out: string): Promise<readonly string[]> {
  const to = `${out} report`
  mkdirSync(to, { recursive: true })
  const [html, csv] = [join(to, 'page.html'), join(to, 'table.csv')]
  const files = ['--html', html, '--csv', csv]
  const json = await cli.run([...words, '--no-latency', '--quiet', '--json', ...files])
  expect(json.code, json.stderr).toBe(0)
  const text = await cli.run([...words, '--no-latency', '--quiet'])
  const found = [json.stdout, text.stdout, readFileSync(html, 'utf8'), readFileSync(csv, 'utf8')]
  return found.map((one) => one.replaceAll(out, 'OUT').replace(/"time":"[^"]+"/, '"time":"now"'))
}

/** The weights of all trials, as text, by names. */
export const weightsOf = (out: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(out, 'trials'))
      .toSorted()
      .map((name) => [
        name,
        readFileSync(join(out, 'trials', name, 'run', 'weights.safetensors')).toString('base64'),
      ]),
  )
