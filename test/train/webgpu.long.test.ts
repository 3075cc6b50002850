import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compile } from '../support/compile.ts'
import { softwareVulkan, withoutVulkan } from '../support/software-vulkan.ts'

/**
 * One training step, gradient and optimiser included, on the CPU and on WebGPU: the first moments after a
 * first step are the gradient, times a constant.
 */

const script = (url: (path: string) => string) => `
import { adamDefaults } from ${JSON.stringify(url('src/train/adam.ts'))}
import { trainingConfigSchema } from ${JSON.stringify(url('src/train/config.ts'))}
import { tensor } from ${JSON.stringify(url('src/graph/tensor.ts'))}
import { initialState } from ${JSON.stringify(url('src/train/state.ts'))}
import { buildTrainingStep } from ${JSON.stringify(url('src/train/reconstruction/step.ts'))}
import { StepSession } from ${JSON.stringify(url('src/train/training-run.ts'))}
import { drawTransform } from ${JSON.stringify(url('src/train/augment.ts'))}
import { tinyModel } from ${JSON.stringify(url('test/train/tiny.ts'))}
import { puppetClip } from ${JSON.stringify(url('src/synthetic/puppet/puppet.ts'))}
import { Random } from ${JSON.stringify(url('src/util/random.ts'))}

const results = {}
for (const net of ['lednet']) {
  const model = tinyModel(net)
  const gradients = []
  let device
  for (const name of ['cpu', 'webgpu']) {
    const random = new Random(3)
    const config = trainingConfigSchema.parse({ clips: ['x'], steps: 1, batch: 2, device: name })
    const step = buildTrainingStep(model, {
      batch: 2, scales: 3, weights: config.losses, transform: config.transform, adam: adamDefaults, colour: false,
    })
    const session = await StepSession.create(step, config, initialState(step, random))
    device = session.device
    const frames = new Uint8Array(4 * model.size * model.size * 3)
    let at = 0
    for await (const frame of puppetClip({ seed: 5, frames: 4, size: model.size }).frames()) {
      frames.set(frame.data, at)
      at += frame.data.length
    }
    const { theta, spline } = drawTransform(random, 2, config.transform)
    const feeds = {
      frames: tensor('uint8', [4, model.size, model.size, 3], frames),
      theta: tensor('float32', [2, 2, 3], theta),
      spline: tensor('float32', [2, config.transform.points ** 2, 1], spline),
    }
    const { taken } = await session.run(1, 1e-3, [feeds])
    if (!taken) throw new Error('the step was not finite on ' + name)
    gradients.push(session.state.firstMoment.slice())
    await session.close()
  }
  const [cpu, gpu] = gradients
  let [difference, size] = [0, 0]
  cpu.forEach((x, i) => {
    difference += (gpu[i] - x) ** 2
    size += x ** 2
  })
  results[net] = { device, error: Math.sqrt(difference / size), size: cpu.length }
}
console.log(JSON.stringify(results))
`

const environment = softwareVulkan()

const title = environment === undefined ? `WebGPU: skipped, ${withoutVulkan}` : 'a training step on WebGPU'

describe.skipIf(environment === undefined)(title, () => {
  test('has the gradient that it has on the CPU', { timeout: 420_000 }, () => {
    const compiled = compile(
      'src/train/augment.ts',
      'src/train/config.ts',
      'src/train/reconstruction/step.ts',
      'src/train/training-run.ts',
      'src/train/state.ts',
      'src/synthetic/puppet/puppet.ts',
      'test/train/tiny.ts',
    )
    try {
      const file = join(compiled.folder, 'webgpu-step.js')
      writeFileSync(file, script(compiled.url))
      const child = spawnSync(process.execPath, [file], {
        env: environment,
        encoding: 'utf8',
        timeout: 400_000,
      })
      expect(child.status, child.stderr).toBe(0)
      const results = JSON.parse(child.stdout) as Record<string, { device: string; error: number }>
      for (const { device, error } of Object.values(results)) {
        expect(device).toBe('webgpu')
        expect(error).toBeLessThan(1e-2)
      }
    } finally {
      compiled.remove()
    }
  })
})
