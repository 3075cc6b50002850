import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compile } from '../support/compile.ts'
import { softwareVulkan, withoutVulkan } from '../support/software-vulkan.ts'

/**
 * The WebGPU path, on a software adapter. It runs in a child process: the driver is chosen by the environment,
 * and a crash in native code is then a failed test.
 */

const script = (url: (path: string) => string) => `
import { createSession, describeDevices } from ${JSON.stringify(url('src/runtime/node.ts'))}
import { toPlain } from ${JSON.stringify(url('src/graph/ops/leaf.ts'))}
import { graphs } from ${JSON.stringify(url('test/onnx/graphs.ts'))}
import { feedsOf, weightsFor, worstDifference } from ${JSON.stringify(url('test/onnx/feeds.ts'))}

const devices = await describeDevices()
const differences = {}
let device
for (const [name, build] of Object.entries(graphs)) {
  const graph = build()
  const feeds = feedsOf(graph)
  const options = { weights: weightsFor(graph) }
  const gpu = await createSession(graph, { device: 'webgpu', ...options })
  const cpu = await createSession(graph, { device: 'cpu', ...options })
  const expected = await cpu.run(feeds)
  // Several at once: they must wait for each other.
  const runs = await Promise.all([gpu.run(feeds), gpu.run(feeds), gpu.run(feeds)])
  for (const results of runs) {
    for (const [output, value] of Object.entries(results)) {
      const difference = worstDifference(value, toPlain(expected[output]).data)
      differences[name + ' ' + output] = Math.max(differences[name + ' ' + output] ?? 0, difference)
    }
  }
  const output = [...graph.outputs].find(([, value]) => value.dtype === 'float32')[0]
  const target = { ...expected[output], data: new Float32Array(expected[output].data.length) }
  const { [output]: written } = await gpu.run(feeds, { [output]: target })
  differences[name + ' into'] = written === target ? worstDifference(target, expected[output].data) : Infinity
  device = gpu.device
  await Promise.all([gpu.close(), cpu.close()])
}
console.log(JSON.stringify({ devices, device, differences }))
`

const environment = softwareVulkan()

const title = environment === undefined ? `WebGPU: skipped, ${withoutVulkan}` : 'WebGPU on a software adapter'

describe.skipIf(environment === undefined)(title, () => {
  test('computes what the CPU computes, into given memory too', () => {
    const compiled = compile('src/runtime/node.ts', 'test/onnx/graphs.ts', 'test/onnx/feeds.ts')
    try {
      const file = join(compiled.folder, 'webgpu.js')
      writeFileSync(file, script(compiled.url))
      const child = spawnSync(process.execPath, [file], {
        env: environment,
        encoding: 'utf8',
        timeout: 50_000,
      })
      expect({
        status: child.status,
        signal: child.signal,
        stderr: child.status === 0 ? '' : child.stderr,
      }).toEqual({
        status: 0,
        signal: null,
        stderr: '',
      })
      const { devices, device, differences } = JSON.parse(child.stdout)
      expect(device).toBe('webgpu')
      expect(devices[1]).toEqual({ device: 'webgpu', available: true, detail: '' })
      for (const [name, difference] of Object.entries(differences)) {
        expect(difference, name).toBeLessThan(1e-4)
      }
    } finally {
      compiled.remove()
    }
  })
})
