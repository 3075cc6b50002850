import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { compile } from '../support/compile.ts'
import { longTraining } from './run.ts'

/** A terminal that is closed while a command works in it. Python's standard library makes the terminal. */

const compiled = compile('src/cli/main.ts')
const folder = mkdtempSync(join(tmpdir(), 'pantin-terminal-'))
afterAll(() => {
  compiled.remove()
  rmSync(folder, { recursive: true, force: true })
})

const hasPython = process.platform === 'linux' && spawnSync('python3', ['-c', 'import pty']).status === 0

/** Starts a program in a terminal, closes the terminal when a file exists, and prints how the program ended. */
const script = `
import os, pty, select, sys, time
mark, program = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0: os.execvp(program[0], program)
end = time.time() + 120
while time.time() < end and not (os.path.exists(mark) and os.path.getsize(mark) > 0):
    if select.select([terminal], [], [], 0.2)[0]: os.read(terminal, 65536)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

it.skipIf(!hasPython)(
  'that is closed stops training, which saves and exits 0',
  { timeout: 240_000 },
  async () => {
    const out = join(folder, 'run')
    const { pathname } = new URL(compiled.url('src/cli/main.ts'))
    const clip = 'puppet:3,frames=8,size=32'
    const training = longTraining(clip, out)
    const mark = join(out, 'metrics.jsonl')
    const child = spawn('python3', ['-c', script, mark, process.execPath, pathname, ...training])
    let stdout = ''
    child.stdout.on('data', (data: Buffer) => {
      stdout += data
    })
    await new Promise((resolve) => child.once('close', resolve))
    expect(stdout.trim()).toBe('0')
    expect(existsSync(join(out, 'weights.safetensors'))).toBe(true)
    expect(readdirSync(out).filter((name) => name === 'lock' || name.startsWith('.'))).toEqual([])
  },
)
