// Follows the server's runs: the list, their curves, and the run that is looked at.
import { signal } from '@preact/signals'
import type { RunDetails } from 'pantin/web'
import { type CurvePoint, curvePointsOf } from '../core/curves.ts'
import { inAddress } from '../core/router.ts'
import { refreshServed, served } from '../core/runs.ts'
import { readMetrics, readServedRun } from '../core/server.ts'
import { type Trouble, troubleOf } from '../core/trouble.ts'

/** Ids of the runs whose curves are shown. */
export const overlaid = signal<ReadonlySet<string>>(new Set())
/** Id of the run that is shown in detail. */
export const looked = signal<string | undefined>(undefined)
export const records = signal<ReadonlyMap<string, readonly CurvePoint[]>>(new Map())
export const details = signal<RunDetails | undefined>(undefined)
inAddress('runs', 'run', {
  write: () => looked.value,
  read(id) {
    looked.value = id
    overlaid.value = new Set([...overlaid.peek(), id])
  },
})
export const trouble = signal<Trouble | undefined>(undefined)

const everyMilliseconds = 2000
const cursors = new Map<string, string>()

/** Asks the server every few seconds. @returns a function that stops it */
export function follow(): () => void {
  let isOver = false
  const go = async () => {
    while (!isOver) {
      // A hidden page does not ask.
      if (!document.hidden) await once().catch(told)
      await new Promise((resolve) => setTimeout(resolve, everyMilliseconds))
    }
  }
  void go()
  return () => {
    isOver = true
  }
}

/** Reads the list, the curves that are shown, and the run that is shown in detail. */
export async function once(): Promise<void> {
  await refreshServed()
  forgetGone(new Set(served.peek().map(({ id }) => id)))
  const [first] = served.peek()
  if (looked.peek() === undefined && first !== undefined) {
    overlaid.value = new Set([...overlaid.peek(), first.id])
    looked.value = first.id
  }
  const id = looked.peek()
  const readings = [...overlaid.peek()].map(readCurve)
  if (id !== undefined) readings.push(readDetails(id))
  // If one run cannot be read, or has just disappeared, the others are shown all the same.
  const failed = (await Promise.allSettled(readings)).find((reading) => reading.status === 'rejected')
  trouble.value = failed && troubleOf(failed.reason)
}

/** Forgets runs whose folders have disappeared. */
function forgetGone(ids: ReadonlySet<string>): void {
  for (const id of cursors.keys()) if (!ids.has(id)) cursors.delete(id)
  if ([...records.peek().keys()].some((id) => !ids.has(id))) {
    records.value = new Map([...records.peek()].filter(([id]) => ids.has(id)))
  }
  if ([...overlaid.peek()].some((id) => !ids.has(id))) {
    overlaid.value = new Set([...overlaid.peek()].filter((id) => ids.has(id)))
  }
  const id = looked.peek()
  if (id !== undefined && !ids.has(id)) {
    looked.value = undefined
    details.value = undefined
  }
}

async function readDetails(id: string): Promise<void> {
  const read = await readServedRun(id)
  // Another run may have been chosen in the meantime.
  if (looked.peek() === id) details.value = read
}

function told(error: unknown): void {
  trouble.value = troubleOf(error)
}

async function readCurve(id: string): Promise<void> {
  for (let more = true; more; ) {
    const cursor = cursors.get(id)
    const page = await readMetrics(id, cursor ?? '')
    // Another call has read it in the meantime, or the run has disappeared.
    if (cursors.get(id) !== cursor) return
    cursors.set(id, page.cursor)
    more = page.more
    const fresh = curvePointsOf(page.records)
    if (fresh.length === 0 && !page.whole) continue
    const before = page.whole ? [] : (records.peek().get(id) ?? [])
    records.value = new Map([...records.peek(), [id, [...before, ...fresh]]])
  }
}

export function toggleOverlay(id: string): void {
  const next = new Set(overlaid.peek())
  if (!next.delete(id)) next.add(id)
  overlaid.value = next
  once().catch(told)
}

export function look(id: string): void {
  looked.value = id
  details.value = undefined
  if (!overlaid.peek().has(id)) overlaid.value = new Set([...overlaid.peek(), id])
  once().catch(told)
}
