/**
 * The network of own-network.mjs, trained, distilled, compared and exported from code.
 *
 *   npm run build && node examples/train-own-network.mjs [FOLDER [STEPS]]
 */
import { join } from 'node:path'
import { compare, distil, exportFolder, loadPlugin, train } from 'pantin'
import { myNet } from './own-network.mjs'

const [, , folder = 'own-network-runs', steps = '100'] = process.argv
const common = { steps: Number(steps), batch: 2, device: 'cpu', force: true }
const clip = 'puppet:3,frames=10'

// A network can be given itself. A file of networks is loaded by its path, which the processes of a study need.
const teacher = await train(clip, { ...common, net: myNet, out: join(folder, 'trained') })
const [name] = await loadPlugin(new URL('own-network.mjs', import.meta.url).pathname)

const student = await distil(clip, {
  ...common,
  net: 'my-net',
  teacher: teacher.path,
  out: join(folder, 'student'),
})
const { rows } = await compare({ nets: ['my-net', 'ficelle'], latency: false })
const { inputs, outputs } = await exportFolder(student.path, join(folder, 'detector.onnx'), {})

const costs = rows.map(({ net, as, params }) => ({ net, as, params }))
process.stdout.write(`${JSON.stringify({ name, costs, inputs, outputs })}\n`)
