// What computes in this worker: a GPU until it is lost, then the CPU; the networks that find faces on it; and the worker's end
// of its connection, which answers the page's calls and tells events.
import { type Face, type FaceFinder, openFaceFinder } from '../../faces/finder.ts'
import { faceAsset, readFaceWeights } from '../../faces/networks.ts'
import { rewriteWith, type Weighted } from '../../optimise/rewrite-with.ts'
import { ComputeError } from '../../runtime/ort.ts'
import type { OpenSession } from '../../runtime/session.ts'
import { loadWebRuntime, type WebRuntime, webSessions } from '../../runtime/web.ts'
import { EnvironmentError, FormatError, messageOf, sentError } from '../../util/errors.ts'
import { type Answer, type Call, type Computing, hears, type Methods, type SentPlace } from '../connection.ts'
import type { NetworkEvent } from '../networks.ts'
import type { SentPicture } from '../picture.ts'
import type { TrainingEvent } from '../trainer.ts'
import { PictureReader } from './pixels.ts'

/** The device that this worker computes on. */
export class Processor {
  private constructor(
    private readonly place: SentPlace,
    private runtime: WebRuntime,
  ) {}

  /** @throws EnvironmentError if the device or ONNX Runtime's files are missing. */
  static async open(place: SentPlace): Promise<Processor> {
    const chosen = place.device !== undefined && place.device !== 'auto'
    return new Processor(
      place,
      await runtimeOn(place).catch((error: unknown) => {
        if (chosen) throw error
        // The machine has a GPU, and it does not work. If files are missing, the CPU fails too.
        return runtimeOn({ ...place, device: 'cpu' })
      }),
    )
  }

  get current(): WebRuntime {
    return this.runtime
  }

  get computing(): Computing {
    const { device, threads, adapter } = this.runtime
    return { device, threads, adapter: adapter?.name }
  }

  get openSession(): OpenSession {
    return webSessions(this.runtime)
  }

  /**
   * Leaves a GPU that failed for the CPU, and tells the page.
   *
   * @returns whether it did: then sessions must be opened again, and the work be tried again.
   */
  async leavesGpu(error: unknown): Promise<boolean> {
    // A model that does not load may be a model that this GPU does not support.
    const maybe = error instanceof ComputeError || error instanceof FormatError
    if (this.runtime.device !== 'webgpu' || !maybe) return false
    this.runtime = await runtimeOn({ ...this.place, device: 'cpu' })
    tell({ kind: 'computing', computing: this.computing })
    const message = `The GPU was lost (${messageOf(error).split('\n')[0]}). The work goes on on the CPU.`
    tell({ kind: 'notice', notice: { kind: 'device-lost', message } })
    return true
  }
}

const runtimeOn = ({ runtimeFolder, device, threads }: SentPlace): Promise<WebRuntime> =>
  loadWebRuntime({
    folder: runtimeFolder,
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
  })

/** Rewrites a network so that it computes the same with fewer operations, for the kernels of this device. */
export const rewritten =
  ({ openSession, current: { device } }: Processor) =>
  (network: Weighted): Promise<Weighted> =>
    rewriteWith(
      async (graph, weights) => {
        const session = await openSession(graph, { weights })
        try {
          return await session.run({})
        } finally {
          await session.close()
        }
      },
      network,
      { target: device === 'webgpu' ? 'gpu' : 'wasm' },
    )

let opened: Promise<FaceFinder> | undefined

/** What finds faces, opened once in a worker. @throws EnvironmentError if a file is missing. */
export function webFaces(place: SentPlace): Promise<FaceFinder> {
  opened ??= open(place).catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

async function open({ assets, runtimeFolder }: SentPlace): Promise<FaceFinder> {
  const address = `${assets}${faceAsset}`
  const weights = await readFaceWeights(await fetchAsset(address, 'the networks that find faces'), address)
  const runtime = await loadWebRuntime({ folder: runtimeFolder, device: 'cpu', threads: 1 })
  return openFaceFinder(weights, webSessions(runtime))
}

/** The faces of a picture. @throws InputError for one that cannot be read. */
export async function findFaces(finder: FaceFinder, picture: SentPicture): Promise<Face[]> {
  return finder.find(await new PictureReader(0, 'crop').whole(picture))
}

/**
 * The bytes of an asset.
 *
 * @param address of the asset
 * @param what it is, for messages: `the shapes of synthetic heads`
 * @throws EnvironmentError if it is not there.
 */
export async function fetchAsset(address: string, what: string): Promise<Uint8Array> {
  const missing = (got: string) =>
    new EnvironmentError({
      what: `${what} are not there`,
      where: address,
      got,
      remedy: "serve pantin's assets folder, and name its address as assetsFolder",
    })
  const response = await fetch(address).catch((error: unknown) => {
    throw missing(messageOf(error))
  })
  if (!response.ok) throw missing(`status ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

/** The few globals of a worker that are used. The types of a worker and of a page exclude each other. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Call>) => void) | null
  postMessage(message: Answer, transfer?: Transferable[]): void
}
const scope = globalThis as unknown as WorkerScope

/** A table of methods, which may answer later. */
type Implementation<M extends Methods<M>> = {
  readonly [Name in keyof M]: (
    request: Parameters<M[Name]>[0],
  ) => ReturnType<M[Name]> | Promise<ReturnType<M[Name]>>
}

/** Answers the page's calls. They overlap unless a method queues them itself. */
export function serve<M extends Methods<M>>(methods: Implementation<M>): void {
  scope.onmessage = ({ data: { id, method, request } }) => {
    if (method === hears) {
      scope.postMessage({ id, value: undefined })
      return
    }
    // The connection's types have matched method and request.
    const carryOut = methods[method as keyof M] as (request: unknown) => unknown
    void (async () => carryOut(request))()
      .then((value) => scope.postMessage({ id, value }, bitmapsIn(value)))
      .catch((error: unknown) => scope.postMessage({ id, error: sentError(error) }))
  }
}

/** Tells the page something that it did not ask for. */
export const tell = (event: NetworkEvent | TrainingEvent): void => scope.postMessage({ event })

/** Pictures are handed over, not copied. They stand at the top of an answer. */
function bitmapsIn(value: unknown): Transferable[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).filter((part): part is ImageBitmap => part instanceof ImageBitmap)
}
