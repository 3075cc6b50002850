/** A lock file, so that two processes never train into one run. */

import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { InputError } from '../util/errors.ts'
import { codeOf, fileError } from './file-errors.ts'
import { isOver, ownMark } from './process.ts'
import { temporaryPath } from './temporaries.ts'

/** A lock that this process holds. */
export interface Lock {
  /** Removes the lock file. Harmless when called again. */
  release(): void
}

const markSchema = z.object({ pid: z.int().positive(), host: z.string(), born: z.string() })

/** A lock file is written right after it is created; one that is still unreadable after this is debris. */
const writingTime = 2000

/** Text of each lock file held, by path. All are removed when the process ends, except by SIGKILL. */
const held = new Map<string, string>()
let listening = false

/**
 * Creates the lock file at `path`. A lock whose process has ended is taken over.
 *
 * @throws InputError if a running process (or this one) holds it, or the path cannot be written.
 */
export function acquireLock(path: string): Lock {
  const text = `${JSON.stringify(ownMark())}\n`
  try {
    if (!create(path, text)) {
      takeOver(path)
      if (!create(path, text)) throw isHeld(path, 'a process that was quicker')
    }
  } catch (error) {
    throw fileError(error, path, 'written')
  }
  held.set(path, text)
  if (!listening) process.on('exit', () => [...held.keys()].forEach(release))
  listening = true
  return { release: () => release(path) }
}

/** Whether a running process holds the lock at `path`, or just makes it. */
export function isLocked(path: string): boolean {
  const text = read(path)
  if (text === undefined) return false
  const owner = ownerOf(text)
  return owner === undefined ? age(path) < writingTime : held.has(path) || !isOver(owner)
}

function create(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function release(path: string): void {
  const text = held.get(path)
  held.delete(path)
  // The folder may be gone, or replaced by a run of another process: that one's lock stays.
  if (text !== undefined && read(path) === text) rmSync(path, { force: true })
}

/** Removes a lock file whose process is over. */
function takeOver(path: string): void {
  const text = read(path)
  if (text === undefined) return
  const owner = ownerOf(text)
  if (owner === undefined) {
    if (age(path) < writingTime) throw isHeld(path, 'a process that is just starting')
  } else if (held.has(path) || !isOver(owner)) {
    const here = owner.pid === process.pid ? 'this process' : `process ${owner.pid} on ${owner.host}`
    throw isHeld(path, here)
  }
  // Two processes may come to this point together. The name moves in one step, so only one of them gets
  // the dead lock; the other one, that moved the new lock instead, puts it back.
  const aside = temporaryPath(path)
  try {
    renameSync(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const mine = read(aside) === text
  if (!mine) linkSync(aside, path)
  rmSync(aside, { force: true })
  if (!mine) throw isHeld(path, 'a process that was quicker')
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function age(path: string): number {
  return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
}

function ownerOf(text: string): z.infer<typeof markSchema> | undefined {
  try {
    return markSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function isHeld(path: string, holder: string): InputError {
  return new InputError({
    what: 'this run is in use',
    where: path,
    got: `its lock is held by ${holder}`,
    expected: 'one process that trains into a run',
    remedy: 'wait for it, stop it, or choose another folder; if it is surely gone, delete the lock file',
  })
}
