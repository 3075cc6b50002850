import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/**
 * Which processors ONNX Runtime's threads are bound to. Left alone, Linux often puts the calling thread and a
 * worker that spins in wait of it on one and the same processor, and keeps them there for seconds: a training
 * step on two cores then takes 750 ms in place of 430, and more than on one thread.
 */

/** A pool of threads, as ONNX Runtime is told of it. */
export interface Threads {
  readonly intraOpNumThreads?: number
  /** Of each thread but the calling one, which stays free: numbers from 1, joined by semicolons. */
  readonly affinities?: string
}

/**
 * Binds the workers of a pool that uses every processor, where it spins. A smaller pool stays free: it shares the
 * machine with others, which would be bound to the same processors.
 *
 * @param threads as asked for; undefined for one on each processor.
 * @param allowed numbers, from 0, of the processors that this process may use; undefined where unknown.
 */
export function placeThreads(
  threads: number | undefined,
  spin: boolean,
  allowed: readonly number[] | undefined = allowedProcessors(),
): Threads {
  const asked = threads === undefined ? {} : { intraOpNumThreads: threads }
  if (!spin || allowed === undefined || allowed.length < 2) return asked
  if ((threads ?? availableParallelism()) !== allowed.length) return asked
  const affinities = allowed.slice(1).map((processor) => processor + 1)
  return { intraOpNumThreads: allowed.length, affinities: affinities.join(';') }
}

let known: readonly number[] | undefined | null = null

/** Of this process, as Linux tells it; other systems place spinning threads well, or offer no choice. */
function allowedProcessors(): readonly number[] | undefined {
  if (known === null) known = process.platform === 'linux' ? readAllowed() : undefined
  return known
}

function readAllowed(): readonly number[] | undefined {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return list === undefined ? undefined : parseProcessors(list)
  } catch {
    // A container may hide it: threads are then left to the system, as everywhere else.
    return undefined
  }
}

/** The numbers of a list such as `0-3,8,10-11`; undefined where it is none. */
export function parseProcessors(list: string): readonly number[] | undefined {
  const numbers: number[] = []
  for (const part of list.split(',')) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? []
    if (first === undefined) return undefined
    for (let number = Number(first); number <= Number(last); number++) numbers.push(number)
  }
  return numbers.length > 0 ? numbers : undefined
}
