// Pruned networks beside fresh ones of the original size that learn for as long:
// `node bench/dist/pruning.js FOLDER [--net lednet] [--part 0.5] [--by taylor] [--steps 300] [--seeds 1,2,3] [--taught 600]
// [--clips 8]`.
// What is made on the way is kept in FOLDER, so the command can be stopped and goes on when it is called again.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openPlanned } from '../../src/compress/calibration.ts'
import { differenceOf, referenceOf, takeFrames, withoutGenerator } from '../../src/compress/measure.ts'
import { pruneCriteria } from '../../src/compress/options.ts'
import { pruneRun } from '../../src/compress/prune.ts'
import type { LoadedRun } from '../../src/model/loaded-run.ts'
import { loadRun } from '../../src/model/open-model.ts'
import { type DistilOptions, distil } from '../../src/train/train.ts'
import { median } from './stepper.ts'

/** The starter that teaches the original, and the part at the end of each clip that is only measured on. */
const [starter, holdout] = ['puppet', 0.3]
/** Distances to the original, mean over keypoints and frames, in units of [-1, 1]. */
interface Distances {
  readonly fresh: number
  readonly pruned: number
  /** Multiply-adds that the pruned network has left. */
  readonly left: number
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    net: { type: 'string', default: 'lednet' },
    part: { type: 'string', default: '0.5' },
    by: { type: 'string', default: 'taylor' },
    steps: { type: 'string', default: '300' },
    taught: { type: 'string', default: '600' },
    seeds: { type: 'string', default: '1,2,3' },
    clips: { type: 'string', default: '8' },
  },
})
const folder = positionals[0] ?? 'pruning'
const { net } = values
const clips = Array.from({ length: Number(values.clips) }, (_, i) => `puppet:${i + 1}`)
const steps = Number(values.steps)
const by = pruneCriteria.find((name) => name === values.by) ?? 'taylor'
const cache = join(folder, 'labels')
const log = (line: string) => process.stdout.write(`${line}\n`)

/** A detector that was distilled before, or is now. @returns its folder */
async function learned(
  name: string,
  options: Pick<DistilOptions, 'teacher' | 'net' | 'model' | 'steps' | 'seed'>,
) {
  const out = join(folder, name)
  if (existsSync(join(out, 'done'))) return out
  await distil(clips, { ...options, out, holdout, cache, force: true })
  writeFileSync(join(out, 'done'), '')
  return out
}

const taught = { teacher: starter, net, steps: Number(values.taught), seed: 0 }
const originalPath = await learned(`${net}-original-${values.taught}`, taught)
const original = { ...(await loadRun(originalPath)), eightBits: undefined }
const sets = await takeFrames(clips, original, { frames: 64, holdout })

const distanceOf = async (run: LoadedRun) => {
  await using model = await openPlanned(withoutGenerator(run), {})
  return (await differenceOf(model, await reference, 'keypoints')).distance
}
const reference = (async () => {
  await using model = await openPlanned(withoutGenerator(original), {})
  return await referenceOf(model, sets.measured)
})()

const found: Distances[] = []
for (const seed of values.seeds.split(',').map(Number)) {
  const kept = join(folder, `${net}-${values.part}-${by}-${steps}-${values.taught}-${seed}.json`)
  if (!existsSync(kept)) {
    const student = { teacher: originalPath, model: original.config, steps, seed }
    const fresh = await learned(`${net}-fresh-${values.taught}-${steps}-${seed}`, student)
    const options = { part: Number(values.part), by, steps, seed }
    const { run, macs } = await pruneRun(original, { clips, frames: sets.calibration, holdout }, options)
    const distances: Distances = {
      fresh: await distanceOf(await loadRun(fresh)),
      pruned: await distanceOf(run),
      left: macs[1] / macs[0],
    }
    writeFileSync(kept, JSON.stringify(distances))
  }
  const distances = JSON.parse(readFileSync(kept, 'utf8')) as Distances
  found.push(distances)
  const { fresh, pruned, left } = distances
  log(
    `seed ${seed}: fresh ${fresh.toFixed(4)}, pruned ${pruned.toFixed(4)} with ${(100 * left).toFixed(0)} % left`,
  )
}
const [fresh, pruned] = [median(found.map((one) => one.fresh)), median(found.map((one) => one.pruned))]
log(
  `${net}, ${steps} steps, medians: fresh ${fresh.toFixed(4)}, pruned ${pruned.toFixed(4)}: ${(pruned / fresh).toFixed(2)}`,
)
