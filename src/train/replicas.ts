// Steps by replicas: threads of which each has the network and a part of the batch. Their gradients are summed, and each
// replica updates its part of the weights. It is data parallelism (Li et al. 2020, PyTorch Distributed) within one machine.
//
// One op of a training step is too small for two threads, and the whole of a replica's step is not. As in PyTorch's
// DistributedDataParallel, each replica normalises its part of the batch by the statistics of that part.
import { isMainThread, workerData } from 'node:worker_threads'
import { type Tensor, tensor } from '../graph/tensor.ts'
import { toOnnx } from '../onnx/export.ts'
import { createSession } from '../runtime/node.ts'
import type { Tensors } from '../runtime/session.ts'
import { OrderedThread, obeyOrders } from '../util/child-process.ts'
import { type AdamOptions, adamInPlace, adamScalars } from './adam.ts'
import { stateOutputs, type TrainingState } from './state.ts'
import type { Report, StepRunner, TrainingStep } from './step.ts'

/** Vectors in memory that all threads see. ONNX Runtime takes no such memory: a replica copies what it computes with. */
interface Shared {
  readonly weights: Float32Array
  readonly buffers: Float32Array
  readonly firstMoment: Float32Array
  readonly secondMoment: Float32Array
  /** Of each replica. After they were summed, the first is their mean. */
  readonly gradients: readonly Float32Array[]
  /** Of each replica, its running statistics after the step. */
  readonly nextBuffers: readonly Float32Array[]
}

/** What a replica is started with. */
interface Start {
  readonly pantinReplica: number
  /** The ONNX model of the step's gradients. */
  readonly model: Uint8Array
  readonly shared: Shared
  readonly adam: AdamOptions
  readonly threads: number
}

/** What a replica is told. Its answer has the losses for `compute`, and the sum of squares for `sum`. */
type Order =
  | { readonly do: 'compute'; readonly batch: Tensors }
  | { readonly do: 'sum' }
  | { readonly do: 'update'; readonly scalars: ReturnType<typeof adamScalars> }

type Replica = OrderedThread<Order, readonly number[]>

/** How steps by replicas are taken. */
export interface ReplicaOptions {
  readonly adam: AdamOptions
  readonly replicas: number
  /** Of each replica, within one op. */
  readonly threads: number
}

/** Takes steps by replicas, on the CPU. */
export class ReplicaSteps implements StepRunner {
  readonly device = 'cpu'

  private constructor(
    private readonly step: TrainingStep,
    private readonly adam: AdamOptions,
    private readonly shared: Shared,
    private readonly all: readonly Replica[],
  ) {}

  /** @param step of the part of the batch that one replica has */
  static async create(
    step: TrainingStep,
    { adam, replicas, threads }: ReplicaOptions,
    state: TrainingState,
  ): Promise<ReplicaSteps> {
    const each = (length: number) => Array.from({ length: replicas }, () => sharedFloats(length))
    const shared: Shared = {
      weights: sharedFloats(state.weights),
      buffers: sharedFloats(state.buffers),
      firstMoment: sharedFloats(state.firstMoment),
      secondMoment: sharedFloats(state.secondMoment),
      gradients: each(state.weights.length),
      nextBuffers: each(state.buffers.length),
    }
    const model = toOnnx(step.gradients(), { weights: step.fixed, oneThread: threads === 1 })
    const started = shared.gradients.map((_, i): Replica => {
      const start: Start = { pantinReplica: i, model, shared, adam, threads }
      return new OrderedThread(import.meta.url, start, { what: 'a thread of the training' })
    })
    try {
      await Promise.all(started.map(({ ready }) => ready))
    } catch (error) {
      await Promise.all(started.map((replica) => replica.close()))
      throw error
    }
    return new ReplicaSteps(step, adam, shared, started)
  }

  get replicas(): number {
    return this.all.length
  }

  async run(
    number: number,
    rate: number,
    batches: readonly Tensors[],
  ): Promise<{ report: Report; taken: boolean }> {
    const losses = await this.tell((i) => ({ do: 'compute', batch: batches[i]! }))
    const squares = await this.tell(() => ({ do: 'sum' }))
    const means = this.step.reports.slice(0, -1).map((_, term) => sumOf(losses, term) / this.replicas)
    const values = [...means, Math.sqrt(sumOf(squares, 0))]
    const report = Object.fromEntries(this.step.reports.map((name, i) => [name, values[i]!]))
    const taken = values.every((value) => Number.isFinite(value))
    const scalars = adamScalars(number, rate, this.adam)
    if (taken) await this.tell(() => ({ do: 'update', scalars }))
    return { report, taken }
  }

