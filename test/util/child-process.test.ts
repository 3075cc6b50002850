import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type ChildTask, childTask, lastLine } from '../../src/util/child-process.ts'
import { EnvironmentError, TrainingError } from '../../src/util/errors.ts'
import { type Compiled, compile } from '../support/compile.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-child-'))
let compiled: Compiled
beforeAll(() => {
  compiled = compile('src/util/child-process.ts')
})
afterAll(() => {
  compiled.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** A task whose work is this text of JavaScript, in a module as the product's own modules are. */
function task<Result = undefined>(name: string, work: string): ChildTask<object, Result> {
  const file = join(folder, name)
  writeFileSync(
    file,
    `import { writeFileSync } from 'node:fs'
import { childTask } from '${compiled.url('src/util/child-process.ts')}'
import { TrainingError } from '${compiled.url('src/util/errors.ts')}'
export const done = childTask(import.meta.url, async (task, { signal, onProgress }) => { ${work} })`,
  )
  return childTask<object, Result>(pathToFileURL(file).href, () => Promise.reject(new Error('not here')))
}

const untilStopped =
  "await new Promise((done) => signal.aborted ? done() : signal.addEventListener('abort', done))"

test('a task may be longer than the arguments of a process, and its result comes back', async () => {
  const count = task<{ length: number; spread: number | undefined }>(
    'count.mjs',
    // It reports five times per second at most.
    `const wait = () => new Promise((resolve) => setTimeout(resolve, 300))
     await wait(); onProgress(0.5); onProgress(0.6); await wait()
     return { length: task.clips.join().length, spread: undefined }`,
  )
  const parts: number[] = []
  const clips = Array<string>(50_000).fill('/videos/one.mp4')
  const found = await count({ clips }, { onProgress: (part) => parts.push(part) })
  expect(found).toStrictEqual({ length: 50_000 * 16 - 1, spread: undefined })
  expect(parts).toEqual([0.5])
})

test('an error keeps its class, and a bug its message', async () => {
  const fail = task(
    'fail.mjs',
    `if (task.known) throw new TrainingError({ what: 'it diverged', got: 'NaN', remedy: 'rest' })
     throw new TypeError('x is undefined')`,
  )
  const failed = fail({ known: true })
  await expect(failed).rejects.toThrow(TrainingError)
  await expect(failed).rejects.toMatchObject({ problem: { what: 'it diverged', got: 'NaN', remedy: 'rest' } })
  await expect(fail({})).rejects.toThrow('x is undefined')
})

test('a child is told to stop, also before it has begun', async () => {
  const stopped = task<string>('wait.mjs', `${untilStopped}\nreturn 'stopped with ' + task.word`)
  const late = new AbortController()
  const ended = stopped({ word: 'care' }, { signal: late.signal })
  setTimeout(() => late.abort(), 300)
  expect(await ended).toBe('stopped with care')
  expect(await stopped({ word: 'haste' }, { signal: AbortSignal.abort() })).toBe('stopped with haste')

  const thrown = task('throws.mjs', `${untilStopped}\nsignal.throwIfAborted()`)
  const reason = new Error('enough')
  await expect(thrown({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('a child that does not listen can be killed', async () => {
  const deaf = task('deaf.mjs', `for (;;) {}`)
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  await expect(deaf({}, { signal, onAbort: 'kill' })).rejects.toBe(reason)
})

test('a process that ends early says so, with its last line', async () => {
  const gone = task('gone.mjs', `process.stderr.write('first\\nno memory\\n', () => process.exit(3))`)
  await expect(gone({})).rejects.toThrow(
    new EnvironmentError({ what: 'its process ended with 3: no memory' }),
  )
  const nothing = childTask(pathToFileURL(join(folder, 'nothing.mjs')).href, () => Promise.reject())
  await expect(nothing({})).rejects.toThrow(/its process ended with 1: .*Cannot find module/)
})

test.each([
  ['waits', untilStopped],
  // No event comes through while the child computes.
  ['computes', 'await new Promise((done) => setTimeout(done, 1000)); for (;;);'],
])('a child that %s ends within a second when its parent is gone', async (name, work) => {
  const out = join(folder, `${name}.pid`)
  const parent = task(
    `${name}.mjs`,
    `if (task.isChild) { writeFileSync(task.out, String(process.pid)); ${work} }
     void done({ out: task.out, isChild: true })
     await new Promise((resolve) => setTimeout(resolve, 60_000))`,
  )
  const stop = new AbortController()
  const ended = parent({ out }, { signal: stop.signal, onAbort: 'kill' })
  const pid = await vi.waitFor(() => Number(readFileSync(out, 'utf8') || Number.NaN), { timeout: 20_000 })
  await sleep(1500)
  stop.abort(new Error('killed'))
  await expect(ended).rejects.toThrow('killed')
  const isAlive = () => {
    try {
      // A process that has ended and that nobody has asked about yet still has its id.
      if (process.platform === 'linux') return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  for (let i = 0; i < 20 && isAlive(); i++) await sleep(50)
  expect(isAlive()).toBe(false)
})

test.each([
  ['Traceback\n  File "x"\nValueError: no\n', ': ValueError: no'],
  ['Error: gone\n    at x.js:1\n\nNode.js v20.1.0\n', ': Error: gone'],
  ["Error: gone {\n    at x.js:1\n  code: 'GONE'\n}\n", ': Error: gone {'],
  ['\n', ''],
])('the last line of %j', (text, line) => expect(lastLine(text)).toBe(line))
