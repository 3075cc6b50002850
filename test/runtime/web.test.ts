import { beforeAll, describe, expect, test } from 'vitest'
import type { TensorAddresses } from '../../bench/src/browser-protocol.ts'
import { type BrowserServer, withBrowser } from '../../bench/src/browser-server.ts'
import { Graph } from '../../src/graph/graph.ts'
import { add, mul, reduceMean, sub } from '../../src/graph/ops/arithmetic.ts'
import { gradient } from '../../src/graph/ops/autodiff.ts'
import { conv } from '../../src/graph/ops/conv.ts'
import { input, toPlain } from '../../src/graph/ops/leaf.ts'
import { maxPool } from '../../src/graph/ops/pool.ts'
import { reshape } from '../../src/graph/ops/shape.ts'
import { relu, square } from '../../src/graph/ops/unary.ts'
import type { Tensor } from '../../src/graph/tensor.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { createSession } from '../../src/runtime/node.ts'
import type { WebDevice } from '../../src/runtime/web.ts'
import { feedsOf, weightsFor } from '../onnx/feeds.ts'
import { graphs } from '../onnx/graphs.ts'
import { bundle } from '../support/bundle.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'

/** Sessions on onnxruntime-web, in a worker of a real browser; what they compute is held to Node's. */

let worker: string

beforeAll(async () => {
  worker = await bundle('bench/src/browser-worker.ts')
})

const cases = [
  { device: 'cpu', gpu: 'none', name: 'WebAssembly with two threads' },
  { device: 'webgpu', gpu: 'software', name: 'WebGPU on a software adapter' },
] as const

const title =
  chromium === undefined ? `onnxruntime-web: skipped, ${withoutChromium}` : 'onnxruntime-web in Chromium'

describe.skipIf(chromium === undefined)(title, () => {
  for (const { device, gpu, name } of cases) {
    test(`${name}: every op family computes what Node computes`, async () => {
      await withBrowser({ gpu, worker }, async (server) => {
        for (const [session, build] of Object.entries(graphs)) {
          const graph = build()
          const [feeds, weights] = [feedsOf(graph), weightsFor(graph)]
          const expected = await computeHere(graph, feeds, weights)
          const loaded = await load(server, device, session, toOnnx(graph, { weights }), feeds)
          expect(loaded).toMatchObject({ device, threads: 2 })
          const { outputs } = await server.ask({ kind: 'run', session })
          for (const [output, value] of Object.entries(expected)) {
            expectClose(outputs[output]!, toPlain(value).data, 1e-4, `${session} ${output}`)
          }
          await server.ask({ kind: 'close', session })
        }
      })
    })

    test(`${name}: a training step keeps its state, and gives Node's losses`, async () => {
      const { graph, feeds, state, carried } = trainingStep()
      const expected = await trainHere(graph, feeds, state, carried, 5)
      await withBrowser({ gpu, worker }, async (server) => {
        await load(server, device, 'step', toOnnx(graph), { ...feeds, ...state }, carried)
        for (const losses of expected) {
          const { outputs, locations } = await server.ask({ kind: 'run', session: 'step' })
          expect(Object.keys(outputs)).toEqual(['losses'])
          expectClose(outputs.losses!, losses, 1e-3, 'losses')
          const place = device === 'webgpu' ? 'gpu-buffer' : 'cpu'
          expect(locations).toEqual({ weights: place, moment: place })
        }
        await server.ask({ kind: 'close', session: 'step' })
      })
      expect(expected.at(-1)![0]).toBeLessThan(0.9 * expected[0]![0]!)
    })
  }

  test('what does not fit is refused as an error of its kind', async () => {
    const { graph, feeds, state, carried } = trainingStep()
    const bytes = toOnnx(graph)
    await withBrowser({ gpu: 'none', worker }, async (server) => {
      const all: Record<string, Tensor> = { ...feeds, ...state }
      const { rate: _, ...missing } = all
      await load(server, 'cpu', 'missing', bytes, missing)
      const run = (session: string) => server.ask({ kind: 'run', session })
      await expect(run('missing')).rejects.toThrow(/InputError: the input "rate" is not fed/)
      await load(server, 'cpu', 'shape', bytes, { ...all, x: feeds.target! })
      await expect(run('shape')).rejects.toThrow(
        /InputError: the tensor for the input "x" is of another type or shape/,
      )
      await expect(load(server, 'cpu', 'none', Uint8Array.of(1, 2, 3), all)).rejects.toThrow(/FormatError/)
      const crossed = { ...carried, moment: 'losses' }
      await expect(load(server, 'cpu', 'crossed', bytes, all, crossed)).rejects.toThrow(
        /InputError: the output "losses" cannot be carried over to the input "moment"/,
      )
      await expect(load(server, 'webgpu', 'gpu', bytes, all)).rejects.toThrow(
        /EnvironmentError: the device "webgpu" is not there/,
      )
      const feedsThere: TensorAddresses = server.offerTensors(all)
      const more = {
        kind: 'load',
        session: 'more',
        device: 'cpu',
        threads: 3,
        model: server.offer(bytes),
      } as const
      await expect(server.ask({ ...more, feeds: feedsThere })).rejects.toThrow(
        /InputError: .*another number of threads/,
      )
    })
  })
})

