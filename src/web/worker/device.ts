// The device that computes in this worker: a GPU until it is lost, then the CPU.
import { rewriteWith, type Weighted } from '../../optimise/rewrite-with.ts'
import { ComputeError } from '../../runtime/ort.ts'
import type { OpenSession } from '../../runtime/session.ts'
import { loadWebRuntime, type WebRuntime, webSessions } from '../../runtime/web.ts'
import { FormatError, messageOf } from '../../util/errors.ts'
import type { Computing, SentPlace } from '../connection.ts'
import { tell } from './serve.ts'

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

/** Rewrites a network so that it computes the same with fewer operations, for the kernels of browsers. */
export const rewritten =
  (openSession: OpenSession) =>
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
      { target: 'wasm' },
    )
