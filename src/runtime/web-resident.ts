// A session on onnxruntime-web whose state stays where it computes.

import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common'
import type { Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import { fromOrt, portsOf, runError } from './ort.ts'
import { checkFeeds, describePort, type PortType, type Tensors } from './session.ts'
import { loadModel, toWeb, type WebSessionOptions } from './web.ts'
import type { WebDevice, WebRuntime } from './web-runtime.ts'

/** The state of a resident session, beside the options of every session. */
export interface ResidentOptions extends WebSessionOptions {
  /** Inputs that hold the state, and the output of each that is its next value: `{ weights: 'weights.next' }`. */
  readonly carried: Readonly<Record<string, string>>
  /** What the carried inputs begin with. */
  readonly state: Tensors
}

/**
 * A session whose state stays where it computes: on WebGPU, weights and moments of a training step never leave
 * the device between steps. A run computes the next state beside the current one, which is left until `accept`.
 *
 * @throws InputError if `carried` names an input or output that the model lacks or types that do not fit, or a
 * tensor of `state` is missing or does not fit. FormatError if ONNX Runtime refuses the model.
 */
export async function createResidentSession(
  runtime: WebRuntime,
  model: Graph | Uint8Array,
  { carried, state, ...options }: ResidentOptions,
): Promise<ResidentSession> {
  const session = await loadModel(runtime, model, options, Object.values(carried))
  try {
    return new ResidentSession(runtime, session, carried, state)
  } catch (error) {
    await runtime.queue.add(() => session.release())
    throw error
  }
}

/** See `createResidentSession`. */
export class ResidentSession {
  /** What a run is fed: all inputs but the carried ones. */
  readonly inputs: ReadonlyMap<string, PortType>
  /** What a run gives: all outputs but the carried ones. */
  readonly outputs: ReadonlyMap<string, PortType>
  readonly device: WebDevice
  private readonly stateInputs: ReadonlyMap<string, PortType>
  private current: ReadonlyMap<string, OrtTensor>
  private next: ReadonlyMap<string, OrtTensor> | undefined
  private closed = false

  constructor(
    private readonly runtime: WebRuntime,
    private readonly session: InferenceSession,
    private readonly carried: Readonly<Record<string, string>>,
    state: Tensors,
  ) {
    this.device = runtime.device
    const [inputs, outputs] = [portsOf(session.inputMetadata), portsOf(session.outputMetadata)]
    checkCarried(carried, inputs, outputs)
    const isState = (name: string) => Object.hasOwn(carried, name)
    const results = new Set(Object.values(carried))
    this.inputs = new Map([...inputs].filter(([name]) => !isState(name)))
    this.outputs = new Map([...outputs].filter(([name]) => !results.has(name)))
    this.stateInputs = new Map([...inputs].filter(([name]) => isState(name)))
    checkFeeds(state, this.stateInputs)
    // Copies: the caller may go on to write to its own.
    this.current = new Map(
      Object.entries(state).map(([name, value]) => [name, toWeb(runtime.ort, copyOf(value))]),
    )
  }

  /** Where each tensor of the state is now: `gpu-buffer` from the first accepted run on, where there is a GPU. */
  get locations(): Readonly<Record<string, OrtTensor.DataLocation>> {
    return Object.fromEntries(Array.from(this.current, ([name, { location }]) => [name, location]))
  }

  /**
   * Computes from the current state. The next state is held until `accept`, or thrown away by another run.
   *
   * @returns the outputs that are not carried.
   * @throws InputError for feeds that do not fit or a closed session, EnvironmentError if it fails.
   */
  async run(feeds: Tensors): Promise<Record<string, Tensor>> {
    this.checkOpen()
    checkFeeds(feeds, this.inputs)
    const results = await this.runtime.queue.add(() => this.compute(feeds))
    return Object.fromEntries(
      Array.from(this.outputs, ([name, { dtype }]) => [name, fromOrt(results[name]!, dtype)]),
    )
  }

  /** Takes over the state that the last run computed. @throws InputError if there is none. */
  accept(): void {
    if (this.next === undefined) {
      throw new InputError({ what: 'there is no next state to accept', remedy: 'accept once after each run' })
    }
    free(this.current)
    this.current = this.next
    this.next = undefined
  }

  /** A copy of the current state, by the names of the carried inputs. */
  async read(): Promise<Record<string, Tensor>> {
    this.checkOpen()
    return this.runtime.queue.add(async () => {
      const state: Record<string, Tensor> = {}
      for (const [name, { dtype }] of this.stateInputs) {
        const value = this.current.get(name)!
        const data = await value.getData()
        state[name] = copyOf(fromOrt({ dims: value.dims, data }, dtype))
      }
      return state
    })
  }

  /** Frees the model and the state. More than one call does nothing more. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.runtime.queue.add(async () => {
      free(this.current)
      if (this.next !== undefined) free(this.next)
      this.next = undefined
      await this.session.release()
    })
  }

  private checkOpen(): void {
    if (this.closed) throw new InputError({ what: 'the session is closed', remedy: 'create another one' })
  }

  private async compute(feeds: Tensors): Promise<InferenceSession.OnnxValueMapType> {
    const { ort } = this.runtime
    if (this.next !== undefined) free(this.next)
    this.next = undefined
    try {
      const results = await this.session.run({
        ...Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, toWeb(ort, value)])),
        ...Object.fromEntries(this.current),
      })
      this.next = new Map(Object.entries(this.carried).map(([name, result]) => [name, results[result]!]))
      return results
    } catch (error) {
      throw runError(error, this.device)
    }
  }
}

/** Memory on the CPU is the collector's. */
function free(tensors: ReadonlyMap<string, OrtTensor>): void {
  for (const tensor of tensors.values()) if (tensor.location === 'gpu-buffer') tensor.dispose()
}

function copyOf<T extends Tensor>(value: T): T {
  return { ...value, data: value.data.slice() }
}

function checkCarried(
  carried: Readonly<Record<string, string>>,
  inputs: ReadonlyMap<string, PortType>,
  outputs: ReadonlyMap<string, PortType>,
): void {
  for (const [name, result] of Object.entries(carried)) {
    const [to, from] = [inputs.get(name), outputs.get(result)]
    if (to !== undefined && from !== undefined && describePort(to) === describePort(from)) continue
    throw new InputError({
      what: `the output "${result}" cannot be carried over to the input "${name}"`,
      got: from === undefined ? 'no such output' : describePort(from),
      expected: to === undefined ? 'an input of that name' : describePort(to),
    })
  }
}
