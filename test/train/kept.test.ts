// Training that keeps what it began with: the loss `kept`, and a generator that rests while the detector learns.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { type TrainLosses, trainLosses } from '../../src/train/losses.ts'
import { type TrainEvent, train } from '../../src/train/train.ts'
import { tinyModel } from './tiny.ts'

describe('training that keeps what it began with', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-kept-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const clips = 'puppet:3,frames=6,size=32'
  const common = { model: tinyModel(), batch: 2, device: 'cpu', threads: 1 } as const
  const none = Object.fromEntries(trainLosses.names.map((name) => [name, 0]))

  test('trains the detector alone, jacobians too, and needs a run to begin with', async () => {
    const begun = join(folder, 'begun')
    await train(clips, { out: begun, steps: 1, ...common })
    const further = async (out: string, losses: TrainLosses) => {
      const from = { init: begun, tie: 'joints', steps: 12, learningRate: 0.01, metricsEvery: 1 } as const
      await train(clips, { ...common, ...from, out, losses: { ...none, ...losses } })
      return (await readSafetensors(join(out, 'weights.safetensors'))).tensors
    }
    const [free, kept] = [
      await further(join(folder, 'free'), { landmarks: 20 }),
      await further(join(folder, 'kept'), { landmarks: 20, kept: 50 }),
    ]
    const before = (await readSafetensors(join(begun, 'weights.safetensors'))).tensors
    const moved = (of: typeof before, name: string) => {
      const [a, b] = [of, before].map((tensors) => tensors.get(name)!.data as Float32Array)
      return Math.max(...a!.map((x, i) => Math.abs(x - b![i]!)))
    }
    for (const name of before.keys()) {
      if (name.startsWith('generator.')) expect(moved(kept, name), name).toBe(0)
    }
    expect(
      [...before.keys()].some((name) => name.startsWith('generator.') && name.endsWith('running_mean')),
    ).toBe(true)
    const jacobian = 'kp_detector.jacobian.bias'
    expect(moved(kept, jacobian)).toBeGreaterThan(0)
    expect(moved(free, jacobian)).toBe(0)

    const nothing = train(clips, { ...common, out: join(folder, 'nothing'), steps: 1, losses: { kept: 1 } })
    await expect(nothing).rejects.toThrow(/begins with random weights/)
    expect(existsSync(join(folder, 'nothing'))).toBe(false)
  })

  test('may change each picture by itself, unless pictures are compared', async () => {
    const augment = { flip: false, colour: 0, vary: 1 }
    const points = { tie: 'joints', steps: 2, losses: { ...none, landmarks: 20 }, metricsEvery: 1 } as const
    const lossesOf = async (out: string, options: object) => {
      const losses: number[] = []
      const onEvent = (event: TrainEvent) => {
        if (event.kind === 'step') losses.push(event.loss)
      }
      await train(clips, { ...common, ...points, ...options, out: join(folder, out), onEvent })
      return losses
    }
    expect(await lossesOf('varied', { augment })).not.toEqual(await lossesOf('plain', {}))
    const compared = train(clips, { ...common, out: join(folder, 'compared'), steps: 1, augment })
    await expect(compared).rejects.toThrow(/cannot be compared/)
    expect(existsSync(join(folder, 'compared'))).toBe(false)
  })
})
