// Sessions on onnxruntime-web, for pages and workers.
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common'
import { Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import { toOnnx } from '../onnx/export.ts'
import { InputError } from '../util/errors.ts'
import { fromOrt, loadError, optimisation, portsOf, runError, webGpuProvider } from './ort.ts'
import {
  checkFeeds,
  checkInto,
  type OpenSession,
  type Optimise,
  type PortType,
  type Session,
  type Tensors,
} from './session.ts'
import { executionProviders, type OrtModule, type WebDevice, type WebRuntime } from './web-runtime.ts'

export { loadWebRuntime, type WebDevice, type WebRuntime, type WebRuntimeOptions } from './web-runtime.ts'

/** How a model is loaded. */
export interface WebSessionOptions {
  /** How much ONNX Runtime rewrites the model when it is loaded (default: all). */
  readonly optimise?: Optimise
  /** Contents of the graph's parameters, where a graph is given. */
  readonly weights?: ReadonlyMap<string, Tensor>
}

/**
 * A session on onnxruntime-web, for pages and workers. On the CPU its `run` computes on the calling thread, so a
 * worker is the place for it.
 *
 * @param model a graph, or the bytes of an ONNX model.
 * @throws FormatError if ONNX Runtime refuses the model.
 */
export async function createWebSession(
  runtime: WebRuntime,
  model: Graph | Uint8Array,
  options: WebSessionOptions = {},
): Promise<Session> {
  return new WebSession(await loadModel(runtime, model, options), runtime)
}

/** Opens sessions on a runtime; see `createWebSession`. */
export const webSessions =
  (runtime: WebRuntime): OpenSession =>
  (model, options) =>
    createWebSession(runtime, model, options)

/** ONNX Runtime's session; `onDevice` names outputs that are to stay where they are computed. */
export async function loadModel(
  { ort, queue, device }: WebRuntime,
  model: Graph | Uint8Array,
  { weights, optimise = 'all' }: WebSessionOptions,
  onDevice: readonly string[] = [],
): Promise<InferenceSession> {
  const bytes = model instanceof Graph ? toOnnx(model, weights === undefined ? {} : { weights }) : model
  const options: InferenceSession.SessionOptions = {
    executionProviders: [device === 'webgpu' ? webGpuProvider(bytes) : executionProviders[device]],
    ...optimisation(optimise, device),
    logSeverityLevel: 4,
    ...(device === 'webgpu' &&
      onDevice.length > 0 && {
        preferredOutputLocation: Object.fromEntries(onDevice.map((name) => [name, 'gpu-buffer'])),
      }),
  }
  return queue
    .add(() => ort.InferenceSession.create(bytes, options))
    .catch((error: unknown) => {
      throw loadError(error)
    })
}

/** ONNX Runtime's tensor over the same memory. Its class is the loaded module's own. */
export function toWeb({ Tensor }: OrtModule, { dtype, data, shape }: Tensor): OrtTensor {
  return new Tensor(dtype, data, shape)
}

class WebSession implements Session {
  readonly inputs: ReadonlyMap<string, PortType>
  readonly outputs: ReadonlyMap<string, PortType>
  readonly device: WebDevice
  private closed = false

  constructor(
    private readonly session: InferenceSession,
    private readonly runtime: WebRuntime,
  ) {
    this.device = runtime.device
    this.inputs = portsOf(session.inputMetadata)
    this.outputs = portsOf(session.outputMetadata)
  }

  async run(feeds: Tensors, into: Tensors = {}): Promise<Record<string, Tensor>> {
    if (this.closed) throw new InputError({ what: 'the session is closed', remedy: 'create another one' })
    checkFeeds(feeds, this.inputs)
    checkInto(into, feeds, this.outputs)
    const results = await this.runtime.queue.add(() => this.compute(feeds))
    return Object.fromEntries(
      Array.from(this.outputs, ([name, { dtype }]) => {
        const result = fromOrt(results[name]!, dtype)
        const target = into[name]
        return [name, target === undefined ? result : copyInto(target, result)]
      }),
    )
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.runtime.queue.add(() => this.session.release())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async compute(feeds: Tensors): Promise<InferenceSession.OnnxValueMapType> {
    const { ort } = this.runtime
    try {
      return await this.session.run(
        Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, toWeb(ort, value)])),
      )
    } catch (error) {
      throw runError(error, this.device)
    }
  }
}

/** onnxruntime-web computes in its own memory and copies results out; given memory costs one copy more. */
function copyInto(target: Tensor, { data }: Tensor): Tensor {
  // checkInto has seen that both are of one type and size.
  if (target.dtype === 'int64') target.data.set(data as typeof target.data)
  else target.data.set(data as Exclude<Tensor['data'], BigInt64Array>)
  return target
}
