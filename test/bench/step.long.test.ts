// The part `step` of the bench: its graphs, its floor, and the recorded times of PyTorch.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { stepFloor } from '../../bench/src/step-floor.ts'
import { makeStep, parseStepModel, stepModelName } from '../../bench/src/step-graphs.ts'
import { recordedTorch } from '../../bench/src/torch.ts'

describe('the floor of a step', () => {
  const floor = (what: 'step' | 'detector', macs: number, bytes: number) =>
    stepFloor({ what, net: 'lednet' }, { macs, bytes }).value

  it('is less work over more speed', () => {
    const whole = floor('step', 1e11, 1e10)
    expect(floor('step', 2e11, 2e10)).toBeCloseTo(whole / 2, 9)
    expect(floor('detector', 1e11, 1e10)).toBeLessThan(whole / 3)
    expect(stepFloor({ what: 'step', net: 'lednet' }, { macs: 1e11, bytes: 1e10 }).because).toMatch(
      /^[\d.]+ G multiply-adds .* at 100 G\/s.* MB .* at 10\.0 GB\/s/,
    )
  })
})

it('steps have the batch and the size that are asked for', () => {
  const { inputs, model, training } = makeStep({ what: 'step', net: 'lednet', batch: 2, size: 32 })
  expect([inputs.frames!.shape, model.size, training.batch]).toEqual([[4, 32, 32, 3], 32, 2])
  const alone = makeStep({ what: 'detector', net: 'lednet', batch: 3 })
  expect(alone.inputs.value!.shape).toEqual([3, 10, 2])
})

it('models of steps have names', () => {
  const named = (text: string) => stepModelName(parseStepModel(text))
  expect(['lednet', 'ficelle:light', ' ficelle:light:128'].map(named)).toEqual([
    'lednet',
    'ficelle.light64',
    'ficelle.light128',
  ])
  for (const text of ['ficelle:tiny', 'ficelle:light:x', 'ficelle:light:128:2', 'nothing']) {
    expect(() => parseStepModel(text), text).toThrow()
  }
  expect(makeStep({ what: 'step', ...parseStepModel('ficelle:light:128'), batch: 1 }).model).toMatchObject({
    ...{ net: 'ficelle', size: 128, generator: { kind: 'light' } },
  })
  expect(() => makeStep({ what: 'step', net: 'lednet', generator: 'published' })).toThrow(/another network/)
})

it('what is recorded of PyTorch stands in the results', () => {
  const file = readFileSync(new URL('../../bench/results/step.csv', import.meta.url), 'utf8')
  // Names and numbers come before the first text with a comma.
  const rows = file
    .split('\r\n')
    .map((line) => /^([^,]+),[^,]*,[^,]*,"PyTorch ([^ ]+),[^"]*",([^,]+),/.exec(line))
  const found = new Map(rows.flatMap((row) => (row === null ? [] : [[row[1], row[3]] as const])))
  const recorded = Object.entries(recordedTorch.steps).flatMap(([net, { step, detector }]) =>
    [[`step.${net}`, step] as const, [`step.${net}.detector`, detector] as const].flatMap(
      ([name, measured]) =>
        measured === undefined
          ? []
          : [
              [`${name}.time`, String(measured.time)],
              [`${name}.memory`, String(measured.memory)],
            ],
    ),
  )
  expect([...found]).toEqual(recorded)
  expect(new Set(rows.flatMap((row) => row?.[2] ?? []))).toEqual(new Set([recordedTorch.version]))
})
