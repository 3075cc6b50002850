import { EnvironmentError, InputError } from '../util/errors.ts'
import type { Answer, Call, MethodName, SentPlace, WorkerEvent, WorkerMethods } from './calls.ts'
import { receivedError } from './problems.ts'
import type { WebPlace, WorkerPlace } from './types.ts'

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** The page's end of a worker: calls that are answered, and events. */
export class Connection {
  /** Told what the worker says unasked. */
  onEvent: (event: WorkerEvent) => void = () => {}
  private readonly worker: Worker
  private readonly waiting = new Map<number, Waiting>()
  private calls = 0
  private ended: Error | undefined

  constructor({ workerUrl }: WorkerPlace) {
    // Bundlers are told to leave it alone: the worker is a file that the page's server has.
    const url = workerUrl ?? new URL(/* @vite-ignore */ './worker.js', import.meta.url).href
    this.worker = new Worker(url, { type: 'module', name: 'pantin' })
    this.worker.onmessage = ({ data }: MessageEvent<Answer>) => this.take(data)
    this.worker.onerror = (event) => {
      event.preventDefault()
      this.end(
        new EnvironmentError({
          what: "pantin's worker failed",
          where: url,
          got: event.message || 'the browser does not say why',
          remedy: 'check that the file is served as JavaScript, with the headers of the page; then reload',
        }),
      )
    }
  }

  /** @throws what the worker throws; InputError where the connection is closed. */
  call<M extends MethodName>(
    method: M,
    request: Parameters<WorkerMethods[M]>[0],
    transfer: readonly Transferable[] = [],
  ): Promise<ReturnType<WorkerMethods[M]>> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.ended !== undefined) {
        reject(this.ended)
        return
      }
      const call: Call = { id: ++this.calls, method, request }
      this.worker.postMessage(call, [...transfer])
      this.waiting.set(call.id, { resolve, reject })
      // The worker's table of methods has this very type.
    }) as Promise<ReturnType<WorkerMethods[M]>>
  }

  /** Ends the worker; calls that wait are refused. Harmless when repeated. */
  close(): void {
    this.end(new InputError({ what: 'it is closed', remedy: 'open it again' }))
  }

  private take(answer: Answer): void {
    if ('event' in answer) {
      this.onEvent(answer.event)
      return
    }
    const waiting = this.waiting.get(answer.id)
    this.waiting.delete(answer.id)
    if ('error' in answer) waiting?.reject(receivedError(answer.error))
    else waiting?.resolve(answer.value)
  }

  private end(reason: Error): void {
    if (this.ended !== undefined) return
    this.ended = reason
    this.worker.terminate()
    for (const { reject } of this.waiting.values()) reject(reason)
    this.waiting.clear()
  }
}

/** Opens something in a worker of its own, which ends where that fails. */
export async function connected<T>(
  place: WorkerPlace,
  open: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = new Connection(place)
  try {
    return await open(connection)
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Work that is given up when the signal aborts; whoever opened the worker then ends it. @throws its reason */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    if (signal.aborted) reject(signal.reason)
  })
  return Promise.race([work, aborted])
}

/** The part of a place that a worker is told, its address as the page means it. */
export function sentPlace({ runtimeFolder, device, threads }: WebPlace): SentPlace {
  return {
    runtimeFolder: new URL(runtimeFolder, document.baseURI).href,
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
  }
}
