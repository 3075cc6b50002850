/**
 * Files that are a little wrong: each is read or refused with a typed error, within five seconds and 500 MB. For more of them:
 * PANTIN_MUTANTS=2000 PANTIN_SEED=7 npx vitest run --mode long test/mutants
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Compiled, compile } from '../support/compile.ts'
import type { Line } from './child.ts'
import { kinds } from './kinds.ts'

const count = Number(process.env.PANTIN_MUTANTS ?? 25)
const seed = Number(process.env.PANTIN_SEED ?? 1)

/** Limits on one mutant. Seconds are of the processor: other work on the machine does not count. */
const mostSeconds = 5
const mostBytes = 500e6

/** Seconds without a sign of life, whatever the processor did. */
const mostWaiting = 60

let compiled: Compiled
beforeAll(() => {
  compiled = compile('test/mutants/child.ts')
}, 240_000)
afterAll(() => compiled?.remove())

interface Tally {
  read: number
  refused: number
  readonly wrong: string[]
  /** The longest time of one mutant, and the most memory of a process. */
  seconds: number
  bytes: number
}

/** Seconds of the processor that a process has used; undefined if the system does not tell. */
function processorSeconds(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return undefined
  }
}

/** Reads mutants in one process until all are read, or one passes a limit. @returns the number of the next mutant */
async function readSome(name: string, first: number, end: number, tally: Tally): Promise<number> {
  const folder = join(compiled.folder, 'mutants', name)
  const script = join(compiled.folder, 'test/mutants/child.js')
  mkdirSync(folder, { recursive: true })
  const child = spawn(process.execPath, [script, name, folder, `${seed}`, `${first}`, `${end - first}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [at, now, began, since, stopped, said] = [first, -1, 0, performance.now(), '', '']
  const computed = () => processorSeconds(child.pid!) ?? performance.now() / 1000
  const timer = setInterval(() => {
    const waited = (performance.now() - since) / 1000
    if (now < 0 ? waited < 5 * mostWaiting : computed() - began < mostSeconds && waited < mostWaiting) return
    stopped = `no end within ${mostSeconds} s`
    child.kill('SIGKILL')
  }, 100)
  child.stderr.on('data', (data: Buffer) => {
    said = (said + data).slice(-2000)
  })
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line
    since = performance.now()
    if (line.outcome === undefined) {
      now = line.mutant
      began = computed()
      continue
    }
    now = -1
    at = line.mutant + 1
    tally.seconds = Math.max(tally.seconds, computed() - began)
    tally.bytes = Math.max(tally.bytes, line.peakBytes!)
    if (line.outcome === 'wrong') tally.wrong.push(`${line.mutant}: ${line.detail}`)
    else tally[line.outcome]++
    if (line.peakBytes! > mostBytes) {
      // Memory may be that of the mutants before, so that this one is read again by itself.
      if (at - first > 1) {
        at--
        if (line.outcome !== 'wrong') tally[line.outcome]--
      } else tally.wrong.push(`${line.mutant}: ${Math.round(line.peakBytes! / 1e6)} MB`)
      child.kill('SIGKILL')
      break
    }
  }
  clearInterval(timer)
  if (now >= 0) {
    tally.wrong.push(`${now}: ${stopped || `the process ended: ${said}`}`)
    at = now + 1
  } else if (at === first) throw new Error(`no mutant was read: ${said}`)
  const kept = process.env.PANTIN_KEEP
  if (kept !== undefined && now >= 0)
    cpSync(join(folder, kinds[name]!.file), join(kept, `${now}-${kinds[name]!.file}`))
  return at
}

test.each(Object.keys(kinds))(
  `mutants of %s are read or refused, within ${mostSeconds} s and 500 MB`,
  async (name) => {
    const tally: Tally = { read: 0, refused: 0, wrong: [], seconds: 0, bytes: 0 }
    // Memory of a process grows with the files that it has read.
    for (let at = 0; at < count; ) at = await readSome(name, at, Math.min(count, at + 200), tally)
    const { read, refused, wrong, seconds, bytes } = tally
    // biome-ignore lint/suspicious/noConsole: the figures are what a longer run is for
    console.log(
      `${name}: ${read} read, ${refused} refused, ${wrong.length} wrong, ${seconds.toFixed(1)} s, ${(bytes / 1e6).toFixed(0)} MB`,
    )
    expect(wrong).toEqual([])
    // Mutants that are all read, or all refused at the first byte, would show nothing.
    expect(read).toBeGreaterThan(0)
    expect(refused).toBeGreaterThan(0)
  },
  24 * 3_600_000,
)
