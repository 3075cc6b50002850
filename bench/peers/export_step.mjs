/**
 * Writes a step for `training_step.py --check`: the state it begins with, its batch, and what it gives.
 *
 *   node bench/peers/export_step.mjs --net ficelle --out FOLDER [--generator light --size 128] [--what detector] [--steps 3]
 *
 * A few steps are taken first, since at the very start many weights are zero and would hide mistakes.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { floats, unpack, writeSafetensors } from '../dist/peers.js'
import { readOptions, Stepper } from './our-steps.mjs'

const { model, what, out, steps } = readOptions({
  out: { type: 'string' },
  steps: { type: 'string', default: '3' },
})
if (out === undefined) throw new Error('say where to write: --out FOLDER')

const stepper = await Stepper.create({ what, ...model })
const { weights, buffers, inputs, reports, training } = stepper.step
while (stepper.taken < Number(steps)) await stepper.run()

const { state, spare: next } = stepper
const named = (prefix, data, layout) =>
  Array.from(unpack(data, layout), ([name, value]) => [prefix + name, value])
const before = new Map([
  ...named('', state.weights, weights),
  ...named('', state.buffers, buffers),
  ...named('adam.first.', state.firstMoment, weights),
  ...named('adam.second.', state.secondMoment, weights),
])

// From a moment of zero, the next one is the gradient times 1 - beta1.
const still = new Float32Array(weights.size)
await stepper.compute({ ...state, firstMoment: still }, next)
const gradient = next.firstMoment.map((moment) => moment / (1 - training.adam.beta1))
const losses = await stepper.compute(state, next)
const results = new Map([
  ...reports.map((name, i) => [`loss.${name}`, floats([losses[i]], [])]),
  ...named('gradient.', gradient, weights),
  ...named('next.', next.weights, weights),
  ...named('next.', next.buffers, buffers),
])

await mkdir(out, { recursive: true })
await writeFile(join(out, 'step.json'), `${JSON.stringify({ ...model, what, steps: stepper.taken })}\n`)
await writeSafetensors(join(out, 'state.safetensors'), before)
await writeSafetensors(join(out, 'inputs.safetensors'), new Map(Object.entries(inputs)))
await writeSafetensors(join(out, 'results.safetensors'), results)
process.stdout.write(
  `${what} of ${Object.values(model).join(':')}: ${weights.size} weights, loss ${losses[0]}\n`,
)
