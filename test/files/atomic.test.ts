import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  assertWritableTarget,
  createOutput,
  removeStaleTemporaries,
  temporaryPath,
  writeFileAtomic,
} from '../../src/files/atomic.ts'
import { fileError } from '../../src/files/file-errors.ts'
import { EnvironmentError, InputError } from '../../src/util/errors.ts'

let folder = ''
const at = (name: string) => join(folder, name)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-atomic-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('writeFileAtomic', () => {
  it('creates, replaces, and leaves nothing else', async () => {
    await writeFileAtomic(at('a.txt'), 'première')
    expect(readFileSync(at('a.txt'), 'utf8')).toBe('première')
    await writeFileAtomic(at('a.txt'), [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)])
    expect([...readFileSync(at('a.txt'))]).toEqual([1, 2, 3])
    await writeFileAtomic(at('a.txt'), '')
    expect(readFileSync(at('a.txt')).length).toBe(0)
    expect(readdirSync(folder)).toEqual(['a.txt'])
  })

  it('keeps a symbolic link, and writes through it', async () => {
    writeFileSync(at('real'), 'old')
    symlinkSync(at('real'), at('link'))
    await writeFileAtomic(at('link'), 'new')
    expect(readFileSync(at('real'), 'utf8')).toBe('new')
    expect(readdirSync(folder).sort()).toEqual(['link', 'real'])
  })

  it('says why a path cannot be written', async () => {
    writeFileSync(at('file'), '')
    mkdirSync(at('sub'))
    symlinkSync(at('loop'), at('loop'))
    const cases: [string, RegExp][] = [
      [at('none/x'), /no such file or folder/],
      [at('file/x'), /not a folder/],
      [at('sub'), /not a regular file/],
      [at('loop'), /loop/],
      [`${at('new')}/`, /it is a folder/],
      ['', /it is a folder/],
      ['/dev/null', /a device/],
      [at('x'.repeat(300)), /too long/],
      [at('nul\0'), /not valid here/],
    ]
    for (const [path, message] of cases) {
      const error = await writeFileAtomic(path, 'x').catch((e: unknown) => e)
      expect(error, path).toBeInstanceOf(InputError)
      expect((error as Error).message).toMatch(message)
    }
    expect(readdirSync(folder).sort()).toEqual(['file', 'loop', 'sub'])
  })

  it('writes a name as long as the file system allows', async () => {
    await writeFileAtomic(at('é'.repeat(127)), 'x')
    await writeFileAtomic(at(`${'a'.repeat(10)}.${'b'.repeat(240)}`), 'x')
    expect(readdirSync(folder).length).toBe(2)
  })
})

describe('createOutput', () => {
  it('keeps the extension, and aborts without a trace', async () => {
    const output = await createOutput(at('clip.mp4'), { overwrite: false })
    expect(output.temporary).toMatch(/\.tmp\.mp4$/)
    writeFileSync(output.temporary, 'half')
    await output.abort()
    await output.abort()
    expect(readdirSync(folder)).toEqual([])
  })

  it('does not replace a file that appears meanwhile', async () => {
    const output = await createOutput(at('clip.mp4'), { overwrite: false })
    writeFileSync(output.temporary, 'ours')
    writeFileSync(at('clip.mp4'), 'theirs')
    await expect(output.commit()).rejects.toThrow(/exists already/)
    expect(readFileSync(at('clip.mp4'), 'utf8')).toBe('theirs')
    expect(readdirSync(folder)).toEqual(['clip.mp4'])
    const second = await createOutput(at('clip.mp4'), { overwrite: true })
    writeFileSync(second.temporary, 'ours')
    await second.commit()
    await second.abort()
    expect(readFileSync(at('clip.mp4'), 'utf8')).toBe('ours')
  })

  it('fails if the writer made no file', async () => {
    const output = await createOutput(at('clip.mp4'), { overwrite: false })
    await expect(output.commit()).rejects.toThrow(InputError)
  })
})

describe('assertWritableTarget', () => {
  it('refuses an existing file unless forced', async () => {
    writeFileSync(at('a'), '')
    await expect(assertWritableTarget(at('a'), { force: false })).rejects.toThrow(/--force/)
    await assertWritableTarget(at('a'), { force: true })
    await assertWritableTarget(at('b'), { force: false })
    await expect(assertWritableTarget(at('none/b'), { force: true })).rejects.toThrow(InputError)
    expect(existsSync(at('b'))).toBe(false)
  })

  it.each([false, true])('refuses a link to nothing, which stays (force: %s)', async (force) => {
    symlinkSync(at('gone'), at('link'))
    await expect(assertWritableTarget(at('link'), { force })).rejects.toThrow(/symbolic link .*not there/)
    await expect(createOutput(at('link'), { overwrite: force })).rejects.toThrow(InputError)
    expect(readlinkSync(at('link'))).toBe(at('gone'))
    expect(readdirSync(folder)).toEqual(['link'])
  })
})

describe('removeStaleTemporaries', () => {
  it('removes only old temporaries of processes that are over', async () => {
    const own = temporaryPath(at('x.bin'))
    // Beyond the largest process id of Linux.
    const dead = own.replace(`${process.pid}-`, '4194999-')
    for (const file of [own, dead, at('.mine.tmp'), at('user.1-000000000000.tmp')]) writeFileSync(file, '')
    expect(await removeStaleTemporaries(folder)).toEqual([])
    utimesSync(dead, 1, 1)
    expect(await removeStaleTemporaries(folder)).toHaveLength(1)
    expect(readdirSync(folder)).toHaveLength(3)
    expect(await removeStaleTemporaries(at('none'))).toEqual([])
  })
})

describe('fileError', () => {
  it('tells a full disk from a bad path and a bug', () => {
    const system = (code: string) => Object.assign(new Error(code), { code })
    for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG']) {
      const error = fileError(system(code), 'f', 'written', 1234)
      expect(error).toBeInstanceOf(EnvironmentError)
      expect(String(error)).toMatch(/earlier file of this name is intact[\s\S]*1234 bytes/)
    }
    expect(fileError(system('EIO'), 'f', 'read')).toBeInstanceOf(EnvironmentError)
    expect(fileError(system('EROFS'), 'f', 'written')).toBeInstanceOf(InputError)
    const bug = new TypeError('x is not a function')
    expect(fileError(bug, 'f', 'read')).toBe(bug)
    expect(fileError(new RangeError('Array buffer allocation failed'), 'f', 'read')).toBeInstanceOf(
      EnvironmentError,
    )
  })
})
