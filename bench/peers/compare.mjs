/**
 * Our training step and PyTorch's in turn, each in a process of its own, and the ratio of the two.
 *
 *   node bench/peers/compare.mjs --python VENV/bin/python [--nets lednet,erfnet] [--what detector]
 *     [--rounds 3] [--steps 20] [--threads 2] [--within 'taskset -c 0,1']
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    nets: { type: 'string', default: 'lednet,erfnet,esnet,hourglass-small,hourglass' },
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

function measure(peer, net) {
  const { what, steps, threads, within } = options
  const asked = ['--net', net, '--what', what, '--steps', steps, '--threads', threads]
  const [command, ...words] = [...within.split(' ').filter(Boolean), ...commands[peer], ...asked]
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${peer} failed on ${net}: ${stderr}`)
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
  const ratios = results.pantin.map((ours, i) => ours.median_ms / results.torch[i].median_ms)
  for (const [peer, runs] of Object.entries(results)) {
    const median = middle(runs.map((run) => run.median_ms))
    const least = Math.min(...runs.map((run) => run.min_ms))
    const memory = Math.max(...runs.map((run) => run.peak_rss_mib))
    print(`${net}, ${options.what}, ${peer}: ${median} ms (least ${least}), ${memory} MiB`)
  }
  print(`${net}, ${options.what}: pantin takes ${middle(ratios).toFixed(2)} times PyTorch's time`)
}
