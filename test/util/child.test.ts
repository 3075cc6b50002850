import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inChild } from '../../src/util/child.ts'
import { type Compiled, compile } from '../support/compile.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-child-'))
let compiled: Compiled
beforeAll(() => {
  compiled = compile('src/util/child.ts')
})
afterAll(() => {
  compiled.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** A module for a child, which serves its parent as the product's own do. */
function worker(name: string, work: string): string {
  const file = join(folder, name)
  writeFileSync(
    file,
    `import { writeFileSync } from 'node:fs'
import { serveParent } from '${compiled.url('src/util/child.ts')}'
await serveParent(async (task, { signal, onProgress }) => { ${work} })`,
  )
  return file
}

test('a task may be longer than the arguments of a process', async () => {
  const file = worker(
    'count.mjs',
    // It speaks five times a second at most, and what it says on its very end may be lost.
    `const wait = () => new Promise((resolve) => setTimeout(resolve, 400))
     await wait(); onProgress(0.5); await wait()
     writeFileSync(task.out, String(task.clips.join().length))`,
  )
  const task = { out: join(folder, 'count'), clips: Array<string>(50_000).fill('/videos/one.mp4') }
  const parts: number[] = []
  expect(await inChild(file, task, { onProgress: (part) => parts.push(part) })).toBeUndefined()
  expect(readFileSync(task.out, 'utf8')).toBe(String(50_000 * 16 - 1))
  expect(parts).toEqual([0.5])
})

test('it is told to stop, also before it has begun, and says what went wrong', async () => {
  const file = worker(
    'wait.mjs',
    `await new Promise((done) => signal.aborted ? done() : signal.addEventListener('abort', done))
     throw new Error('stopped with ' + task.word)`,
  )
  const late = new AbortController()
  const ended = inChild(file, { word: 'care' }, { signal: late.signal })
  setTimeout(() => late.abort(), 500)
  expect(await ended).toContain('stopped with care')
  expect(await inChild(file, { word: 'haste' }, { signal: AbortSignal.abort() })).toContain(
    'stopped with haste',
  )
  expect(await inChild(join(folder, 'nothing.mjs'), {}, {})).toContain('its process ended with 1')
})
