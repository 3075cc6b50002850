import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { acquireLock, ownMark } from '../../src/files/lock.ts'
import { InputError } from '../../src/util/errors.ts'

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-lock-'))
  path = join(folder, 'lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

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
  utimesSync(path, 1, 1)
  acquireLock(path).release()
})

it('leaves a lock that is no longer its own', () => {
  const lock = acquireLock(path)
  put({ pid: 1, host: 'another-machine', born: '' })
  lock.release()
  expect(readdirSync(folder)).toEqual(['lock'])
})
