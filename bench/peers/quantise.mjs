// Writes what quantise.py compares: a run's detector in float and in our eight bits, both rewritten, and frames of clips.
//   node bench/peers/quantise.mjs RUN VIDEO... FOLDER      (the build must be there: npm run build)
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [run, ...rest] = process.argv.slice(2)
const [videos, out] = [rest.slice(0, -1), rest.at(-1)]
if (run === undefined || videos.length === 0) {
  process.stderr.write('usage: node bench/peers/quantise.mjs RUN VIDEO... FOLDER\n')
  process.exit(2)
}
const dist = (path) => import(new URL(`../../dist/${path}`, import.meta.url).href)
const { planDetector } = await dist('index.js')
const { loadRun, rewriteExactly } = await dist('model/open-model.js')
const { toPlanes } = await dist('model/keypoint-detector.js')
const { detectorGraph } = await dist('motion/model.js')
const { withEightBits } = await dist('optimise/eight-bits.js')
const { toOnnx } = await dist('onnx/export.js')
const { takeFrames } = await dist('compress/measure.js')

const loaded = await loadRun(run)
const settings = { frames: 32, holdout: 0.3 }
const sets = await takeFrames(videos, loaded, settings)
const float = await rewriteExactly({ graph: detectorGraph(loaded.config), weights: loaded.weights })
// The same calibration for both, and no layer in float for ours: the distance is not limited.
const plan = await planDetector(run, videos, { ...settings, calibration: 'minmax', maxDistance: 10 })
const ours = withEightBits(float, plan)

mkdirSync(out, { recursive: true })
writeFileSync(join(out, 'float.onnx'), toOnnx(float.graph, { weights: float.weights }))
writeFileSync(join(out, 'ours.onnx'), toOnnx(ours.graph, { weights: ours.weights }))
for (const name of ['calibration', 'measured']) {
  const frames = sets[name].flatMap((clip) => [...clip.frames])
  const planes = frames.map((pixels) => Buffer.from(toPlanes(pixels, loaded.config.size).data.buffer))
  writeFileSync(join(out, `${name}.f32`), Buffer.concat(planes))
}
