// The recipes of the starters: what `npm run starters` trains is what the package says of them.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { recipes } from '../../scripts/starters/recipes.mjs'
import { openClip } from '../../src/clips/source.ts'
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { openModel } from '../../src/model/open-model.ts'
import { motionConfigSchema } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { starters } from '../../src/run/starters.ts'
import { tiedPoints } from '../../src/synthetic/made-clips.ts'
import { resolveConfig } from '../../src/train/config.ts'
import { Random } from '../../src/util/random.ts'

test('there is one for each starter', () => {
  expect(Object.keys(recipes).sort()).toEqual(starters.map(({ name }) => name).sort())
})

test.each(starters)('$name is trained at its size, on seeds that are not kept aside', ({ name, size }) => {
  for (const { clips, options, from } of recipes[name]!) {
    const model = motionConfigSchema.parse(options.model)
    expect(resolveConfig(clips, { out: 'x', ...options } as never).training.clips).toEqual(clips)
    expect(model.keypoints).toBeGreaterThanOrEqual(tiedPoints[options.tie].length)
    for (const clip of clips) {
      const [, seed, pixels] = /^(?:head|puppet):(\d+),.*\bsize=(\d+)/.exec(clip)!
      expect(Number(seed)).toBeLessThan(100_001)
      expect(Number(pixels)).toBe(model.size)
    }
    expect(
      from === undefined || recipes[from.split('/')[0]!]!.some((one) => from.endsWith(`/${one.name}`)),
    ).toBe(true)
  }
  expect(motionConfigSchema.parse(recipes[name]!.at(-1)!.options.model).size).toBe(size)
})

/** Parameters of a stage's model and their shapes. */
function shapesOf(starter: string, stage: string): Map<string, readonly number[]> {
  const { options } = recipes[starter]!.find(({ name }) => name === stage)!
  const model = motionConfigSchema.parse(options.model)
  const all = [...parametersOf(detectorGraph(model)), ...parametersOf(generatorGraph(model))]
  return new Map(all.map(({ name, shape }) => [name, shape]))
}

test('what is learned at 128x128 fits at 256x256: detector and motion have the same weights', () => {
  // The Gaussian that scales pictures down is fixed, and has a width for each size.
  const moving = (shapes: Map<string, readonly number[]>) =>
    new Map(
      [...shapes].filter(([name]) => /^kp_detector|dense_motion/.test(name) && !/down\.weight$/.test(name)),
    )
  const found = moving(shapesOf('face', 'expression'))
  expect(found.size).toBeGreaterThan(60)
  expect(found).toEqual(moving(shapesOf('face-small', 'motion')))
})

/** A run of a stage with random weights, and what `more-keypoints.mjs` makes of it. */
async function widened(folder: string, stage: string, tie: string, next: string) {
  const { options } = recipes.face!.find(({ name }) => name === stage)!
  const model = motionConfigSchema.parse(options.model)
  const [run, out] = [join(folder, 'run'), join(folder, 'out')]
  mkdirSync(run)
  writeFileSync(join(run, 'config.json'), JSON.stringify({ model, training: { tie: options.tie } }))
  const all = [...parametersOf(detectorGraph(model)), ...parametersOf(generatorGraph(model))]
  await writeSafetensors(join(run, 'weights.safetensors'), initialise(all, new Random(1)))
  const script = fileURLToPath(new URL('../../scripts/starters/more-keypoints.mjs', import.meta.url))
  execFileSync(process.execPath, [script, run, out, tie], { stdio: 'pipe' })
  const { tensors } = await readSafetensors(join(out, 'weights.safetensors'))
  const made = new Map([...tensors].map(([name, { shape }]) => [name, shape]))
  expect(made).toEqual(shapesOf('face', next))
  const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))
  expect(config.training.tie).toBe(tie)
  const { keypoints, denseMotion } = recipes.face!.find(({ name }) => name === next)!.options.model as {
    keypoints: number
    denseMotion: object
  }
  expect(config.model.keypoints).toBe(keypoints)
  expect(config.model.denseMotion).toMatchObject(denseMotion)
  return { run, tensors }
}

