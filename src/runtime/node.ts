// Sessions on onnxruntime-node.
import { availableParallelism } from 'node:os'
import * as ort from 'onnxruntime-node'
import { Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import { toOnnx } from '../onnx/export.ts'
import { InputError } from '../util/errors.ts'
import { bestDevice, requireDevice } from './devices.ts'
import { fromOrt, loadError, optimisation, portsOf, runError, SerialQueue, webGpuProvider } from './ort.ts'
import {
  checkFeeds,
  checkInto,
  type Device,
  type OpenSession,
  type Optimise,
  type PortType,
  type Session,
  type Tensors,
} from './session.ts'

export { type DeviceReport, describeDevices, requireDevice } from './devices.ts'

/** How `createSession` opens a session. */
export interface SessionOptions {
  /** `auto` (the default) is a GPU where one works, else the CPU. A device that is named is used, or refused. */
  readonly device?: Device | 'auto'
  /** Threads within one op on the CPU (default: the variable PANTIN_THREADS, else one for each core). */
  readonly threads?: number
  /** How much ONNX Runtime rewrites the model when it is loaded (default: all). */
  readonly optimise?: Optimise
  /**
   * Whether idle threads keep spinning for a while in wait of work (default: true). It makes one session
   * faster, and several sessions that run in turn slower.
   */
  readonly spin?: boolean
  /** Contents of the graph's parameters, where a graph is given. */
  readonly weights?: ReadonlyMap<string, Tensor>
}

/**
 * A session on onnxruntime-node. Its `run` computes on the calling thread: timers and sockets wait meanwhile.
 *
 * @param model a graph, or the bytes of an ONNX model.
 * @throws EnvironmentError if the device is not there. FormatError if ONNX Runtime refuses the model.
 */
export async function createSession(
  model: Graph | Uint8Array,
  options: SessionOptions = {},
): Promise<Session> {
  const { device: asked = 'auto', weights } = options
  const device = asked === 'auto' ? await bestDevice() : asked
  await requireDevice(device)
  const oneThread = device === 'cpu' && (options.threads ?? coresHere()) === 1
  const bytes = model instanceof Graph ? toOnnx(model, { oneThread, ...(weights && { weights }) }) : model
  const create = () =>
    ort.InferenceSession.create(bytes, ortOptions(bytes, device, options)).catch((error: unknown) => {
      throw loadError(error)
    })
  const session = await (device === 'webgpu' ? webGpuQueue.add(create) : create())
  return new NodeSession(session, device)
}

/** Opens sessions on a device; see `createSession`. */
export const sessionsOn =
  (device: Device | 'auto'): OpenSession =>
  (model, options) =>
    createSession(model, { ...options, device })

// Concurrent calls on WebGPU sessions crash, so all sessions of the process share one queue.
const webGpuQueue = new SerialQueue()

function ortOptions(
  bytes: Uint8Array,
  device: Device,
  { threads = defaultThreads(), optimise = 'all', spin = true }: SessionOptions,
): ort.InferenceSession.SessionOptions {
  if (threads !== undefined && !isThreadCount(threads))
    throw noThreadCount('the option threads', String(threads))
  const { graphOptimizationLevel, extra } = optimisation(optimise, device)
  return {
    executionProviders: [device === 'webgpu' ? webGpuProvider(bytes) : device],
    graphOptimizationLevel,
    logSeverityLevel,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    extra: { ...extra, session: { intra_op: { allow_spinning: spin ? '1' : '0' } } },
  }
}

/** A process that has to share the cores is told its part by the environment, for all of its sessions. */
export const threadsVariable = 'PANTIN_THREADS'

function defaultThreads(): number | undefined {
  const text = process.env[threadsVariable]
  if (text === undefined || text === '') return undefined
  const threads = Number(text)
  if (isThreadCount(threads)) return threads
  throw noThreadCount(threadsVariable, text)
}

const isThreadCount = (count: number) => Number.isInteger(count) && count >= 1 && count <= 1024

function noThreadCount(name: string, got: string): InputError {
  return new InputError({
    what: `${name} cannot be used`,
    got,
    expected: 'a whole number, 1 to 1024',
    remedy: 'correct or unset it',
  })
}

/** Cores that this process may use: what the variable says, or all. @throws InputError if the variable is no number */
export const coresHere = (): number => defaultThreads() ?? availableParallelism()

class NodeSession implements Session {
  readonly inputs: ReadonlyMap<string, PortType>
  readonly outputs: ReadonlyMap<string, PortType>
  readonly device: Device
  private readonly session: ort.InferenceSession
  private closed = false
  private readonly pending = new Set<Promise<unknown>>()

  constructor(session: ort.InferenceSession, device: Device) {
    this.session = session
    this.device = device
    this.inputs = portsOf(session.inputMetadata)
    this.outputs = portsOf(session.outputMetadata)
  }

  async run(feeds: Tensors, into: Tensors = {}): Promise<Record<string, Tensor>> {
    if (this.closed) throw new InputError({ what: 'the session is closed', remedy: 'create another one' })
    checkFeeds(feeds, this.inputs)
    checkInto(into, feeds, this.outputs)
    const compute = () => this.compute(feeds, into)
    const running = this.device === 'webgpu' ? webGpuQueue.add(compute) : compute()
    this.pending.add(running)
    try {
      return await running
    } finally {
      this.pending.delete(running)
    }
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    // ONNX Runtime begins a run later than it is asked to, and would find the session gone.
    await Promise.allSettled(this.pending)
    const release = () => this.session.release()
    await (this.device === 'webgpu' ? webGpuQueue.add(release) : release())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async compute(feeds: Tensors, into: Tensors): Promise<Record<string, Tensor>> {
    const fed = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, toOrt(value)]))
    const fetches = Object.fromEntries(
      Array.from(this.outputs.keys(), (name) => [
        name,
        Object.hasOwn(into, name) ? toOrt(into[name]!) : null,
      ]),
    )
    try {
      const results = await this.session.run(fed, fetches, { logSeverityLevel })
      return Object.fromEntries(
        Array.from(this.outputs, ([name, { dtype }]) => [name, into[name] ?? fromOrt(results[name]!, dtype)]),
      )
    } catch (error) {
      throw runError(error, this.device)
    }
  }
}

/** Computes a graph's outputs once, on the CPU: for tests, and for values that are needed once. */
export async function evaluate(
  graph: Graph,
  feeds: Tensors = {},
  weights?: ReadonlyMap<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const session = await createSession(graph, { device: 'cpu', ...(weights && { weights }) })
  try {
    return await session.run(feeds)
  } finally {
    await session.close()
  }
}

/** ONNX Runtime's severities, most talkative first. */
const levels = ['verbose', 'info', 'warning', 'error', 'fatal'] as const

// ONNX Runtime warns of every layout it would have liked better. PANTIN_LOG=warning (or info, ...) shows that.
const wanted = process.env.PANTIN_LOG
const level = levels.find((name) => name === wanted) ?? (wanted ? 'warning' : undefined)

// Errors are thrown as well, so printing them would show them twice.
ort.env.logLevel = level ?? 'fatal'

/** For session and run options. */
export const logSeverityLevel = (level === undefined ? 4 : levels.indexOf(level)) as 0 | 1 | 2 | 3 | 4

export { ort }

/** ONNX Runtime's tensor over the same memory. */
function toOrt({ dtype, data, shape }: Tensor): ort.Tensor {
  return new ort.Tensor(dtype, data, shape)
}
