import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openRun } from '../../src/run/run.ts'
import { type Compiled, compile } from '../support/compile.ts'

const script = fileURLToPath(new URL('save-loop.mjs', import.meta.url))
let compiled: Compiled
let folder = ''
let disk = ''
beforeAll(() => {
  compiled = compile('src/run/run.ts')
  folder = mkdtempSync(join(tmpdir(), 'pantin-full-'))
  disk = join(folder, 'disk')
  mkdirSync(disk)
})
afterAll(() => {
  compiled.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs the script in a shell, after `before`. */
function save(before: string, path: string, times: number) {
  const args = [process.execPath, script, compiled.url('src/run/run.ts'), import.meta.resolve('zod'), path]
  const shell = ['-c', `${before} exec "$@"`, 'sh', ...args, String(times)]
  return spawnSync('sh', shell, { encoding: 'utf8' })
}

/** The run is as the last complete save left it: two steps, and no temporary. */
async function expectIntact(path: string): Promise<void> {
  const run = await openRun(path, z.object({}), { write: true })
  const { step, tensors } = await run.loadCheckpoint()
  expect(step).toBe(2)
  expect(tensors.get('moment2')!.data.every((value) => value === 2)).toBe(true)
  expect((await run.loadWeights()).tensors.get('weights')!.data[0]).toBe(2)
  expect((await run.readMetrics()).slice(0, 2).map((record) => record.step)).toEqual([1, 2])
  run.close()
  expect([...readdirSync(path), ...readdirSync(join(path, 'last'))].join()).not.toContain('.tmp')
}

describe.skipIf(process.platform === 'win32')('a file size limit', () => {
  it('fails with the machine’s error, says how much was needed, and keeps the last state', async () => {
    const path = join(folder, 'limited')
    expect(save('', path, 2).status).toBe(0)
    // In blocks of 512 bytes or of 1 KiB, as the shell likes: below the 1 MB of a checkpoint either way.
    const { status, stdout } = save('ulimit -f 600;', path, 2)
    expect(stdout).toMatch(/EnvironmentError 1: .*no room left[\s\S]*room for 104\d{4} bytes/)
    expect(status).toBe(1)
    await expectIntact(path)
    expect(save('', path, 2).stdout).toContain('saved 4')
  })
})

describe('a disk that is full', () => {
  it('fails with the machine’s error, and keeps the last state', async (context) => {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]).status !== 0) {
      context.skip('only root can mount a small disk')
    }
    try {
      const path = join(disk, 'run')
      expect(save('', path, 2).status).toBe(0)
      const filler = join(disk, 'filler')
      writeFileSync(filler, new Uint8Array(2 << 20))
      const { status, stdout } = save('', path, 2)
      expect(stdout).toMatch(/EnvironmentError 1: .*no room left[\s\S]*ENOSPC/)
      expect(status).toBe(1)
      rmSync(filler)
      await expectIntact(path)
      expect(save('', path, 2).stdout).toContain('saved 4')
    } finally {
      spawnSync('umount', [disk])
    }
  })
})
