// Frames painted by several threads: each has the whole model on one core, and paints the next frame when it is free. Many ops of
// a frame are too small for two threads, and a whole frame is not.
import { isMainThread, workerData } from 'node:worker_threads'
import type { Keypoints } from '../model/keypoint-detector.ts'
import { type ModelOptions, openModel } from '../model/open-model.ts'
import { loadedPlugins, loadPlugins } from '../model/plugin.ts'
import { coresHere, threadsVariable } from '../runtime/node.ts'
import { OrderedThread, obeyOrders } from '../util/child-process.ts'

/** The part of a model that painting needs. */
export interface Painter {
  /** The source in the pose of these keypoints, RGB [size, size, 3]. */
  paint(kpDriving: Keypoints): Promise<Uint8Array>
}

/** What a thread is started with. */
interface Start {
  readonly pantinPainter: string
  readonly options: Pick<ModelOptions, 'rewrite' | 'eightBits'>
  readonly plugins: readonly string[]
  readonly source: Uint8Array
  readonly kpSource: Keypoints
}

type Thread = OrderedThread<Keypoints, Uint8Array>

/** Frames of a clip for which threads pay: each takes about a second to open its model. */
const fewestFrames = 40

/** Most threads. Each has the weights and the memory of a frame. */
const mostThreads = 8

/** The number of threads that paint a clip of this many frames on the cores of this process: 1 if no other thread pays. */
export const painterCount = (frames: number): number =>
  frames < fewestFrames ? 1 : Math.min(mostThreads, coresHere())

/** Threads that paint one source. Results do not depend on how many there are. */
export class Painters implements Painter, AsyncDisposable {
  private readonly free: Thread[]
  private readonly waiting: ((thread: Thread) => void)[] = []

  private constructor(private readonly threads: readonly Thread[]) {
    this.free = [...threads]
  }

  /** Frames that may be begun before the first of them is given: each thread has the next one at hand. */
  get ahead(): number {
    return 2 * this.threads.length
  }

  /**
   * @param run path of a run folder
   * @param source RGB [size, size, 3], as the model sees it
   * @throws as `openModel`
   */
  static async open(
    run: string,
    count: number,
    source: Uint8Array,
    kpSource: Keypoints,
    { rewrite = true, eightBits = true }: Start['options'] = {},
  ): Promise<Painters> {
    const start: Start = {
      ...{ pantinPainter: run, options: { rewrite, eightBits }, plugins: loadedPlugins() },
      ...{ source, kpSource },
    }
    const threads = Array.from(
      { length: count },
      (): Thread =>
        new OrderedThread(import.meta.url, start, {
          what: 'a thread that paints frames',
          env: { [threadsVariable]: '1' },
        }),
    )
    try {
      await Promise.all(threads.map(({ ready }) => ready))
    } catch (error) {
      await Promise.all(threads.map((thread) => thread.close()))
      throw error
    }
    return new Painters(threads)
  }

  async paint(kpDriving: Keypoints): Promise<Uint8Array> {
    const thread = this.free.pop() ?? (await new Promise<Thread>((resolve) => this.waiting.push(resolve)))
    try {
      return await thread.obey(kpDriving)
    } finally {
      const next = this.waiting.shift()
      if (next === undefined) this.free.push(thread)
      else next(thread)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** The side of a thread. */
async function serve({ pantinPainter: run, options, plugins, source, kpSource }: Start): Promise<void> {
  const prepared = (async () => {
    await loadPlugins(plugins)
    const model = await openModel(run, { ...options, device: 'cpu' })
    return { model, encoded: await model.encode(source) }
  })()
  obeyOrders<Keypoints, Uint8Array>({
    begin: async () => {
      await prepared
      return new Uint8Array()
    },
    async obey(kpDriving) {
      const { model, encoded } = await prepared
      return model.generate(encoded, kpSource, kpDriving)
    },
    end: async () => {
      const opened = await prepared.catch(() => undefined)
      await opened?.model.close()
    },
  })
}

const isStart = (data: unknown): data is Start =>
  typeof data === 'object' && data !== null && 'pantinPainter' in data
if (!isMainThread && isStart(workerData)) await serve(workerData)