function load(
  server: BrowserServer,
  device: WebDevice,
  session: string,
  onnx: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  carried?: Readonly<Record<string, string>>,
) {
  return server.ask({
    kind: 'load',
    session,
    device,
    threads: 2,
    model: server.offer(onnx),
    feeds: server.offerTensors(feeds),
    ...(carried && { carried }),
  })
}

/** A convolution, pooling (whose indices WebGPU cannot compute) and gradient descent with momentum. */
function trainingStep() {
  const graph = new Graph()
  const weights = input(graph, 'weights', 'float32', [72])
  const moment = input(graph, 'moment', 'float32', [72])
  const x = input(graph, 'x', 'float32', [2, 2, 8, 8])
  const target = input(graph, 'target', 'float32', [2, 4, 4, 4])
  const rate = input(graph, 'rate', 'float32', [])
  const features = conv(x, reshape(weights, [4, 2, 3, 3]), undefined, { pads: [1, 1, 1, 1] })
  const loss = reduceMean(square(sub(maxPool(relu(features), [2, 2]).value, target)))
  const next = add(mul(moment, 0.5), gradient(loss, [weights])[0]!)
  graph.output('losses', reshape(loss, [1]))
  graph.output('weights.next', sub(weights, mul(next, rate)))
  graph.output('moment.next', next)
  const { weights: first, moment: _, rate: __, ...fed } = feedsOf(graph)
  const feeds: Record<string, Tensor> = { ...fed, rate: scalarOf(0.01) }
  return {
    graph,
    feeds,
    state: { weights: first!, moment: zerosLike(first!) },
    carried: { weights: 'weights.next', moment: 'moment.next' },
  }
}

const scalarOf = (value: number): Tensor => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) })
const zerosLike = ({ shape, data }: Tensor): Tensor => ({
  dtype: 'float32',
  shape,
  data: new Float32Array(data.length),
})

async function computeHere(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  weights: ReadonlyMap<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const session = await createSession(graph, { device: 'cpu', weights })
  const outputs = await session.run(feeds)
  await session.close()
  return outputs
}

/** The losses of some steps on Node's CPU provider. */
async function trainHere(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  first: Readonly<Record<string, Tensor>>,
  carried: Readonly<Record<string, string>>,
  steps: number,
): Promise<number[][]> {
  const session = await createSession(graph, { device: 'cpu' })
  const losses: number[][] = []
  let state = first
  for (let step = 0; step < steps; step++) {
    const outputs = await session.run({ ...feeds, ...state })
    losses.push(Array.from(toPlain(outputs.losses!).data))
    state = Object.fromEntries(Object.entries(carried).map(([name, output]) => [name, outputs[output]!]))
  }
  await session.close()
  return losses
}

function expectClose(
  got: readonly number[],
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(got, what).toHaveLength(expected.length)
  const worst = got.reduce(
    (most, value, i) =>
      Math.max(most, Math.abs(value - expected[i]!) / Math.max(1e-2, Math.abs(expected[i]!))),
    0,
  )
  expect(worst, what).toBeLessThanOrEqual(tolerance)
}
