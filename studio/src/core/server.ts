// The server of this page, `pantin studio`: asks it for its runs, if it gave this page a token.
import type { RunDetails, RunListing, RunMetrics, TokenHeader } from 'pantin/web'
import { currentToken, shareToken } from './token.ts'
import type { Trouble } from './trouble.ts'

const tokenHeader: TokenHeader = 'x-pantin-token'

/** The server refused, failed, or did not answer. */
export class ServerError extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble.what)
  }
}

export const tokenHeaders = (): Record<string, string> => {
  const token = currentToken()
  return token === undefined ? {} : { [tokenHeader]: token }
}

const asked = shareToken((token) =>
  fetch('api/runs', { method: 'HEAD', headers: { [tokenHeader]: token } }).then(
    ({ ok }) => ok,
    () => false,
  ),
)

/** Whether there is a server that this page may ask. It is told once other tabs had time to share the token. */
export async function hasServer(): Promise<boolean> {
  await asked
  return currentToken() !== undefined
}

export const listServedRuns = (): Promise<RunListing> => get('api/runs')
export const readServedRun = (id: string): Promise<RunDetails> => get(`api/runs/${id}`)
export const readMetrics = (id: string, cursor: string): Promise<RunMetrics> =>
  get(`api/runs/${id}/metrics${cursor && `?cursor=${encodeURIComponent(cursor)}`}`)

export async function readPreview(id: string, name: string): Promise<Blob> {
  return (await ask(`api/runs/${id}/previews/${name}`)).blob()
}

/** Saves a run in the server's folder. @returns its name there */
export async function saveRun(name: string, zip: Blob): Promise<string> {
  const folder = plainName(name)
  await ask(`api/runs/${folder}`, {
    method: 'PUT',
    body: zip,
    headers: { 'Content-Type': 'application/zip' },
  })
  return folder
}

/** A name as the server takes it: letters, digits, "_", "-" and inner ".". */
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
      remedy: 'start it again, and open the address that it prints',
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
