import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { Random } from '../../src/util/random.ts'
import { type Compiled, compile } from '../support/compile.ts'

/** SIGKILL at random moments of training, in any part of a run. PANTIN_KILLS=50 is the full test; a few run every time. */
const kills = Number(process.env.PANTIN_KILLS ?? 3)
const steps = 12 * kills

let compiled: Compiled
let folder: string
beforeAll(() => {
  compiled = compile('src/train/train.ts', 'test/train/tiny.ts')
  folder = mkdtempSync(join(tmpdir(), 'pantin-kill-'))
  const [trainer, tiny] = ['src/train/train.ts', 'test/train/tiny.ts'].map((path) =>
    JSON.stringify(compiled.url(path)),
  )
  writeFileSync(
    join(compiled.folder, 'child.js'),
    `import { existsSync } from 'node:fs'
    import { train } from ${trainer}
    import { tinyModel } from ${tiny}
    const [out, steps, replicas] = process.argv.slice(2)
    const run = await train('puppet:3,frames=24,size=48', {
      out, steps: Number(steps), model: tinyModel(), batch: 2, seed: 7, device: 'cpu', logEvery: 5,
      replicas: Number(replicas), grow: '16:0.3', patch: 16, rest: 0.4,
      checkpointSeconds: 0.05, previewSeconds: 0.3, resume: existsSync(out + '/config.json'),
    })
    console.log(JSON.stringify(run))`,
  )
})
afterAll(() => {
  compiled.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs the trainer, killed after `delay` milliseconds if given. @returns whether it came to its end. */
function trainChild(out: string, replicas: number, delay?: number): Promise<boolean> {
  const child = spawn(
    process.execPath,
    [join(compiled.folder, 'child.js'), out, String(steps), String(replicas)],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const timer = delay === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), delay)
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      if (signal === null) expect(code).toBe(0)
      resolve(signal === null)
    })
  })
}

test.each([1, 2])(
  `killed ${kills} times and resumed, a run with replicas %i ends as one that was left alone`,
  {
    timeout: 900_000,
  },
  async (replicas) => {
    const [whole, killed] = [`whole-${replicas}`, `killed-${replicas}`].map((name) => join(folder, name)) as [
      string,
      string,
    ]
    const began = performance.now()
    expect(await trainChild(whole, replicas)).toBe(true)
    const longest = performance.now() - began
    const random = new Random(11)
    let struck = 0
    for (let attempt = 0; struck < kills && attempt < 4 * kills; attempt++) {
      // Anywhere from before the folder exists to well into the steps.
      const finished = await trainChild(killed, replicas, random.between(0.02, 1) * Math.min(longest, 2500))
      if (finished) {
        // It came to its end before the kill: begin again, so that every kill strikes a run at work.
        expect(await same(whole, killed)).toBe(true)
        rmSync(killed, { recursive: true })
        continue
      }
      struck++
      for (const file of ['weights.safetensors', 'last/checkpoint.safetensors']) {
        const path = join(killed, file)
        if (existsSync(path)) await readSafetensors(path)
      }
    }
    expect(struck).toBe(kills)
    expect(await trainChild(killed, replicas)).toBe(true)
    expect(await same(whole, killed)).toBe(true)
  },
)

async function same(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map((run) => readFile(join(run, 'weights.safetensors'))))
  return first!.equals(second!)
}
