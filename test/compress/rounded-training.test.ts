import { expect, test } from 'vitest'
import { takeFrames } from '../../src/compress/measure.ts'
import { trainRounded } from '../../src/compress/rounded-training.ts'
import { loadRun } from '../../src/model/open-model.ts'
import { randomRun, scratch } from '../animate/support.ts'

const at = scratch()
const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length

test('training with rounding brings the detector nearer to what it finds in float', async () => {
  const run = await loadRun(await randomRun(at('run'), { generator: false }))
  const { calibration } = await takeFrames(['puppet:1'], run, { frames: 4, holdout: 0.3 })
  const losses: number[] = []
  const settings = { steps: 24, batch: 2, method: 'minmax', rate: 1e-3 } as const
  const trained = await trainRounded(run, calibration, {
    ...settings,
    kinds: new Set(['conv', 'relu', 'add']),
    onStep: (_, loss) => losses.push(loss),
  })
  expect(losses).toHaveLength(24)
  expect(losses[0]).toBeGreaterThan(0)
  expect(mean(losses.slice(-6))).toBeLessThan(0.9 * mean(losses.slice(0, 6)))
  expect([...trained.weights.keys()]).toEqual([...run.weights.keys()])
  const changed = [...run.weights].filter(([name, { data }]) => trained.weights.get(name)!.data !== data)
  expect(changed.length).toBeGreaterThan(10)
  expect(changed.map(([name]) => name).filter((name) => name.includes('running'))).toEqual([])

  const stopped = trainRounded(run, calibration, {
    ...settings,
    kinds: new Set(['conv']),
    signal: AbortSignal.abort(new Error('enough')),
  })
  await expect(stopped).rejects.toThrow('enough')
})
