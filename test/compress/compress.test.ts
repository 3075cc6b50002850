import { existsSync, readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { calibrate, openPlanned, planOf, Ranges } from '../../src/compress/calibration.ts'
import { type CompressOptions, compress, withdrawFarParts } from '../../src/compress/compress.ts'
import { planDetector, searchEightBits, slowerParts } from '../../src/compress/eight-bits.ts'
import {
  differenceOf,
  Judge,
  referenceOf,
  seeAll,
  takeFrames,
  withoutGenerator,
} from '../../src/compress/measure.ts'
import { noticesOf, settingsOf } from '../../src/compress/options.ts'
import { type PruneOptions, prune } from '../../src/compress/prune.ts'
import { readSafetensorsHeader } from '../../src/formats/safetensors/safetensors.ts'
import type { EightBitPlans } from '../../src/model/loaded-run.ts'
import { openDetector } from '../../src/model/open-detector.ts'
import { loadRun, openModel } from '../../src/model/open-model.ts'
import { eightBitCandidates } from '../../src/optimise/eight-bits.ts'
import { createRun } from '../../src/run/run.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { InputError } from '../../src/util/errors.ts'
import { randomRun, scratch } from '../animate/support.ts'
import { untrained } from './pruned-network.ts'

const at = scratch()
const few = { frames: 4, crop: 'middle' } as const
const picture = stillPuppet({ seed: 5, size: 64 }).data

/** Everything that can compute in eight bits does, whether it pays or not. */
async function everything(run: string): Promise<EightBitPlans> {
  const loaded = await loadRun(run)
  const { calibration } = await takeFrames(['puppet:1'], loaded, { frames: 4, holdout: 0.3 })
  const parts = await calibrate(loaded, (model) => seeAll(model, calibration))
  expect(parts.map(({ part }) => part).sort()).toEqual(['detector', 'frame', 'source'])
  return Object.fromEntries(
    parts.map((one) => {
      const ops = new Set(eightBitCandidates(one.network.graph))
      return [one.part, planOf(one, new Ranges(one.histograms), { ops, method: 'minmax', largestWeight: 63 })]
    }),
  )
}

test('frames to measure on are not those to calibrate on', async () => {
  const run = await loadRun(await randomRun(at('frames')))
  const sets = await takeFrames(['puppet:1'], run, { frames: 6, holdout: 0.3 })
  const keys = (set: (typeof sets)['measured']) =>
    set.flatMap(({ frames }) => frames.map((frame) => Buffer.from(frame).toString('base64')))
  expect(keys(sets.calibration)).toHaveLength(6)
  expect(keys(sets.measured)).toHaveLength(6)
  expect(keys(sets.measured).filter((key) => keys(sets.calibration).includes(key))).toEqual([])
})

test('a run in eight bits opens as any other, on a CPU alone, and is near the original', async () => {
  const original = await randomRun(at('run'))
  const loaded = await loadRun(original)
  const write = async (compression?: object) => {
    const config = { model: loaded.config, training: { fit: 'crop' }, ...(compression && { compression }) }
    const run = await createRun(at('rounded'), { config, version: '0.1.0', force: true })
    await run.saveWeights(loaded.weights, new Map(), { floats: 'F16' })
    run.close()
  }
  await write()
  await write({ device: 'cpu', eightBits: await everything(at('rounded')) })

  await using float = await openModel(original, { device: 'cpu' })
  await using rounded = await openModel(at('rounded'), { device: 'cpu' })
  await using asked = await openModel(at('rounded'), { device: 'cpu', eightBits: false })
  const [a, b, c] = [await float.detect(picture), await rounded.detect(picture), await asked.detect(picture)]
  expect(rounded.eightBits).toEqual(['detector'])
  await rounded.encode(picture)
  expect([...rounded.eightBits].sort()).toEqual(['detector', 'frame', 'source'])
  expect([float.eightBits, asked.eightBits]).toEqual([[], []])
  const far = (x: Float32Array, y: Float32Array) => Math.max(...x.map((v, i) => Math.abs(v - y[i]!)))
  expect(far(a.value, b.value)).toBeGreaterThan(1e-5)
  expect(far(a.value, b.value)).toBeLessThan(0.1)
  expect(far(a.value, c.value)).toBeLessThan(far(a.value, b.value))

  await using detector = await openDetector(at('rounded'), { device: 'cpu' })
  expect((await detector.detect(picture)).value).toEqual(b.value)
})

test('a plan for another graph is left alone', async () => {
  const original = await randomRun(at('other'))
  const { detector } = await everything(original)
  const loaded = await loadRun(original)
  await using model = await openPlanned(loaded, { detector: { ...detector!, graph: '00000000' } })
  expect(model.eightBits).toEqual([])
})

test('pictures and keypoints are compared with those of the original', async () => {
  const loaded = await loadRun(await randomRun(at('compared')))
  const { measured } = await takeFrames(['puppet:1'], loaded, { frames: 2, holdout: 0.3 })
  await using model = await openPlanned(loaded, {})
  const reference = await referenceOf(model, measured)
  expect(await differenceOf(model, reference, 'all')).toEqual({
    distance: 0,
    jacobian: 0,
    psnrLoss: 0,
    l1: 0,
  })
  await using worse = await openPlanned(loaded, await everything(at('compared')))
  const { distance, l1 } = await differenceOf(worse, reference, 'all')
  expect(distance).toBeGreaterThan(0)
  expect(l1).toBeGreaterThan(0)
})

test('a network that is not faster in eight bits goes back to float, unless only the size counts', async () => {
  const plans = await everything(await randomRun(at('slow')))
  const float = { detector: 2, source: 2, frame: 2 }
  const times = { float, rounded: { detector: 2.1, source: 2, frame: 1.9 } }
  for (const target of ['both', 'latency'] as const) {
    expect(slowerParts(target, plans, times), target).toEqual(['detector', 'source'])
  }
  expect(slowerParts('size', plans, times)).toEqual([])
  const { frame } = plans
  expect(
    slowerParts('both', { frame: frame! }, { float, rounded: { detector: 3, source: 3, frame: 1 } }),
  ).toEqual([])
})

test('a loss that is seen, a limit that is passed, and a target that nothing serves are said', () => {
  const of = (distance: number, kept: boolean, target: 'both' | 'latency' = 'both') =>
    noticesOf({ difference: { distance }, kept }, [], { device: 'wasm', target, maxPrunedDistance: 0.01 })
  expect(of(0.005, true, 'latency')).toEqual([])
  expect(of(0.03, true)).toEqual([expect.stringMatching(/0\.030 from .* 1\.5 % of the picture's width/)])
  expect(of(0.03, false)).toEqual([expect.stringMatching(/left out: .* 0\.030 .* 0\.01 is allowed/)])
  expect(of(0.03, false, 'latency')[1]).toMatch(/nothing .* faster on wasm/)
})

test('eight bits are refused for devices that do not compute in them, and are left out if nothing was asked', () => {
  for (const device of ['wasm', 'webgpu'] as const) {
    expect(() => settingsOf({ device, precision: 'int8' }), device).toThrow(InputError)
    expect(() => settingsOf({ device, precision: 'int8' }), device).toThrow(
      new RegExp(`int8 for ${device}[^]*compress for the device cpu`),
    )
    expect(settingsOf({ device }), device).toMatchObject({ device, precision: 'fp16', target: 'both' })
    expect(settingsOf({ device, precision: 'fp16' }).precision, device).toBe('fp16')
  }
  expect(settingsOf({})).toMatchObject({ device: 'cpu', precision: 'int8' })
  expect(settingsOf({ device: 'cpu', precision: 'int8' }).precision).toBe('int8')
})

test.each([
  ['roundedSteps', { roundedSteps: 5, precision: 'fp16' }, /precision fp16.*take the precision int8/s],
  ['roundedSteps', { roundedSteps: 5, device: 'webgpu' }, /device webgpu.*compress for the device cpu/s],
  ['roundedSteps', { roundedSteps: 5, device: 'wasm' }, /device wasm/],
  ['calibration', { calibration: 'entropy', precision: 'fp16' }, /precision fp16/],
  ['calibration', { calibration: 'mse', device: 'wasm' }, /device wasm/],
  ['pruneBy', { pruneBy: 'taylor' }, /give prune, such as 0\.5/],
  ['pruneSteps', { pruneSteps: 300 }, /give prune/],
  ['maxPrunedDistance', { maxPrunedDistance: 0.1, prune: 0 }, /give prune/],
] as const)('the option %s is refused where it has no effect: %j', async (name, asked, message) => {
  const options = { out: at('idle'), ...asked }
  const refused = compress(at('no-run'), ['puppet:1'], options)
  await expect(refused).rejects.toThrow(InputError)
  await expect(refused).rejects.toThrow(new RegExp(`^${name}: this option is for [^]*leave it out, or `))
  await expect(refused).rejects.toThrow(message)
})

test('the usual values of options are not taken for given ones', () => {
  for (const device of ['cpu', 'wasm', 'webgpu'] as const) {
    expect(settingsOf({ device }), device).toMatchObject({ roundedSteps: 0, pruneSteps: 300, prune: 0 })
    expect(settingsOf({ device, roundedSteps: 0 }).roundedSteps, device).toBe(0)
  }
  const pruned = {
    device: 'webgpu',
    prune: 0.5,
    pruneBy: 'norms',
    pruneSteps: 0,
    maxPrunedDistance: 0.1,
  } as const
  expect(settingsOf(pruned)).toMatchObject({ prune: 0.5, pruneSteps: 0, maxPrunedDistance: 0.1 })
  expect(settingsOf({ roundedSteps: 5, calibration: 'mse' })).toMatchObject({ roundedSteps: 5 })
})

test.each([
  ['device', 'gpu'],
  ['precision', 'int4'],
  ['target', 'foo'],
  ['frames', Number.NaN],
  ['frames', 0],
  ['frames', 2.5],
  ['holdout', 1],
  ['holdout', -1],
  ['threads', -2],
  ['maxDistance', Number.NaN],
  ['prune', 1.5],
])('the option %s is not %s, which is said before any work', async (name, value) => {
  const options = { out: at('none'), [name]: value } as unknown as CompressOptions
  await expect(compress(at('no-run'), ['puppet:1'], options)).rejects.toThrow(new RegExp(`option ${name} .*`))
  expect(existsSync(at('none'))).toBe(false)
})

test.each([
  ['part', 1.5],
  ['by', 'foo'],
  ['steps', -1],
  ['frames', Number.NaN],
  ['holdout', 2],
])('pruning has no option %s of %s', async (name, value) => {
  const options = { out: at('none'), part: 0.5, [name]: value } as unknown as PruneOptions
  await expect(prune(at('no-run'), ['puppet:1'], options)).rejects.toThrow(new RegExp(`option ${name} .*`))
})

test('without times, whole chains of ops are in eight bits, even if a network has no op of some kinds', async () => {
  const run = await untrained(at('chains'))
  const { ops } = await planDetector(run, ['puppet:1'], { maxDistance: 2, calibration: 'minmax', ...few })
  const kinds = new Set(
    ops.map((name) =>
      name
        .split('/')
        .at(-1)!
        .replace(/\.\d+$/, ''),
    ),
  )
  expect([...kinds].sort()).toEqual(['add', 'conv', 'matmul', 'relu', 'resize'])
})

test('a starter, whose file is in half precision already, does not become half as large', async () => {
  const { steps } = await compress('puppet', ['puppet:1'], {
    ...{ out: at('half-again'), device: 'wasm', target: 'latency', ...few },
  })
  const [original, fp16] = steps
  expect(original!.fileBytes).toBe(fp16!.fileBytes)
  expect(fp16!.kept).toBe(true)
  expect(fp16!.what).toContain('as before')
  const sizes = ['assets/starters/puppet', at('half-again')].map(
    (folder) => statSync(`${folder}/weights.safetensors`).size,
  )
  expect(sizes[1]! / sizes[0]!).toBeLessThan(1.02)
  expect(original!.fileBytes / sizes[0]!).toBeCloseTo(1, 1)
  // What its keypoints are is known from the training.
  expect((await loadRun(at('half-again'))).tie).toBe((await loadRun('puppet')).tie)
})

test('of networks that are too far together, those go back to float whose errors are largest', async () => {
  const run = await loadRun(await randomRun(at('far')))
  const sets = await takeFrames(['puppet:1'], run, { frames: 4, holdout: 0.3 })
  const plans = await everything(at('far'))
  const judged = async (maxDistance: number, maxPsnrLoss: number) => {
    const judge = new Judge(sets, settingsOf({ maxDistance, maxPsnrLoss }), undefined)
    const planned = Object.entries(plans).map(([part, plan]) => [part, plan] as const)
    const left = { run, parts: [], plans: Object.fromEntries(planned), verdicts: { detector: 'all' } }
    await withdrawFarParts(judge, await judge.reference(run), left)
    return left
  }
  // Keypoints move by the detector alone.
  const near = await judged(1e-9, 100)
  expect(Object.keys(near.plans).sort()).toEqual(['frame', 'source'])
  expect(near.verdicts).toEqual({
    detector: expect.stringMatching(/together with the others .* times as far/),
  })
  const none = await judged(1e-9, 1e-9)
  expect(Object.keys(none.plans)).not.toContain('detector')
  expect(Object.keys((await judged(1, 100)).plans)).toHaveLength(3)
})

test('if a whole chain of ops is too far, smaller sets of ops are tried as they are', async () => {
  const run = withoutGenerator(await loadRun(await untrained(at('sets'))))
  const sets = await takeFrames(['puppet:1'], run, { frames: 4, holdout: 0.3 })
  const judge = new Judge(sets, settingsOf({}), undefined)
  const parts = await judge.calibrated(run)
  const reference = await judge.reference(run)
  const search = (allows: (difference: { readonly distance: number }) => boolean) =>
    searchEightBits(run, parts[0]!, parts, reference, {
      ...{ largestWeight: 63, timed: false, threads: 1, calibration: 'minmax', allows },
      badness: ({ distance }) => distance,
    })
  const none = await search(() => false)
  expect(none.plan).toBeUndefined()
  const small = none.trials.find(({ what }) => what === 'convolutions, ReLU and sums, minmax')!
  const found = await search(({ distance }) => distance === small.difference!.distance)
  expect(found.verdict).toBe(small.what)
  const kinds = found.plan!.ops.map((name) => name.split('/').at(-1)!.split('.')[0])
  expect([...new Set(kinds)].sort()).toEqual(['add', 'conv', 'relu'])
  // Products stay in float.
  expect(found.floatLayers).toBeGreaterThan(0)
}, 120_000)

// The light generator gives work of each frame to the source, so that the networks are one another's inputs.
test('both networks of the light generator are measured in eight bits', { timeout: 120_000 }, async () => {
  const original = await randomRun(at('light'), { kind: 'light' })
  const options = {
    out: at('eight-light'),
    precision: 'int8',
    target: 'size',
    calibration: 'minmax',
  } as const
  const limits = { maxDistance: 2, maxPsnrLoss: 60 }
  const { trials } = await compress(original, ['puppet:1'], { ...options, ...limits, ...few })
  const parts = trials.flatMap(({ part, difference }) => (difference === null ? [] : [part]))
  expect([...new Set(parts)].sort()).toEqual(['detector', 'frame', 'source'])
  await using model = await openModel(at('eight-light'), { device: 'cpu' })
  await model.encode(picture)
  expect([...model.eightBits].sort()).toEqual(['detector', 'frame', 'source'])
})

test('for other devices than a CPU, weights become half as large and nothing else changes', async () => {
  const original = await randomRun(at('web'))
  const found = await compress(original, ['puppet:1'], { out: at('half'), device: 'wasm', ...few })
  expect(found.steps.map(({ name, kept }) => [name, kept])).toEqual([
    ['original', true],
    ['fp16', true],
  ])
  expect(found.steps[1]!.difference.distance).toBeLessThan(1e-3)
  expect(found.frames).toEqual({ calibration: 4, measured: 4 })
  const { entries } = await readSafetensorsHeader(at('half/weights.safetensors'))
  const types = Array.from(entries.values(), ({ dtype }) => dtype)
  expect(new Set(types)).toEqual(new Set(['F16', 'F32']))
  expect(types.filter((type) => type === 'F16').length).toBeGreaterThan(types.length / 3)
  const config = JSON.parse(readFileSync(at('half/config.json'), 'utf8')) as { compression: unknown }
  expect(config.compression).toEqual({ device: 'wasm', eightBits: {} })
  const eight = { out: at('eight'), device: 'wasm', precision: 'int8', ...few } as const
  await expect(compress(original, ['puppet:1'], eight)).rejects.toThrow(/only CPUs/)
  await expect(compress(original, ['puppet:1'], { out: original, force: true, ...few })).rejects.toThrow(
    InputError,
  )
})
