/**
 * Times our step as training_step.py times PyTorch's: one process, a few steps to warm up, then each step.
 *
 *   node bench/peers/time_step.mjs --net ficelle [--generator light --size 128] [--what detector] [--threads 2] [--steps 30]
 */
import { readOptions, Stepper } from './our-steps.mjs'

const options = readOptions({
  threads: { type: 'string', default: '2' },
  steps: { type: 'string', default: '30' },
  warmup: { type: 'string', default: '5' },
})
const { model, what } = options
const [threads, steps, warmup] = [options.threads, options.steps, options.warmup].map(Number)

const stepper = await Stepper.create({ what, ...model }, threads)
const step = async () => {
  const began = performance.now()
  const losses = await stepper.run()
  if (!losses.every(Number.isFinite)) throw new Error('a loss is not finite')
  return performance.now() - began
}
const first = await step()
for (let i = 0; i < warmup; i++) await step()
const times = []
const before = process.cpuUsage()
while (times.length < steps) times.push(await step())
const { user, system } = process.cpuUsage(before)
const processor = (user + system) / 1e3
const cores = processor / times.reduce((sum, time) => sum + time)
times.sort((a, b) => a - b)
const [below, above] = [times[(steps - 1) >> 1], times[steps >> 1]]

const round = (value) => Math.round(100 * value) / 100
const result = {
  peer: 'pantin',
  what,
  ...model,
  threads,
  steps,
  median_ms: round((below + above) / 2),
  min_ms: round(times[0]),
  first_ms: round(first),
  cores: round(cores),
  processor_ms: round(processor / steps),
  peak_rss_mib: Math.round(process.resourceUsage().maxRSS / 1024),
}
process.stdout.write(`${JSON.stringify(result)}\n`)
