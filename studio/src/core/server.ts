import { currentToken } from './token.ts'
import type { Trouble } from './trouble.ts'

/** `pantin studio` on the other end: its runs, where it gave this page a token. */

const tokenHeader = 'x-pantin-token'

export interface ServedRun {
  readonly id: string
  readonly name: string
  readonly state: 'training' | 'finished' | 'stopped' | 'imported' | 'broken'
  readonly problem?: { readonly what: string; readonly remedy?: string }
  readonly kind?: 'train' | 'distil'
  readonly net?: string
  readonly size?: number
  readonly keypoints?: number
  readonly step: number
  readonly elapsed: number
  readonly progress: number
  readonly steps?: number
  readonly minutes?: number
  readonly rate?: number
  readonly etaSeconds?: number
  readonly loss?: number
  readonly hasWeights: boolean
  readonly updated?: string
}

export interface ServedRuns {
  readonly version: string
  readonly canSave: boolean
  readonly runs: readonly ServedRun[]
}

export interface ServedDetails extends ServedRun {
  readonly config: unknown
  readonly environment: unknown
  readonly previews: readonly string[]
}

export type MetricsRecord = Readonly<Record<string, unknown>>

export interface MetricsPage {
  readonly records: readonly MetricsRecord[]
  readonly cursor: string
  readonly whole: boolean
  readonly more: boolean
}

/** An answer that is no success, or none at all. */
export class ServerError extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble.what)
  }
}

export const tokenHeaders = (): Record<string, string> => {
  const token = currentToken()
  return token === undefined ? {} : { [tokenHeader]: token }
}

export const listServedRuns = (): Promise<ServedRuns> => get('api/runs')
export const readServedRun = (id: string): Promise<ServedDetails> => get(`api/runs/${id}`)
export const readMetrics = (id: string, cursor: string): Promise<MetricsPage> =>
  get(`api/runs/${id}/metrics${cursor && `?cursor=${encodeURIComponent(cursor)}`}`)

export async function readPreview(id: string, name: string): Promise<Blob> {
  return (await ask(`api/runs/${id}/previews/${name}`)).blob()
}

/** Puts a run into the server's folder. @returns what it is called there */
export async function saveRun(name: string, zip: Blob): Promise<string> {
  const folder = plainName(name)
  await ask(`api/runs/${folder}`, {
    method: 'PUT',
    body: zip,
    headers: { 'Content-Type': 'application/zip' },
  })
  return folder
}

/** The server takes names of letters, digits, "_", "-" and inner "." alone. */
const plainName = (name: string): string =>
  name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .replace(/[^\w.-]+/g, '-')
    .replace(/^\W+|\W+$/g, '')
    .slice(0, 80)
    .replace(/\W+$/, '') || 'run'

async function get<T>(path: string): Promise<T> {
  return (await ask(path)).json() as Promise<T>
}

async function ask(path: string, init: RequestInit & { headers?: Record<string, string> } = {}) {
  const headers = { ...init.headers, ...tokenHeaders() }
  const response = await fetch(path, { ...init, headers }).catch(() => {
    throw new ServerError({
      what: 'pantin studio does not answer',
      remedy: 'start it again where it ran, and open the address that it prints',
    })
  })
  if (response.ok) return response
  throw new ServerError(await problemOf(response))
}

async function problemOf(response: Response): Promise<Trouble> {
  const answer = (await response.json().catch(() => ({}))) as { error?: Partial<Trouble> }
  const { what = `the server answered ${response.status}`, remedy } = answer.error ?? {}
  return { what, ...(remedy !== undefined && { remedy }) }
}
