// The worker in the browser: takes tasks from the server that it came from, one after the other, and posts the results.
// It is packed into one file (`tsdown.config.ts`).
import { allocate, sizeOf, type Tensor, type TypedData, tensor } from '../../src/graph/tensor.ts'
import { timeOnce } from '../../src/profile/latency.ts'
import { createWebSession, loadWebRuntime } from '../../src/runtime/web.ts'
import { createResidentSession } from '../../src/runtime/web-resident.ts'
import { messageOf } from '../../src/util/errors.ts'
import type { Answer, LoadTask, SampleTask, Task, TaskResults, TensorAddresses } from './browser-protocol.ts'

/** A session with its inputs. */
interface Loaded {
  run(): Promise<TaskResults['run']>
  close(): Promise<void>
}

const sessions = new Map<string, Loaded>()

/** Addresses are relative to the worker's own address, which begins with the server's secret. */
const at = (path: string) => new URL(path, import.meta.url).href

async function load(task: LoadTask): Promise<TaskResults['load']> {
  const { device, threads } = task
  const runtime = await loadWebRuntime({ folder: at('ort/'), device, threads })
  const model = new Uint8Array(await bytesAt(task.model))
  const feeds = await tensorsAt(task.feeds)
  const began = performance.now()
  const loaded =
    task.carried === undefined
      ? await loadPlain(runtime, model, feeds)
      : await loadResident(runtime, model, feeds, task.carried)
  const ms = performance.now() - began
  sessions.set(task.session, loaded)
  const { userAgent = 'unknown' } =
    (globalThis as { readonly navigator?: { readonly userAgent?: string } }).navigator ?? {}
  return {
    device: runtime.device,
    threads: runtime.threads,
    adapter: runtime.adapter?.name ?? null,
    userAgent,
    ms,
  }
}

type Runtime = Awaited<ReturnType<typeof loadWebRuntime>>

async function loadPlain(
  runtime: Runtime,
  model: Uint8Array,
  feeds: Record<string, Tensor>,
): Promise<Loaded> {
  const session = await createWebSession(runtime, model)
  return {
    run: async () => ({ outputs: plain(await session.run(feeds)), locations: {} }),
    close: () => session.close(),
  }
}

async function loadResident(
  runtime: Runtime,
  model: Uint8Array,
  feeds: Record<string, Tensor>,
  carried: Readonly<Record<string, string>>,
): Promise<Loaded> {
  const part = (isState: boolean) =>
    Object.fromEntries(Object.entries(feeds).filter(([name]) => Object.hasOwn(carried, name) === isState))
  const session = await createResidentSession(runtime, model, { carried, state: part(true) })
  const fed = part(false)
  return {
    async run() {
      const outputs = plain(await session.run(fed))
      session.accept()
      return { outputs, locations: session.locations }
    },
    close: () => session.close(),
  }
}

function plain(tensors: Readonly<Record<string, Tensor>>): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { data }]) => [
      name,
      Array.from<number | bigint, number>(data, Number),
    ]),
  )
}

async function sample({ session, restMs, warmMs }: SampleTask): Promise<TaskResults['sample']> {
  await new Promise((resolve) => setTimeout(resolve, restMs))
  return { ms: await timeOnce(sessionOf(session), warmMs, () => performance.now()) }
}

async function close(name: string): Promise<TaskResults['close']> {
  await sessions.get(name)?.close()
  sessions.delete(name)
  return {}
}

function sessionOf(name: string): Loaded {
  const session = sessions.get(name)
  if (session === undefined) throw new Error(`no session "${name}" is loaded`)
  return session
}

async function tensorsAt(addresses: TensorAddresses): Promise<Record<string, Tensor>> {
  const tensors: Record<string, Tensor> = {}
  for (const [name, { dtype, shape, data }] of Object.entries(addresses)) {
    const values: TypedData[typeof dtype] = allocate(dtype, sizeOf(shape))
    new Uint8Array(values.buffer).set(new Uint8Array(await bytesAt(data)))
    tensors[name] = tensor(dtype, shape, values)
  }
  return tensors
}

async function bytesAt(path: string): Promise<ArrayBuffer> {
  const response = await fetch(at(path))
  if (!response.ok) throw new Error(`${path}: the server answers ${response.status}`)
  return response.arrayBuffer()
}

function carryOut(task: Task): Promise<TaskResults[Task['kind']]> {
  switch (task.kind) {
    case 'load':
      return load(task)
    case 'run':
      return sessionOf(task.session).run()
    case 'sample':
      return sample(task)
    case 'close':
      return close(task.session)
  }
}

async function answer(task: Task): Promise<Answer> {
  try {
    return { value: await carryOut(task) }
  } catch (error) {
    const name = error instanceof Error ? error.name : 'Error'
    return { error: `${name}: ${messageOf(error)}` }
  }
}

// Posting an answer asks for the next task; the first request has no answer. The loop runs until the browser is ended.
let body: string | undefined
for (;;) {
  const response = await fetch(at('tasks'), { method: 'POST', ...(body !== undefined && { body }) })
  body = JSON.stringify(await answer((await response.json()) as Task))
}
