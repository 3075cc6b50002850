// The models that the page knows: starters, this browser's own, the command line's, and opened files.
import { signal } from '@preact/signals'
import {
  openRun,
  type RunSummary,
  type SearchSummary,
  type Starter,
  type StoredRun,
  type StudySummary,
  starters,
  storedRuns,
  type WebRun,
} from 'pantin/web'
import { complain } from './messages.ts'
import { place } from './place.ts'
import { hasServer, listServedRuns, tokenHeaders } from './server.ts'

/** `starter:NAME`, `stored:NAME`, `served:ID` or `opened:N`. */
export type RunKey = string

export const keyOf = ({ name }: Starter): RunKey => `starter:${name}`

/** The starter that a key stands for, if it is one's. */
export const starterOf = (key: RunKey): Starter | undefined => starters.find((one) => keyOf(one) === key)

/** The model that the page begins with. */
export const firstRun: RunKey = keyOf(starters[0]!)

/** The run that Animate uses. */
export const chosenRun = signal<RunKey>(firstRun)

export const stored = signal<readonly StoredRun[]>([])
export const served = signal<readonly RunSummary[]>([])
/** The studies of the server. */
export const studies = signal<readonly StudySummary[]>([])
/** The searches of the server. */
export const searches = signal<readonly SearchSummary[]>([])
export const opened = signal<readonly WebRun[]>([])

export async function refreshStored(): Promise<void> {
  try {
    stored.value = await storedRuns.list()
  } catch (error) {
    stored.value = []
    complain(error)
  }
}

/** Reads the server's runs, studies and searches. Without a token there is no server to ask. */
export async function refreshServed(): Promise<void> {
  if (!(await hasServer())) return
  const listing = await listServedRuns()
  served.value = listing.runs
  studies.value = listing.studies
  searches.value = listing.searches
}

/** Opens a run from files. @returns its key */
export async function takeRun(source: Blob | ReadonlyMap<string, Blob>): Promise<RunKey> {
  return takeOpened(await openRun(source))
}

/** Adds an open run that is in no storage. @returns its key */
export function takeOpened(run: WebRun): RunKey {
  if (!opened.peek().includes(run)) opened.value = [...opened.peek(), run]
  return `opened:${opened.peek().indexOf(run)}`
}

export async function loadRun(key: RunKey): Promise<WebRun> {
  const [kind, ...rest] = key.split(':')
  const name = rest.join(':')
  if (kind === 'stored') return storedRuns.open(name)
  if (kind === 'opened') return opened.peek()[Number(name)] ?? openRun(name, place.peek())
  if (kind === 'served') {
    await hasServer()
    const known = served.peek().find(({ id }) => id === name)
    return openRun(`api/runs/${name}/files/`, { name: known?.name ?? name, headers: tokenHeaders() })
  }
  return openRun(name, place.peek())
}
