/** File systems that this machine may not have: without hard links, or where a rename has to wait. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createOutput, renamePatiently } from '../../src/files/atomic.ts'
import { InputError } from '../../src/util/errors.ts'

const systemError = (code: string) => Object.assign(new Error(code), { code })

const answer = vi.hoisted(() => ({ code: '' }))
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: () => Promise.reject(systemError(answer.code)),
}))

let folder = ''
const at = (name: string) => join(folder, name)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-odd-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe.each(['EPERM', 'EISDIR', 'EINVAL'])('where a hard link is answered with %s', (code) => {
  beforeEach(() => {
    answer.code = code
  })

  it('a new file gets its name all the same', async () => {
    const output = await createOutput(at('clip.mp4'), { overwrite: false })
    writeFileSync(output.temporary, 'ours')
    await output.commit()
    expect(readFileSync(at('clip.mp4'), 'utf8')).toBe('ours')
    expect(readdirSync(folder)).toEqual(['clip.mp4'])
  })

  it.each([
    ['a file', (path: string) => writeFileSync(path, 'theirs'), /exists already/],
    ['a folder', (path: string) => mkdirSync(path), /not a regular file[\s\S]*a folder/],
  ])('%s that appears meanwhile is not replaced', async (_, make, message) => {
    const output = await createOutput(at('clip.mp4'), { overwrite: false })
    writeFileSync(output.temporary, 'ours')
    make(at('clip.mp4'))
    const committed = output.commit()
    await expect(committed).rejects.toThrow(InputError)
    await expect(committed).rejects.toThrow(message)
    expect(readdirSync(folder)).toEqual(['clip.mp4'])
  })
})

describe('a rename', () => {
  /** Fails so many times. */
  const busy = (times: number, platform: string, code = 'EPERM') => {
    const rename = vi.fn(async () => {
      if (rename.mock.calls.length <= times) throw systemError(code)
    })
    return { platform, rename }
  }

  it.each(['EPERM', 'EACCES', 'EBUSY'])('is tried again on Windows after %s', async (code) => {
    const world = busy(3, 'win32', code)
    await renamePatiently('a', 'b', world)
    expect(world.rename).toHaveBeenCalledTimes(4)
  })

  it('is tried for two seconds, and not for other errors or elsewhere', async () => {
    const ever = busy(Number.POSITIVE_INFINITY, 'win32')
    const begun = performance.now()
    await expect(renamePatiently('a', 'b', ever)).rejects.toThrow('EPERM')
    expect(performance.now() - begun).toBeGreaterThan(1900)
    for (const world of [busy(1, 'win32', 'ENOENT'), busy(1, 'linux')]) {
      await expect(renamePatiently('a', 'b', world)).rejects.toThrow()
      expect(world.rename).toHaveBeenCalledTimes(1)
    }
  })
})
