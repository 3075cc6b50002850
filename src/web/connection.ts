// The page's end of a worker: calls that are answered, events, disposal, and where the worker's files are found. The
// messages between both ends come first.
import type { WebDevice } from '../runtime/web-runtime.ts'
import { EnvironmentError, InputError, receivedError, type SentError } from '../util/errors.ts'

/** A table of methods that a worker has, each with one argument. */
export type Methods<M> = { readonly [Name in keyof M]: (request: never) => unknown }

/** A call of the page. The worker answers each call once, by its number. */
export interface Call {
  readonly id: number
  readonly method: PropertyKey
  readonly request: unknown
}

/** A method of every worker, which does nothing. A worker that answers it is not held up. */
export const hears = 'hears'

/** A message of the worker: the answer to a call, or an event. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: SentError }
  | { readonly event: unknown }

/** Where the library finds its worker. Addresses are relative to the page. */
export interface WorkerPlace {
  /** Address of pantin's `dist/web/worker.js` (default: beside this library's own file). */
  readonly workerUrl?: string
  /**
   * Address of pantin's `assets` folder, with the starters, the shapes of heads and the networks that find faces (default: where it is in
   * the package, seen from this library's own file).
   */
  readonly assetsFolder?: string
  /** Gives the call up that it is passed to, which then throws the signal's reason. Nothing stays open. */
  readonly signal?: AbortSignal
}

/** Where and on what the library computes. */
export interface WebPlace extends WorkerPlace {
  /** Address of the folder with the files of onnxruntime-web's `dist`. They are loaded when first needed. */
  readonly runtimeFolder: string
  /**
   * `auto` (default): WebGPU if the machine has it in hardware, otherwise the CPU. A device that is named is used, or
   * refused.
   */
  readonly device?: WebDevice | 'auto'
  /** Threads on the CPU (default: one for each core if the page is cross-origin isolated, otherwise one). */
  readonly threads?: number
  /**
   * Is told if the library goes on in another way: on the CPU, for example, after the GPU was lost; and of clips to train on
   * that are not as they should be.
   */
  onNotice?(notice: Notice): void
}

/** Something that the visitor should know, and that stops no work. */
export interface Notice {
  /** What has happened. `clip`: a clip to train on has damaged frames, is HDR, or is enlarged. */
  readonly kind: 'device-lost' | 'storage-full' | 'clip'
  /** The same as a sentence. */
  readonly message: string
}

/** The device that really computes. */
export interface Computing {
  readonly device: WebDevice
  /** Threads on the CPU. */
  readonly threads: number
  /** Name of the GPU, if one is used. */
  readonly adapter: string | undefined
}

/** The parts of a place that a worker is told. Addresses are absolute. */
export type SentPlace = Pick<WebPlace, 'runtimeFolder' | 'device' | 'threads'> & { readonly assets: string }

/** Tells a worker the place, with its address as the page means it. */
export function sentPlace({ runtimeFolder, device, threads, ...place }: WebPlace): SentPlace {
  return {
    runtimeFolder: new URL(runtimeFolder, document.baseURI).href,
    assets: assetsAddress(place),
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
  }
}

/** The address of pantin's assets, absolute, with a slash at its end. */
export function assetsAddress({ assetsFolder }: Pick<WorkerPlace, 'assetsFolder'>): string {
  if (assetsFolder === undefined) return new URL(/* @vite-ignore */ '../../assets/', import.meta.url).href
  return new URL(assetsFolder.replace(/\/?$/, '/'), document.baseURI).href
}

/**
 * `Symbol.asyncDispose`. Browsers that lack it get the symbol that compilers of `await using` use in its stead, so that
 * the library loads there too.
 */
export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose)

/** Seconds between two questions whether a worker hears. */
const tick = 0.25

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A worker of its own for one object of the library. `M`: the methods that it calls; `E`: the events that it gets. */
export class Connection<M extends Methods<M>, E = never> {
  /** Is told what the worker says without being asked. */
  onEvent: (event: E) => void = () => {}
  private readonly worker: Worker
  private readonly waiting = new Map<number, Waiting>()
  private calls = 0
  private ended: Error | undefined

  constructor({ workerUrl }: WorkerPlace) {
    // Bundlers leave this address alone: the worker is a file on the page's server.
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

  /** @throws the worker's error; InputError if the connection is closed. */
  call<Name extends keyof M>(
    method: Name,
    request: Parameters<M[Name]>[0],
    transfer: readonly Transferable[] = [],
  ): Promise<Awaited<ReturnType<M[Name]>>> {
    // The worker's table of methods has this very type.
    return this.send(method, request, transfer) as Promise<Awaited<ReturnType<M[Name]>>>
  }

  /**
   * Carries out some calls, and ends the worker if it computes too long without hearing of messages: nothing else could
   * stop it. The time in which the worker is loaded does not count.
   *
   * @param seconds that the worker may compute
   * @throws the error for a worker that is ended
   */
  async unlessStuck<T>(work: () => Promise<T>, seconds: number, stuck: Error): Promise<T> {
    let isLoaded = false
    let isAsked = false
    let silent = 0
    const ask = () => {
      isAsked = true
      silent = 0
      const answered = () => {
        isLoaded = true
        isAsked = false
      }
      // If the connection ends, the work is told too.
      this.send(hears, undefined).then(answered, () => {})
    }
    ask()
    // Ticks are counted, because a page that sleeps would find the time gone.
    const timer = setInterval(() => {
      if (!isAsked) ask()
      else if (isLoaded && ++silent * tick > seconds) this.end(stuck)
    }, tick * 1000)
    try {
      return await work()
    } finally {
      clearInterval(timer)
    }
  }

  /** Ends the worker. Calls that wait are refused. Harmless when repeated. */
  close(): void {
    this.end(new InputError({ what: 'it is closed', remedy: 'open it again' }))
  }

  private send(
    method: PropertyKey,
    request: unknown,
    transfer: readonly Transferable[] = [],
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) {
        // Nobody else can give up the frames that were made for the call.
        for (const one of transfer) if ('close' in one) one.close()
        reject(this.ended)
        return
      }
      const call: Call = { id: ++this.calls, method, request }
      this.worker.postMessage(call, [...transfer])
      this.waiting.set(call.id, { resolve, reject })
    })
  }

  private take(answer: Answer): void {
    if ('event' in answer) {
      // The worker sends the events of the object that it serves.
      this.onEvent(answer.event as E)
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

/**
 * Opens an object of the library in a worker of its own. If that fails or is aborted, the worker is ended.
 *
 * @throws the reason of the place's signal, if it is aborted before the object is open.
 */
export async function connected<M extends Methods<M>, T, E = never>(
  place: WorkerPlace,
  open: (connection: Connection<M, E>) => Promise<T>,
): Promise<T> {
  place.signal?.throwIfAborted()
  const connection = new Connection<M, E>(place)
  try {
    return await unlessAborted(open(connection), place.signal)
  } catch (error) {
    connection.close()
    throw error
  }
}

/** The result of some work. @throws the signal's reason as soon as it is aborted, and lets the work end unheard. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
