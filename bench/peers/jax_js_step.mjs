/**
 * A step in jax-js (autodiff for JavaScript, on its Wasm backend) and the same step in pantin, checked against each
 * other and timed in turn: ERFNet's encoder, batch 8 at 64x64, forward with batch statistics, a loss, and the
 * gradient of every weight. No optimiser, on neither side.
 *
 *   node bench/peers/jax_js_step.mjs --jax FOLDER/node_modules/@jax-js/jax [--rounds 3] [--threads 2]
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import {
  copyWithFlat,
  createSession,
  downsampler,
  flatLayout,
  flatten,
  floats,
  Graph,
  gradient,
  initialise,
  input,
  nonBottleneck1d,
  pack,
  Random,
  reduceMean,
  Scope,
  simplify,
  sizeOf,
  square,
  tensor,
  unpack,
} from '../dist/peers.js'

const { values: options } = parseArgs({
  options: {
    jax: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
  },
})
if (options.jax === undefined) {
  throw new Error(
    'say where jax-js is: --jax FOLDER/node_modules/@jax-js/jax (npm install @jax-js/jax there)',
  )
}

const [batch, size, epsilon] = [8, 64, 1e-3]
/** As src/zoo/erfnet.ts has them, with dilations that an 8x8 map cannot hold clipped to 4, as `Scope` does. */
const stages = [
  { channels: 16, dilations: [] },
  { channels: 64, dilations: [1, 1, 1, 1, 1] },
  { channels: 128, dilations: [2, 4, 4, 4, 2, 4, 4, 4] },
]
const random = new Random(5)
const picture = Float32Array.from({ length: batch * 3 * size * size }, () => random.between(0, 1))
const shape = [batch, 3, size, size]

/** pantin's side: the gradient as one flat vector, and the weights that both sides begin with. */
function ourStep() {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  let value = input(graph, 'x', 'float32', shape)
  for (const [s, { channels, dilations }] of stages.entries()) {
    value = downsampler(scope.child(`${s}.down`), value, channels)
    for (const [b, dilation] of dilations.entries()) {
      value = nonBottleneck1d(scope.child(`${s}.${b}`), value, { dilation })
    }
  }
  const loss = reduceMean(square(value))
  const layout = flatLayout([...scope.parameters.values()], 'weight')
  const buffers = flatLayout([...scope.parameters.values()], 'buffer')
  const leaves = layout.entries.map(({ name }) => scope.parameters.get(name))
  const grads = gradient(loss, leaves)
  const grad = flatten(new Map(layout.entries.map(({ name }, i) => [name, grads[i]])), layout)
  const flat = copyWithFlat([loss, grad], { weights: layout, buffers })
  flat.graph.output('loss', flat.copy(loss))
  flat.graph.output('gradient', flat.copy(grad))
  const weights = initialise(layout.entries, new Random(1))
  return { graph: simplify(flat.graph), layout, weights }
}

