// Makes a run with more tied keypoints: one whose keypoints are tied to a whole head (`--tie head`) of one whose keypoints are tied
// to a face (`--tie face`), or one with irises (`--tie gaze`) of one with a head. The new keypoints begin as copies of keypoints near
// them. Dense motion does not see them at first, and irises never. Training tells them apart.
//
//   node scripts/starters/more-keypoints.mjs RUN OUT head|gaze
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readSafetensors, writeSafetensors } from 'pantin'
import { eyes, lids } from './recipes.mjs'

/** Keypoints that are tied before, and the keypoint that each new one begins as: see `tiedPoints` in src/synthetic/made-clips.ts. */
const widenings = {
  head: {
    tied: 16,
    copied: [
      ...[4, 7], // outer ends of the brows: their middles
      ...[0, 0, 2, 2], // corners of the eyes: upper lids
      ...[15, 15, 15], // bridge and sides of the nose: its tip
      ...[8, 14, 14, 9], // temples and jaw: corners of the mouth, chin
    ],
  },
  gaze: { tied: 29, copied: [0, 2] },
}

const [run, out, tie] = process.argv.slice(2)
const widening = widenings[tie]
if (widening === undefined) throw new Error('usage: more-keypoints.mjs RUN OUT head|gaze')
const { tied, copied } = widening
/** Outer ends of the brows move by themselves, as what was tied before. */
const local = tied + 2

const config = JSON.parse(await readFile(join(run, 'config.json'), 'utf8'))
const { tensors, metadata } = await readSafetensors(join(run, 'weights.safetensors'))
const before = config.model.keypoints
const from = [...Array(tied).keys(), ...copied, ...Array.from({ length: before - tied }, (_, i) => tied + i)]
const isNew = (k) => k >= tied && k < tied + copied.length
const after = from.length

const weights = new Map()
for (const [name, { shape, data }] of tensors) {
  weights.set(name, { dtype: 'float32', shape: [...shape], data: Float32Array.from(data, Number) })
}

/** Gives each keypoint its share of a parameter's first axis. */
function repeat(name, adjust = (value) => value) {
  const { shape, data } = weights.get(name)
  const each = data.length / before
  const made = from.flatMap((old, k) =>
    Array.from(data.subarray(old * each, (old + 1) * each), (v) => adjust(v, k)),
  )
  const rest = [(shape[0] / before) * after, ...shape.slice(1)]
  weights.set(name, { dtype: 'float32', shape: rest, data: Float32Array.from(made) })
}

/** Of dense motion, the motion with this number is the background's if it is 0, otherwise that of the keypoint before. */
const oldMotion = (m) => (m === 0 ? 0 : isNew(m - 1) ? undefined : from[m - 1] + 1)

/**
 * Makes room for more motions in a convolution [O, I, ...]: 0 for new ones.
 *
 * @param lead input channels before those of motions, of which each has four
 * @param named whether the results are one for each motion, too
 */
function widen(name, lead, named = false) {
  const { shape, data } = weights.get(name)
  const [rows, columns, ...kernel] = shape
  const area = kernel.reduce((a, b) => a * b, 1)
  const motions = Array.from({ length: after + 1 }, (_, m) => oldMotion(m))
  const channels = [
    ...Array(lead).keys(),
    ...motions.flatMap((old) =>
      [0, 1, 2, 3].map((c) => (old === undefined ? undefined : lead + 4 * old + c)),
    ),
  ]
  const results = named ? motions : [...Array(rows).keys()]
  const made = new Float32Array(results.length * channels.length * area)
  results.forEach((row, r) => {
    channels.forEach((column, c) => {
      if (row === undefined || column === undefined) return
      const start = (row * columns + column) * area
      made.set(data.subarray(start, start + area), (r * channels.length + c) * area)
    })
  })
  const made4 = [results.length, channels.length, ...kernel]
  weights.set(name, { dtype: 'float32', shape: made4, data: made })
}

for (const name of ['kp.weight', 'kp.anchor', 'jacobian.weight', 'jacobian.bias'])
  repeat(`kp_detector.${name}`)
const motion = 'generator.dense_motion_network'
if (tie === 'head') widenMotion()

/** Gives dense motion the motions of new keypoints. */
function widenMotion() {
  // A new keypoint that is not local reaches a little less far than the old ones, of which there were few.
  repeat(`${motion}.prior.slope`, (value, k) => (isNew(k) && k >= local ? 1.5 : value))
  repeat(`${motion}.prior.gain`, (value, k) => (isNew(k) && k >= local ? 0 : value))
  const features = config.model.denseMotion.blockExpansion
  widen(`${motion}.hourglass.encoder.down_blocks.0.conv.weight`, 0)
  widen(`${motion}.mask.weight`, features, true)
  for (const name of [`${motion}.occlusion`, `${motion}.residual.conv`, 'generator.guide.conv']) {
    widen(`${name}.weight`, features)
  }
  const bias = weights.get(`${motion}.mask.bias`).data
  const biases = Array.from({ length: after + 1 }, (_, m) => bias[oldMotion(m)] ?? 0)
  weights.set(`${motion}.mask.bias`, {
    dtype: 'float32',
    shape: [after + 1],
    data: Float32Array.from(biases),
  })
}

config.model.keypoints = after
Object.assign(
  config.model.denseMotion,
  tie === 'gaze' ? { eyes } : { localKeypoints: local, peaked: true, openings: lids },
)
config.training.tie = tie
await mkdir(out, { recursive: true })
await writeFile(join(out, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
await writeSafetensors(join(out, 'weights.safetensors'), weights, metadata)