  async read(): Promise<TrainingState> {
    const { weights, buffers, firstMoment, secondMoment } = this.shared
    return {
      weights: new Float32Array(weights),
      buffers: new Float32Array(buffers),
      firstMoment: new Float32Array(firstMoment),
      secondMoment: new Float32Array(secondMoment),
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((replica) => replica.close()))
  }

  /** Gives every replica an order. @returns what each answers */
  private tell(order: (replica: number) => Order): Promise<(readonly number[])[]> {
    return Promise.all(this.all.map((replica, i) => replica.obey(order(i))))
  }
}

/** In the order of the replicas, so that the same numbers give the same sum. */
const sumOf = (values: readonly (readonly number[])[], index: number) =>
  values.reduce((sum, ofReplica) => sum + ofReplica[index]!, 0)

/** A vector of zeros, or a copy of one, in memory that threads share. */
function sharedFloats(from: number | Float32Array): Float32Array {
  const length = typeof from === 'number' ? from : from.length
  const vector = new Float32Array(new SharedArrayBuffer(4 * length))
  if (typeof from !== 'number') vector.set(from)
  return vector
}

/** A replica's side: opens its session, and obeys until it is ended. */
async function serve({ pantinReplica: own, model, shared, adam, threads }: Start): Promise<void> {
  const session = await createSession(model, { device: 'cpu', threads, optimise: 'fuse' })
  const { length } = shared.weights
  // What is fed and what is written: memory of this thread alone.
  const [weights, buffers] = [new Float32Array(length), new Float32Array(shared.buffers.length)]
  const [gradient, nextBuffers] = [new Float32Array(length), new Float32Array(shared.buffers.length)]
  const count = shared.gradients.length
  const [from, to] = [Math.floor((own * length) / count), Math.floor(((own + 1) * length) / count)]
  const part = (vector: Float32Array) => vector.subarray(from, to)

  const compute = async (batch: Tensors) => {
    weights.set(shared.weights)
    buffers.set(shared.buffers)
    const results = await session.run(
      { weights: floats1d(weights), buffers: floats1d(buffers), ...batch },
      { gradient: floats1d(gradient), [stateOutputs.buffers]: floats1d(nextBuffers) },
    )
    shared.gradients[own]!.set(gradient)
    shared.nextBuffers[own]!.set(nextBuffers)
    return Array.from(results.losses!.data as Float32Array)
  }
  const update = (scalars: ReturnType<typeof adamScalars>) => {
    const { firstMoment, secondMoment, gradients, nextBuffers: ofReplicas } = shared
    adamInPlace(
      {
        weights: part(shared.weights),
        firstMoment: part(firstMoment),
        secondMoment: part(secondMoment),
        gradient: part(gradients[0]!),
      },
      scalars,
      adam,
    )
    if (own === 0) shared.buffers.set(meanInPlace(ofReplicas).mean)
    return []
  }
  obeyOrders<Order, readonly number[]>({
    begin: () => [],
    obey(order) {
      if (order.do === 'compute') return compute(order.batch)
      return order.do === 'sum' ? [meanInPlace(shared.gradients.map(part)).squares] : update(order.scalars)
    },
    end: () => session.close(),
  })
}

/** Writes the mean of vectors into the first one. @returns the mean, and the sum of its squares */
function meanInPlace([first, ...others]: readonly Float32Array[]): { mean: Float32Array; squares: number } {
  const mean = first!
  for (const other of others) {
    for (let i = 0; i < mean.length; i++) mean[i]! += other[i]!
  }
  const share = 1 / (others.length + 1)
  let squares = 0
  for (let i = 0; i < mean.length; i++) {
    mean[i]! *= share
    squares += mean[i]! * mean[i]!
  }
  return { mean, squares }
}

const floats1d = (data: Float32Array<ArrayBuffer>): Tensor => tensor('float32', [data.length], data)

const isStart = (data: unknown): data is Start =>
  typeof data === 'object' && data !== null && 'pantinReplica' in data
// Without a session the thread is of no use: an error that escapes ends it.
if (!isMainThread && isStart(workerData)) await serve(workerData)
