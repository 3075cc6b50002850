// Lock files, so that two processes never train into one run, and the marks by which a dead process is recognised.
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { z } from 'zod'
import { InputError } from '../util/errors.ts'
import { isAlive, temporaryPath } from './atomic.ts'
import { codeOf, fileError } from './file-errors.ts'

/** A lock that this process holds. */
export interface Lock {
  /** Removes the lock file. Calling it again does no harm. */
  release(): void
}

const markSchema = z.object({
  pid: z.int().positive(),
  host: z.string(),
  born: z.string(),
  namespace: z.string().optional(),
})

/** Milliseconds. A lock file is written right after it is created; one that is unreadable for longer is a leftover. */
const writingTime = 2000

/**
 * Milliseconds between two touches of a held lock file. Only the touches show that a process lives if its id says nothing
 * here: on another machine, or in another container. Its clock may differ from this one, so that the time of a touch tells
 * nothing: that the time changes does.
 */
const touchInterval = 5000

/** Milliseconds for which a foreign lock is watched: if it did not change meanwhile, it is a leftover. */
export const watchTime = 2 * touchInterval + 1000

/** A foreign lock that was touched so short a time ago by its own clock is not even watched. */
const mostSilence = 60_000

/** Locks of other machines and containers as they were seen, and since when they are so. */
const watched = new Map<string, { readonly state: string; readonly since: number }>()

/** Text of each held lock file, by path. All are removed when the process ends, unless SIGKILL ends it. */
const held = new Map<string, string>()
let listening = false

/**
 * Acquires a lock as `acquireLock` does. One that another machine or container has left is watched first, for `watchTime`.
 *
 * @throws InputError as `acquireLock`
 */
export async function awaitLock(path: string): Promise<Lock> {
  if (mayBeLeft(path)) await new Promise((resolve) => setTimeout(resolve, watchTime + 100))
  return acquireLock(path)
}

/**
 * Creates the lock file at `path`. A lock whose process has ended is taken over. A lock of another machine or container is,
 * if it has not changed for `watchTime` since this process saw it first.
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
  watched.delete(path)
  if (!listening) {
    process.on('exit', () => [...held.keys()].forEach(release))
    setInterval(() => [...held.keys()].forEach(touch), touchInterval).unref()
  }
  listening = true
  return { release: () => release(path) }
}

/**
 * Whether a running process holds the lock at `path`, or is making it now. A lock of another machine or container counts as
 * held until it is known to be silent: see `acquireLock`.
 */
export function isLocked(path: string): boolean {
  const text = read(path)
  if (text === undefined) return false
  const owner = ownerOf(text)
  return owner === undefined ? age(path) < writingTime : held.has(path) || !isLeftBy(owner, path)
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

/** Whether a lock's process has ended, as far as its id or its silence tells. */
function isLeftBy(owner: ProcessMark, path: string): boolean {
  if (isVisible(owner)) return isOver(owner)
  return silence(path) >= watchTime && age(path) > mostSilence
}

/** Whether a lock is one of another machine or container that has to be watched. */
function mayBeLeft(path: string): boolean {
  try {
    const owner = ownerOf(read(path) ?? '')
    if (owner === undefined || held.has(path) || isVisible(owner)) return false
    return silence(path) < watchTime && age(path) > mostSilence
  } catch {
    // Whoever acquires it says why it cannot be read.
    return false
  }
}

/** Milliseconds for which this process has seen no change of a lock file. */
function silence(path: string): number {
  // A file that is opened has its present time on network file systems, too.
  const state = `${modifiedWhenOpen(path)} ${read(path)}`
  const before = watched.get(path)
  if (before?.state === state) return performance.now() - before.since
  watched.set(path, { state, since: performance.now() })
  return 0
}

function modifiedWhenOpen(path: string): number | undefined {
  let file: number | undefined
  try {
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    return fstatSync(file).mtimeMs
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function touch(path: string): void {
  try {
    if (read(path) !== held.get(path)) return
    const now = new Date()
    utimesSync(path, now, now)
  } catch {
    // The folder is gone or may not be written any more. The work itself will say so.
  }
}

function release(path: string): void {
  const text = held.get(path)
  held.delete(path)
  // The folder may be gone. If another process has put a run there since, the lock of that process stays.
  if (text !== undefined && read(path) === text) rmSync(path, { force: true })
}

/** Removes a lock file whose process is over. */
function takeOver(path: string): void {
  const text = read(path)
  if (text === undefined) return
  const owner = ownerOf(text)
  if (owner === undefined) {
    if (age(path) < writingTime) throw isHeld(path, 'a process that is just starting')
  } else if (held.has(path) || !isLeftBy(owner, path)) {
    const here = owner.pid === process.pid ? 'this process' : `process ${owner.pid} on ${owner.host}`
    throw isHeld(path, here)
  }
  // Two processes may come to this point together. The rename is one step, so only one of them moves the
  // dead lock. The other process has moved the new lock instead, and puts it back.
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
    // A pipe would wait for a process that writes to it.
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) return ''
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Milliseconds since a file was written or touched, by this clock. A time to come counts by its distance. */
function age(path: string): number {
  return Math.abs(Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0))
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
    remedy:
      'wait for it, stop it, or choose another folder; the lock of a process on another machine or in another container ' +
      'is taken over a minute after that process has ended, and this takes some seconds',
  })
}

/** What tells a running process from a dead one, even if another process has got its id since. */
export interface ProcessMark {
  readonly pid: number
  readonly host: string
  /** Boot and start time if the system tells them (Linux), otherwise empty. */
  readonly born: string
  /** The set of processes in which the id is known, a container's for instance, if the system tells it (Linux). */
  readonly namespace?: string | undefined
}

/** The mark of this process. */
export function ownMark(): ProcessMark {
  return { pid: process.pid, host: hostname(), born: birthOf(process.pid), namespace: namespaceHere() }
}

/** Whether a mark's process can be seen from here: on this machine, under its name or, in this container, another one. */
function isVisible({ host, born, namespace }: ProcessMark): boolean {
  const here = ownMark()
  if (host === here.host) return true
  const boot = bootOf(born)
  const isHere = boot !== '' && boot === bootOf(here.born)
  return isHere && namespace !== undefined && namespace === here.namespace
}

/**
 * Whether the process of a mark has ended. Nothing is known about the processes of another machine or container: they
 * count as running.
 */
export function isOver(mark: ProcessMark): boolean {
  if (!isVisible(mark)) return false
  if (!isAlive(mark.pid)) return true
  const born = birthOf(mark.pid)
  return mark.born !== '' && born !== '' && mark.born !== born
}

const bootOf = (born: string): string => born.slice(0, Math.max(0, born.lastIndexOf(':')))

function namespaceHere(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return undefined
  }
}

function birthOf(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces; start time is the 20th field after it.
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return `${boot}:${start}`
  } catch {
    return ''
  }
}
