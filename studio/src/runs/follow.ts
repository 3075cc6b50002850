import { signal } from '@preact/signals'
import { refreshServed, served } from '../core/runs.ts'
import { type MetricsRecord, readMetrics, readServedRun, type ServedDetails } from '../core/server.ts'
import { type Trouble, troubleOf } from '../core/trouble.ts'

/** Follows the server's runs while their view is shown. */

export interface Record {
  readonly step: number
  readonly loss: number
}

/** Ids of the runs whose curves are shown. */
export const overlaid = signal<ReadonlySet<string>>(new Set())
/** Id of the run that is looked at. */
export const looked = signal<string | undefined>(undefined)
export const records = signal<ReadonlyMap<string, readonly Record[]>>(new Map())
export const details = signal<ServedDetails | undefined>(undefined)
export const trouble = signal<Trouble | undefined>(undefined)

const everyMilliseconds = 2000
const cursors = new Map<string, string>()

/** Asks again and again. @returns what ends it */
export function follow(): () => void {
  let isOver = false
  const go = async () => {
    while (!isOver) {
      // A page out of sight asks nobody.
      if (!document.hidden) await once().catch(told)
      await new Promise((resolve) => setTimeout(resolve, everyMilliseconds))
    }
  }
  void go()
  return () => {
    isOver = true
  }
}

/** Looks once: at the list, the curves that are shown, and the run that is looked at. */
export async function once(): Promise<void> {
  await refreshServed()
  const [first] = served.peek()
  if (looked.peek() === undefined && first !== undefined) {
    overlaid.value = new Set([first.id])
    looked.value = first.id
  }
  await Promise.all([...overlaid.peek()].map(readCurve))
  const id = looked.peek()
  if (id !== undefined) details.value = await readServedRun(id)
  trouble.value = undefined
}

function told(error: unknown): void {
  trouble.value = troubleOf(error)
}

async function readCurve(id: string): Promise<void> {
  for (let more = true; more; ) {
    const page = await readMetrics(id, cursors.get(id) ?? '')
    cursors.set(id, page.cursor)
    more = page.more
    const fresh = page.records.flatMap(recordOf)
    if (fresh.length === 0 && !page.whole) continue
    const before = page.whole ? [] : (records.peek().get(id) ?? [])
    records.value = new Map([...records.peek(), [id, [...before, ...fresh]]])
  }
}

function recordOf({ step, loss }: MetricsRecord): Record[] {
  return typeof step === 'number' && typeof loss === 'number' ? [{ step, loss }] : []
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
