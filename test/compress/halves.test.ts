// Runs that compute in half precision on a GPU that can: compressed on the CPU, and opened on a software adapter in a child process.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openPlanned } from '../../src/compress/calibration.ts'
import { compress } from '../../src/compress/compress.ts'
import { loadRun, openModel } from '../../src/model/open-model.ts'
import { createRun } from '../../src/run/run.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { randomRun, scratch } from '../animate/support.ts'
import { compile } from '../support/compile.ts'
import { softwareVulkan, withoutVulkan } from '../support/software-vulkan.ts'

const at = scratch()
const few = { frames: 3, crop: 'middle' } as const

const compressionOf = (run: string) =>
  (
    JSON.parse(readFileSync(join(run, 'config.json'), 'utf8')) as {
      readonly compression: { readonly device: string; readonly halves?: boolean }
    }
  ).compression

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)))

test('compressed for WebGPU, a run computes in half precision if that is near enough', async () => {
  const original = await randomRun(at('run'))
  const asked = { device: 'webgpu', ...few } as const
  const near = await compress(original, ['puppet:1'], { out: at('near'), ...asked })
  expect(near.steps.map(({ name, kept }) => [name, kept])).toEqual([
    ['original', true],
    ['fp16', true],
    ['fp16-graph', true],
  ])
  const [, , graph] = near.steps
  expect(graph!.difference.distance).toBeGreaterThan(0)
  expect(compressionOf(at('near'))).toMatchObject({ device: 'webgpu', halves: true })

  const far = await compress(original, ['puppet:1'], { out: at('far'), maxDistance: 1e-9, ...asked })
  expect(far.steps.at(-1)).toMatchObject({ name: 'fp16-graph', kept: false })
  expect(compressionOf(at('far')).halves).toBeUndefined()
  // Nothing but speed speaks for it.
  const small = await compress(original, ['puppet:1'], { out: at('small'), target: 'size', ...asked })
  expect(small.steps.map(({ name }) => name)).toEqual(['original', 'fp16'])
}, 120_000)

test('half precision is near 32 bits, and a CPU keeps these', async () => {
  const run = await loadRun('puppet')
  await using whole = await openPlanned(run, {})
  await using half = await openPlanned(run, {}, [], true)
  expect([whole.halves, half.halves]).toEqual([false, true])
  const picture = (seed: number) => stillPuppet({ seed, size: 128 }).data
  const [kpSource, kpDriving] = [await whole.detect(picture(5)), await whole.detect(picture(6))]
  const found = await half.detect(picture(5))
  expect(farthest(found.value, kpSource.value)).toBeLessThan(1e-3)
  expect(farthest(found.value, kpSource.value)).toBeGreaterThan(0)
  const [frame, near] = [
    await whole.generate(picture(5), kpSource, kpDriving),
    await half.generate(picture(5), kpSource, kpDriving),
  ]
  expect(farthest(frame, near)).toBeLessThanOrEqual(3)

  const opened = await loadRun(at('near'))
  expect(opened.halves).toBe(true)
  await using model = await openModel(at('near'), { device: 'cpu' })
  expect(model.halves).toBe(false)
}, 60_000)

const environment = softwareVulkan()
const title =
  environment === undefined
    ? `half precision on WebGPU: skipped, ${withoutVulkan}`
    : 'half precision on WebGPU'

describe.skipIf(environment === undefined)(title, () => {
  // Chromium's driver lacks 16 bits, and Mesa's has them since 2023: see PANTIN_TEST_VULKAN in CONTRIBUTING.md.
  test('is used where the adapter has it, and finds the same within 0.005', async () => {
    const { config: model, weights } = await loadRun('puppet')
    const config = { model, training: { fit: 'crop' }, compression: { device: 'webgpu', halves: true } }
    const run = await createRun(at('gpu'), { config, version: '0.1.0' })
    await run.saveWeights(weights, new Map(), { floats: 'F16' })
    run.close()
    const compiled = compile('src/model/open-model.ts', 'src/synthetic/puppet/puppet.ts')
    try {
      const file = join(compiled.folder, 'halves.js')
      writeFileSync(file, script(compiled.url, at('gpu')))
      const child = spawnSync(process.execPath, [file], {
        ...{ env: environment, encoding: 'utf8', timeout: 170_000 },
      })
      expect({ status: child.status, stderr: child.status === 0 ? '' : child.stderr }).toEqual({
        ...{ status: 0, stderr: '' },
      })
      const { device, halves, distance, levels } = JSON.parse(child.stdout)
      process.stdout.write(`half precision: ${halves}; keypoints ${distance}, pictures ${levels} levels\n`)
      expect(device).toBe('webgpu')
      expect(distance).toBeLessThan(5e-3)
      expect(levels).toBeLessThanOrEqual(3)
      if (process.env.PANTIN_TEST_VULKAN !== undefined) expect(halves).toBe(true)
      if (halves) expect(distance).toBeGreaterThan(1e-5)
    } finally {
      compiled.remove()
    }
  }, 180_000)
})

const script = (url: (path: string) => string, run: string) => `
import { openModel } from ${JSON.stringify(url('src/model/open-model.ts'))}
import { stillPuppet } from ${JSON.stringify(url('src/synthetic/puppet/puppet.ts'))}
const [cpu, gpu] = [await openModel(${JSON.stringify(run)}, { device: 'cpu' }), await openModel(${JSON.stringify(run)}, { device: 'webgpu' })]
const picture = (seed) => stillPuppet({ seed, size: cpu.config.size }).data
const farthest = (a, b) => Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i])))
const [kpSource, kpDriving] = [await cpu.detect(picture(5)), await cpu.detect(picture(6))]
const found = await gpu.detect(picture(5))
const frames = [await cpu.generate(picture(5), kpSource, kpDriving), await gpu.generate(picture(5), kpSource, kpDriving)]
const { device, halves } = gpu
console.log(JSON.stringify({ device, halves, distance: farthest(found.value, kpSource.value), levels: farthest(...frames) }))
await Promise.all([cpu.close(), gpu.close()])
`