test('irises fit the model of the stage that begins with them, and leave motion and other keypoints as they were', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-starters-'))
  try {
    const { run, tensors } = await widened(folder, 'mouth', 'gaze', 'gaze')
    const before = (await readSafetensors(join(run, 'weights.safetensors'))).tensors
    for (const [name, { data }] of before) {
      const now = tensors.get(name)!.data
      if (!name.startsWith('kp_detector.') || now.length === data.length) expect(now, name).toEqual(data)
      else {
        const each = data.length / 33
        expect(now.slice(0, 29 * each), name).toEqual(data.slice(0, 29 * each))
        expect(now.slice(31 * each), name).toEqual(data.slice(29 * each))
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('more keypoints fit the model of the stage that begins with them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-starters-'))
  try {
    const { run, tensors } = await widened(folder, 'more', 'head', 'head')
    const before = await readSafetensors(join(run, 'weights.safetensors'))
    const of = (file: typeof before, name: string) => Array.from(file.tensors.get(name)!.data, Number)
    const bias = 'generator.dense_motion_network.mask.bias'
    const kept = of({ ...before, tensors }, bias)
    expect(kept.slice(0, 17)).toEqual(of(before, bias).slice(0, 17))
    expect(kept.slice(17, 30)).toEqual(new Array(13).fill(0))
    expect(kept.slice(30)).toEqual(of(before, bias).slice(17))
    const mask = 'generator.dense_motion_network.mask.weight'
    const rowOf = (file: typeof before, row: number) => {
      const { shape, data } = file.tensors.get(mask)!
      const size = data.length / shape[0]!
      return Array.from(data, Number).slice(row * size, row * size + 16 * 9)
    }
    // Columns of features are the same; the row of a motion goes with its keypoint.
    for (const [now, then] of [
      [0, 0],
      [1, 1],
      [16, 16],
      [30, 17],
      [33, 20],
    ] as const) {
      expect(rowOf({ ...before, tensors }, now)).toEqual(rowOf(before, then))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a model whose channels are mixed paints nearly the same with fewer of them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-mix-'))
  try {
    const out = join(folder, 'mixed')
    const script = fileURLToPath(new URL('../../scripts/starters/mix.mjs', import.meta.url))
    const said = execFileSync(process.execPath, [script, 'puppet', out, '48', '3'], { stdio: 'pipe' })
    expect(Number(/^84 channels as 48: (\S+)% is lost$/m.exec(String(said))![1])).toBeLessThan(8)
    const frames: Uint8Array[] = []
    const clip = await openClip('puppet:100007,frames=2,size=128,rate=2')
    for await (const { data } of clip.frames()) frames.push(data.slice())
    await clip.close()
    const pictures: Uint8Array[] = []
    for (const name of ['puppet', out]) {
      const model = await openModel(name, { device: 'cpu' })
      const { mixed, colours } = model.config.denseMotion
      expect([mixed, colours]).toEqual(name === out ? [48, 2] : [undefined, undefined])
      const [source, driving] = [await model.detect(frames[0]!), await model.detect(frames[1]!)]
      pictures.push(await model.generate(frames[0]!, source, driving))
      await model.close()
    }
    const [before, after] = pictures as [Uint8Array, Uint8Array]
    const squares = before.reduce((sum, value, i) => sum + (value - after[i]!) ** 2, 0) / before.length
    expect(squares).toBeGreaterThan(0)
    expect(Math.sqrt(squares)).toBeLessThan(2.5)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a mean of two runs takes new keypoints from the second as they are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-mean-'))
  try {
    const names = [
      'kp_detector.kp.weight',
      'kp_detector.predictor.a',
      'generator.dense_motion_network.a',
      'generator.a',
    ]
    const make = async (name: string, value: number) => {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, 'config.json'), JSON.stringify({ model: { keypoints: 4 } }))
      const tensor = { dtype: 'float32', shape: [4, 2], data: new Float32Array(8).fill(value) } as const
      await writeSafetensors(
        join(folder, name, 'weights.safetensors'),
        new Map(names.map((one) => [one, tensor])),
      )
      return join(folder, name)
    }
    const [before, run, out] = [await make('before', 0), await make('run', 1), join(folder, 'out')]
    const script = fileURLToPath(new URL('../../scripts/starters/mean.mjs', import.meta.url))
    execFileSync(process.execPath, [script, before, run, '0.25,0.5,0.75', out, '1-2'], { stdio: 'pipe' })
    const { tensors } = await readSafetensors(join(out, 'weights.safetensors'))
    const [rows, ...others] = names.map((name) => Array.from(tensors.get(name)!.data, Number))
    expect(rows).toEqual([0.25, 0.25, 1, 1, 1, 1, 0.25, 0.25])
    expect(others.map((values) => [...new Set(values)])).toEqual([[0.25], [0.5], [0.75]])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
