// How the process ends: by signals, and if its output cannot be written.
import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Compiled, compile } from '../support/compile.ts'

const compiled: Compiled = compile('src/cli/main.ts')
const folder = mkdtempSync(join(tmpdir(), 'pantin-process-'))
afterAll(() => {
  compiled.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a program with stdout in a file. */
async function into(path: string, words: readonly string[]) {
  const file = openSync(path, 'w')
  const child = spawn(process.execPath, words, { stdio: ['ignore', file, 'pipe'] })
  closeSync(file)
  let stderr = ''
  child.stderr!.on('data', (data: Buffer) => {
    stderr += data
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, stderr }
}

it.runIf(process.platform === 'linux').each([[[]], [['--json']]])(
  'a full disk on stdout is an error of the machine, with %j',
  async (flags) => {
    const { pathname } = new URL(compiled.url('src/cli/main.ts'))
    const { code, stderr } = await into('/dev/full', [pathname, 'info', 'lednet', ...flags])
    expect(stderr).toMatch(
      /^pantin: standard output: the result could not be written\n {2}got: .*ENOSPC.*\n {2}remedy: .*\n$/,
    )
    expect(code).toBe(1)
  },
)

describe.skipIf(process.platform === 'win32')('a signal', () => {
  const [main, atomic] = ['src/cli/process.ts', 'src/files/atomic.ts'].map((path) =>
    JSON.stringify(compiled.url(path)),
  )
  const script = join(compiled.folder, 'signalled.js')
  writeFileSync(
    script,
    `import { writeFileSync } from 'node:fs'
    import { explain, leave, stopOnSignals } from ${main}
    import { createOutput } from ${atomic}
    const [out, stops] = process.argv.slice(2)
    const signal = stopOnSignals(() => console.log('stopping'))
    const output = await createOutput(out, { overwrite: true })
    writeFileSync(output.temporary, 'half')
    setInterval(() => {}, 1000)
    console.log('ready')
    await new Promise((_, reject) => {
      if (stops === 'true') signal.addEventListener('abort', () => reject(signal.reason))
    }).catch(async (error) => {
      await output.abort()
      await leave(explain(error, signal.aborted).exitCode)
    })`,
  )

  /** Starts the script, and sends a signal at each line that it prints. @returns its exit code */
  function signalled(signals: NodeJS.Signals[], stops: boolean): Promise<number | null> {
    const words = [script, join(folder, 'film.mp4'), String(stops)]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    let lines = 0
    child.stdout!.on('data', (data: Buffer) => {
      for (const _ of data.toString().matchAll(/\n/g)) {
        const name = signals[lines++]
        if (name !== undefined) child.kill(name)
      }
    })
    return new Promise((resolve) => child.on('close', resolve))
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s before anything was written: exit code %i', async (name, code) => {
    expect(await signalled([name], true)).toBe(code)
    expect(readdirSync(folder)).toEqual([])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s for the second time ends the process, and leaves no temporary', async (name, code) => {
    expect(await signalled([name, name], false)).toBe(code)
    expect(readdirSync(folder)).toEqual([])
  })
})
