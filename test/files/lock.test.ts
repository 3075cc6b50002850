import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { acquireLock, awaitLock, isLocked, ownMark } from '../../src/files/lock.ts'
import { InputError } from '../../src/util/errors.ts'

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-lock-'))
  path = join(folder, 'lock')
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true, force: true })
})

/** Timers that a test moves on. Times of files stay those of the machine. */
const exceptTheDate = {
  toFake: ['setTimeout', 'setInterval', 'performance'] as ('setTimeout' | 'setInterval' | 'performance')[],
}

const put = (mark: object) => writeFileSync(path, JSON.stringify(mark))

it('is held once, and can be taken again after its release', () => {
  const lock = acquireLock(path)
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(ownMark())
  expect(() => acquireLock(path)).toThrow(/held by this process/)
  lock.release()
  lock.release()
  acquireLock(path).release()
  expect(readdirSync(folder)).toEqual([])
})

it('respects a running process, and one of another machine', () => {
  put({ ...ownMark(), pid: process.ppid, born: '' })
  expect(() => acquireLock(path)).toThrow(`process ${process.ppid}`)
  put({ pid: 4194999, host: 'another-machine', born: '' })
  expect(() => acquireLock(path)).toThrow(InputError)
})

it('takes over from a process of another machine or container that has not touched its lock for a minute', async () => {
  vi.useFakeTimers(exceptTheDate)
  const { born, namespace } = ownMark()
  for (const mark of [
    { pid: 1, host: 'another-machine', born: '' },
    { pid: 1, host: 'another-container', born, namespace: 'pid:[1]' },
  ]) {
    put(mark)
    const at = (seconds: number) => utimesSync(path, Date.now() / 1000 + seconds, Date.now() / 1000 + seconds)
    for (const seconds of [-50, 0, 50]) {
      at(seconds)
      expect(isLocked(path)).toBe(true)
      expect(() => acquireLock(path)).toThrow(/another container is taken over a minute after/)
    }
    // A clock that was set back leaves times to come.
    for (const seconds of [-70, 70, 90_000]) {
      put(mark)
      at(seconds)
      expect(isLocked(path)).toBe(true)
      await vi.advanceTimersByTimeAsync(11_000)
      expect(isLocked(path)).toBe(false)
      acquireLock(path).release()
      put(mark)
      at(seconds)
      const taking = awaitLock(path)
      await vi.advanceTimersByTimeAsync(12_000)
      ;(await taking).release()
    }
  }
  // The machine has another name now. Its processes can be seen, however new the lock is.
  if (namespace === undefined) return
  put({ ...ownMark(), pid: 4194999, host: 'name-of-yesterday' })
  acquireLock(path).release()
  put({ ...ownMark(), pid: process.ppid, born: born.replace(/:\d+$/, ':0'), host: 'name-of-yesterday' })
  acquireLock(path).release()
})

it.each([-3600, -120, 120, 3600])(
  'leaves the lock of a machine whose clock differs by %i s',
  async (skew) => {
    vi.useFakeTimers()
    put({ pid: 1, host: 'another-machine', born: '' })
    const touch = () => utimesSync(path, Date.now() / 1000 + skew, Date.now() / 1000 + skew)
    touch()
    const touching = setInterval(touch, 5000)
    expect(isLocked(path)).toBe(true)
    const taking = expect(awaitLock(path)).rejects.toThrow(/process 1 on another-machine/)
    await vi.advanceTimersByTimeAsync(30_000)
    await taking
    expect(isLocked(path)).toBe(true)
    clearInterval(touching)
    // Silent at last: its process has ended.
    const taken = awaitLock(path)
    await vi.advanceTimersByTimeAsync(15_000)
    ;(await taken).release()
  },
)

it('touches its lock, so that other machines see that it lives', async () => {
  vi.resetModules()
  vi.useFakeTimers()
  const fresh = await import('../../src/files/lock.ts')
  const lock = fresh.acquireLock(path)
  utimesSync(path, 1, 1)
  vi.advanceTimersByTime(6000)
  expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(10_000)
  put({ pid: 1, host: 'another-machine', born: '' })
  utimesSync(path, 1, 1)
  vi.advanceTimersByTime(6000)
  expect(statSync(path).mtimeMs).toBe(1000)
  lock.release()
})

it('takes over from a dead process, and from one whose id was given to another', () => {
  put({ ...ownMark(), pid: 4194999 })
  acquireLock(path).release()
  put({ ...ownMark(), born: 'an earlier boot:123' })
  acquireLock(path).release()
  expect(readdirSync(folder)).toEqual([])
})

it('waits for a lock that is just being written, and takes over debris', () => {
  writeFileSync(path, '')
  expect(() => acquireLock(path)).toThrow(/just starting/)
  for (const time of [1, Date.now() / 1000 + 90_000]) {
    writeFileSync(path, '')
    utimesSync(path, time, time)
    acquireLock(path).release()
  }
})

it('waits for no pipe', () => {
  if (process.platform === 'win32') return
  execFileSync('mkfifo', [path])
  utimesSync(path, 1, 1)
  expect(isLocked(path)).toBe(false)
  acquireLock(path).release()
})

it('leaves a lock that is no longer its own', () => {
  const lock = acquireLock(path)
  put({ pid: 1, host: 'another-machine', born: '' })
  lock.release()
  expect(readdirSync(folder)).toEqual(['lock'])
})
