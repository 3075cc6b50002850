// Makes a run whose weights lie between those of two runs: what was learned last stays, and what was known before is not lost
// (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
//
//   node scripts/starters/mean.mjs BEFORE RUN PART OUT [FIRST-LAST]
//
// RUN was begun with the weights of BEFORE. OUT is PART of the way from BEFORE to RUN. PART is a number, or one each for the
// detector, dense motion with the inside of mouths, and the rest of the generator: 0.7,0.2,0.3. What the detector's last layers have of the keypoints FIRST to
// LAST is taken from RUN as it is: BEFORE had not learned them.
import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readSafetensors, writeSafetensors } from 'pantin'

const [begun, run, part, out, fresh] = process.argv.slice(2)
const parts = part?.split(',').map(Number) ?? []
if (out === undefined || ![1, 3].includes(parts.length) || !parts.every((one) => one >= 0 && one <= 1)) {
  throw new Error('usage: mean.mjs BEFORE RUN PART OUT, with a PART from 0 to 1, or three of them')
}
const [, first, last] = /^(\d+)-(\d+)$/.exec(fresh ?? '') ?? []
if (fresh !== undefined && last === undefined) throw new Error(`no keypoints FIRST-LAST: ${fresh}`)
/** Parameters with a row, or rows, for each keypoint. */
const ofKeypoints = /^kp_detector\.(kp\.(weight|anchor)|jacobian\.(weight|bias))$/
const [detector, motion = detector, generator = detector] = parts
const partOf = (name) =>
  name.startsWith('kp_detector.')
    ? detector
    : /dense_motion_network\.|\.mouth\./.test(name)
      ? motion
      : generator
const [old, now] = await Promise.all(
  [begun, run].map((one) => readSafetensors(join(one, 'weights.safetensors'))),
)
const { keypoints } = JSON.parse(await readFile(join(run, 'config.json'), 'utf8')).model
const weights = new Map()
for (const [name, { shape, data }] of now.tensors) {
  // What RUN has and BEFORE lacks, or has for pictures of another size, is taken as it is.
  const before = old.tensors.get(name)
  const from = String(before?.shape) === String(shape) ? before : undefined
  const step = partOf(name)
  const each = data.length / keypoints
  const isFresh = (i) =>
    last !== undefined && ofKeypoints.test(name) && i >= first * each && i <= last * each + each - 1
  const mean = from && data.map((value, i) => (isFresh(i) ? value : (1 - step) * from.data[i] + step * value))
  weights.set(name, { dtype: 'float32', shape, data: Float32Array.from(mean ?? data) })
}
await mkdir(out, { recursive: true })
await copyFile(join(run, 'config.json'), join(out, 'config.json'))
await writeSafetensors(join(out, 'weights.safetensors'), weights, now.metadata)
