/**
 * Our training step and PyTorch's in turn, each in a process of its own, and the ratio of the two.
 *
 *   node bench/peers/compare.mjs --python VENV/bin/python [--nets ficelle,ficelle:light:128] [--what detector]
 *     [--rounds 3] [--steps 20] [--threads 2] [--within 'taskset -c 0,1']
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    /** Networks, each with a generator and a size if it is not small:64. */
    nets: { type: 'string', default: 'ficelle,lednet,erfnet,esnet,hourglass-small,hourglass' },
    what: { type: 'string', default: 'step' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '20' },
    threads: { type: 'string', default: '2' },
    /** Words in front of each command. */
    within: { type: 'string', default: '' },
  },
})
if (options.python === undefined) throw new Error('say which Python has torch: --python VENV/bin/python')

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const commands = {
  pantin: [process.execPath, here('time_step.mjs')],
  torch: [options.python, here('training_step.py'), '--json'],
}

function measure(peer, model) {
  const [net, generator = 'small', size = '64'] = model.split(':')
  const { what, steps, threads, within } = options
  const asked = [
    '--net',
    net,
    '--generator',
    generator,
    '--size',
    size,
    '--what',
    what,
    '--steps',
    steps,
    '--threads',
    threads,
  ]
  const [command, ...words] = [...within.split(' ').filter(Boolean), ...commands[peer], ...asked]
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${peer} failed on ${model}: ${stderr}`)
  return JSON.parse(stdout)
}

const middle = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]
const print = (line) => process.stdout.write(`${line}\n`)

for (const net of options.nets.split(',')) {
  const results = { pantin: [], torch: [] }
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const peer of Object.keys(commands)) {
      const result = measure(peer, net)
      results[peer].push(result)
      print(JSON.stringify(result))
    }
  }
  const ratioOf = (key) =>
    middle(results.pantin.map((ours, i) => ours[key] / results.torch[i][key])).toFixed(2)
  for (const [peer, runs] of Object.entries(results)) {
    const median = middle(runs.map((run) => run.median_ms))
    const least = Math.min(...runs.map((run) => run.min_ms))
    const memory = Math.max(...runs.map((run) => run.peak_rss_mib))
    const cores = middle(runs.map((run) => run.cores))
    const processor = middle(runs.map((run) => run.processor_ms))
    print(
      `${net}, ${options.what}, ${peer}: ${median} ms (least ${least}), ${processor} ms of processor time on ${cores} cores, ${memory} MiB`,
    )
  }
  print(
    `${net}, ${options.what}: pantin takes ${ratioOf('median_ms')} times PyTorch's time, and ${ratioOf('processor_ms')} times its processor time`,
  )
}