/** The same in jax-js. An array is used up by what takes it, unless it is passed on as `.ref`. */
async function theirStep(layout, weights) {
  const folder = resolve(options.jax)
  const { exports, main, module } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const entry = exports?.['.']?.import?.default ?? exports?.['.']?.import ?? module ?? main
  const jax = await import(pathToFileURL(join(folder, entry)).href)
  const { numpy: np, nn, lax, jit, valueAndGrad, init, defaultDevice, blockUntilReady } = jax
  await init('wasm')
  defaultDevice('wasm')

  const conv = (p, name, x, stride, pads, dilations) =>
    lax
      .convGeneralDilated(
        x,
        p[`${name}.weight`].ref,
        [stride, stride],
        pads.map((n) => [n, n]),
        {
          rhsDilation: dilations,
        },
      )
      .add(p[`${name}.bias`].ref.reshape([1, -1, 1, 1]))
  const norm = (p, name, x) => {
    const axes = [0, 2, 3]
    const centred = x.ref.sub(np.mean(x, axes, { keepdims: true }))
    const variance = np.mean(np.square(centred.ref), axes, { keepdims: true })
    const wide = (part) => p[`${name}.${part}`].ref.reshape([1, -1, 1, 1])
    return centred
      .mul(wide('weight'))
      .div(np.sqrt(variance.add(epsilon)))
      .add(wide('bias'))
  }
  const down = (p, name, x) => {
    const [n, c, h, w] = x.shape
    const pooled = np.max(x.ref.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5])
    const joined = np.concatenate([conv(p, `${name}.conv`, x, 2, [1, 1], [1, 1]), pooled], 1)
    return nn.relu(norm(p, `${name}.bn`, joined))
  }
  const block = (p, name, x, d) => {
    let y = nn.relu(conv(p, `${name}.conv3x1_1`, x.ref, 1, [1, 0], [1, 1]))
    y = nn.relu(norm(p, `${name}.bn1`, conv(p, `${name}.conv1x3_1`, y, 1, [0, 1], [1, 1])))
    y = nn.relu(conv(p, `${name}.conv3x1_2`, y, 1, [d, 0], [d, 1]))
    y = norm(p, `${name}.bn2`, conv(p, `${name}.conv1x3_2`, y, 1, [0, d], [1, d]))
    return nn.relu(y.add(x))
  }
  const loss = (p, x) => {
    let value = x
    for (const [s, { channels: _, dilations }] of stages.entries()) {
      value = down(p, `${s}.down`, value)
      for (const [b, dilation] of dilations.entries()) value = block(p, `${s}.${b}`, value, dilation)
    }
    return np.mean(np.square(value))
  }
  const step = jit(valueAndGrad(loss))
  const parameters = Object.fromEntries(
    layout.entries.map(({ name, shape: axes }) => [name, np.array(weights.get(name).data).reshape(axes)]),
  )
  const x = np.array(picture).reshape(shape)
  return async () => {
    const fed = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, value.ref]))
    const results = step(fed, x.ref)
    await blockUntilReady(results)
    const [value, grads] = results
    const numbers = new Map()
    for (const { name, shape: axes } of layout.entries) {
      numbers.set(name, tensor('float32', axes, Float32Array.from(await grads[name].data())))
    }
    return { loss: (await value.data())[0], gradient: numbers }
  }
}

const { graph, layout, weights } = ourStep()
const session = await createSession(graph, { device: 'cpu', threads: Number(options.threads) })
const feeds = { x: floats(picture, shape), weights: tensor('float32', [layout.size], pack(weights, layout)) }
const ours = async () => {
  const results = await session.run(feeds)
  return { loss: results.loss.data[0], gradient: unpack(results.gradient.data, layout) }
}
const theirs = await theirStep(layout, weights)

const timed = async (run) => {
  const began = performance.now()
  const result = await run()
  return { ms: performance.now() - began, result }
}
const print = (line) => process.stdout.write(`${line}\n`)
const middle = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

// The first runs trace, compile and set up memory; they serve to compare.
const [first, other] = [await timed(ours), await timed(theirs)]
let [wrong, all] = [0, 0]
for (const { name } of layout.entries) {
  const [a, b] = [first.result.gradient.get(name).data, other.result.gradient.get(name).data]
  for (let i = 0; i < a.length; i++) {
    wrong += (a[i] - b[i]) ** 2
    all += a[i] ** 2
  }
}
const lossError = Math.abs(first.result.loss - other.result.loss) / Math.abs(first.result.loss)
const gradientError = Math.sqrt(wrong / all)
print(`first runs: pantin ${first.ms.toFixed(0)} ms, jax-js ${other.ms.toFixed(0)} ms`)
print(`loss ${lossError.toExponential(1)} apart, gradient as a whole ${gradientError.toExponential(1)}`)
// Changing the weights by 1e-6 of themselves changes the gradient by 1.6e-3 on our side alone: kinks of 29 ReLUs.
if (!(lossError < 1e-4 && gradientError < 1e-2)) throw new Error('the two sides compute different steps')

const times = { pantin: [], jax: [] }
for (let round = 0; round < Number(options.rounds); round++) {
  for (let warm = 0; warm < 3; warm++) await ours()
  times.pantin.push((await timed(ours)).ms)
  times.jax.push((await timed(theirs)).ms)
}
await session.close()
const [a, b] = [middle(times.pantin), middle(times.jax)]
const count = sizeOf([layout.size])
print(`ERFNet's encoder, ${count} weights, batch ${batch}, ${size}x${size}, forward and backward:`)
print(
  `pantin on onnxruntime-node, ${options.threads} threads: ${a.toFixed(1)} ms; jax-js on Wasm in Node: ${b.toFixed(0)} ms`,
)
print(`jax-js takes ${(b / a).toFixed(0)} times pantin's time`)
