// Makes a run whose motion has N points along each side of a pixel, of a run whose motion has one. Each point begins with what
// its pixel had, so that the new run moves pictures nearly as the old one does.
//
//   node scripts/starters/subpixels.mjs RUN N OUT
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readSafetensors, writeSafetensors } from 'pantin'

const [run, n, out] = process.argv.slice(2)
const points = Number(n) ** 2
if (out === undefined || !(points > 1)) throw new Error('usage: subpixels.mjs RUN N OUT, with an N of 2 or 4')
const config = JSON.parse(await readFile(join(run, 'config.json'), 'utf8'))
config.model.denseMotion.subpixels = Number(n)
const { tensors, metadata } = await readSafetensors(join(run, 'weights.safetensors'))
/** The last convolutions of the motion, and the channels of each. */
const channels = { occlusion: 1, 'residual.conv': 2 }
const weights = new Map()
for (const [name, { shape, data }] of tensors) {
  const last = Object.keys(channels).find((one) => name.includes(`dense_motion_network.${one}.`))
  const each = data.length / shape[0]
  if (last !== undefined && shape[0] !== channels[last]) throw new Error(`${name} has points already`)
  const copies = last === undefined ? 1 : points
  // A channel's points lie side by side, as channelsToPixels reads them.
  const copied = Float32Array.from({ length: copies * data.length }, (_, i) => {
    const row = Math.floor(i / each / copies)
    return data[row * each + (i % each)]
  })
  weights.set(name, { dtype: 'float32', shape: [shape[0] * copies, ...shape.slice(1)], data: copied })
}
await mkdir(out, { recursive: true })
await writeFile(join(out, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
await writeSafetensors(join(out, 'weights.safetensors'), weights, metadata)
