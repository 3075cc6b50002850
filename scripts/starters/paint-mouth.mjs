// Paints the inside of mouths: `mouth.own` and `mouth.tint`, by how far a mouth is open. What training finds on synthetic heads is their
// mean, in any light: a grey blur without teeth. On strangers' faces these pictures are nearer to what is there. Training goes on
// from them, so that a model of one person learns that person's mouth.
//
//   node scripts/starters/paint-mouth.mjs RUN OUT
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readSafetensors, writeSafetensors } from 'pantin'

const [run, out] = process.argv.slice(2)
if (out === undefined) throw new Error('usage: paint-mouth.mjs RUN OUT')

/** Colours: red, green and blue of their own, and the part of the skin's that is added. */
const teeth = [0.36, 0.45, 0.44, 0.5]
const cavity = [0.04, -0.01, -0.01, 0.16]
const tongue = [0.14, 0.03, 0.05, 0.6]
/** Of the height between the lips, where the teeth end and the tongue begins, at each opening. */
const teethEnd = [0.75, 0.52, 0.3, 0.2]
const tongueBegins = [1, 0.8, 0.56, 0.45]

const mix = (from, to, part) => from.map((value, i) => value + (to[i] - value) * part)
function smoothstep(from, to, x) {
  const t = Math.min(1, Math.max(0, (x - from) / (to - from)))
  return t * t * (3 - 2 * t)
}

/**
 * The colour of a place in the mouth.
 *
 * @param opening number of the picture
 * @param aside from the middle (0) to a corner (1)
 * @param down from the upper lip (0) to the lower one (1)
 */
function colourAt(opening, aside, down) {
  const edge = teethEnd[opening] * (1 - 0.45 * aside ** 2)
  const from = tongueBegins[opening]
  const onTongue = 0.9 * smoothstep(from - 0.18, from + 0.18, down) * (1 - smoothstep(0.45, 0.85, aside))
  const onTeeth = (1 - smoothstep(edge - 0.07, edge + 0.07, down)) * (1 - smoothstep(0.5, 0.85, aside))
  // The upper lip casts a shadow, and corners are dark.
  const light = (0.72 + 0.28 * smoothstep(0, 0.12, down)) * (1 - 0.5 * smoothstep(0.6, 1, aside))
  return mix(mix(cavity, tongue, onTongue), teeth, onTeeth).map((value) => light * value)
}

const { tensors, metadata } = await readSafetensors(join(run, 'weights.safetensors'))
const weights = new Map()
for (const [name, { shape, data }] of tensors) {
  weights.set(name, { dtype: 'float32', shape: [...shape], data: Float32Array.from(data, Number) })
}
const [own, tint] = ['own', 'tint'].map((name) => weights.get(`generator.mouth.${name}`))
if (own === undefined) throw new Error(`${run} has no mouth`)
const [openings, , height, width] = own.shape
if (openings !== teethEnd.length)
  throw new Error(`${openings} pictures of a mouth instead of ${teethEnd.length}`)
for (let opening = 0; opening < openings; opening++) {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const aside = Math.abs((2 * x) / (width - 1) - 1)
      const colour = colourAt(opening, aside, y / (height - 1))
      for (let c = 0; c < 3; c++) {
        const at = ((3 * opening + c) * height + y) * width + x
        own.data[at] = colour[c]
        tint.data[at] = colour[3]
      }
    }
  }
}
await mkdir(out, { recursive: true })
await copyFile(join(run, 'config.json'), join(out, 'config.json'))
await writeSafetensors(join(out, 'weights.safetensors'), weights, metadata)
