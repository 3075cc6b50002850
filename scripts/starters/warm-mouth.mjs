// Makes a run whose mouths are not blue inside: green and blue of the learned pictures become their mean. Synthetic heads have teeth
// as white as paint, and coloured light made the rest purple on real faces. What is in a mouth is white or red, and the skin tells how
// warm.
//
//   node scripts/starters/warm-mouth.mjs RUN OUT
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readSafetensors, writeSafetensors } from 'pantin'

const [run, out] = process.argv.slice(2)
if (out === undefined) throw new Error('usage: warm-mouth.mjs RUN OUT')
const { tensors, metadata } = await readSafetensors(join(run, 'weights.safetensors'))
const weights = new Map()
for (const [name, { shape, data }] of tensors) {
  const values = Float32Array.from(data, Number)
  // [openings, RGB, height, width]
  if (name.startsWith('generator.mouth.')) {
    const pixels = shape[2] * shape[3]
    for (let opening = 0; opening < shape[0]; opening++) {
      const green = (3 * opening + 1) * pixels
      for (let i = green; i < green + pixels; i++) {
        values[i] = (values[i] + values[i + pixels]) / 2
        values[i + pixels] = values[i]
      }
    }
  }
  weights.set(name, { dtype: 'float32', shape: [...shape], data: values })
}
await mkdir(out, { recursive: true })
await copyFile(join(run, 'config.json'), join(out, 'config.json'))
await writeSafetensors(join(out, 'weights.safetensors'), weights, metadata)
