/**
 * A graph of your own from pantin's blocks: counted, run, and written as ONNX.
 *
 *   npm run build && node examples/own-graph.mjs
 */
import { writeFile } from 'node:fs/promises'
import {
  createSession,
  Graph,
  initialise,
  layers,
  ops,
  parametersOf,
  profile,
  Random,
  Scope,
  toOnnx,
} from 'pantin'

// Shapes are concrete: a graph is for one batch and one size.
const graph = new Graph()
const picture = ops.input(graph, 'picture', 'float32', [1, 3, 64, 64])

// A scope names parameters: `down1.conv.weight`, and so on.
const scope = Scope.root(graph, { training: false })
let x = layers.downsampler(scope.child('down1'), picture, 16)
x = layers.downsampler(scope.child('down2'), x, 64)
x = layers.ssNbt(scope.child('block1'), x, { dilation: 1 })
x = layers.invertedResidual(scope.child('block2'), x, { expansion: 4 })
x = layers.upsampler(scope.child('up'), x, 16)
graph.output('maps', layers.conv2d(scope.child('head'), x, 10, { kernel: 1 }))

const { params, macs, receptiveField } = profile(graph)
print({ params, macs, receptiveField })

const weights = initialise(parametersOf(graph), new Random(42))
await writeFile('own-network.onnx', toOnnx(graph, { weights }))

const session = await createSession(graph, { weights, device: 'cpu' })
const zeros = new Float32Array(3 * 64 * 64)
const { maps } = await session.run({ picture: { dtype: 'float32', shape: [1, 3, 64, 64], data: zeros } })
print({ maps: maps.shape })
await session.close()

function print(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
