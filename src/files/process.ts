import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { isAlive } from './temporaries.ts'

/** Enough to tell a running process from a dead one, even when its id has been given to another. */
export interface ProcessMark {
  readonly pid: number
  readonly host: string
  /** Boot and start time where the system tells them (Linux), otherwise empty. */
  readonly born: string
}

/** The mark of this process. */
export function ownMark(): ProcessMark {
  return { pid: process.pid, host: hostname(), born: birthOf(process.pid) }
}

/**
 * Whether the process of a mark is over. Of another machine's processes nothing is known: they count as
 * running.
 */
export function isOver(mark: ProcessMark): boolean {
  if (mark.host !== hostname()) return false
  if (!isAlive(mark.pid)) return true
  const born = birthOf(mark.pid)
  return mark.born !== '' && born !== '' && mark.born !== born
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
