import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportFolder } from '../../src/convert/export-folder.ts'
import { importCheckpoint } from '../../src/convert/import-checkpoint.ts'
import { parametersOfNetwork } from '../../src/convert/network-folder.ts'
import { bytesOf } from '../../src/formats/safetensors/header.ts'
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, type Shape, type Tensor } from '../../src/graph/tensor.ts'
import { loadRun } from '../../src/model/open-model.ts'
import { publishedConfig } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { createSession, evaluate } from '../../src/runtime/node.ts'
import { FormatError, InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { networkGraph } from '../../src/zoo/registry.ts'
import { noise } from '../zoo/build.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pantin-import-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

/** Comparing a million numbers one by one would take seconds. */
const sameBits = (a: Tensor, b: Tensor) => Buffer.from(bytesOf(a)).equals(bytesOf(b))

/** A checkpoint of a network under other names. */
async function checkpoint(
  name: string,
  weights: ReadonlyMap<string, Tensor>,
  rename: (name: string) => string | undefined = (name) => name,
): Promise<string> {
  const renamed = Array.from(weights, ([key, value]) => [rename(key), value] as const)
  const kept = renamed.filter((entry): entry is [string, Tensor] => entry[0] !== undefined)
  await writeSafetensors(at(name), new Map(kept))
  return at(name)
}

const lednet = (outputs: number, shape = [1, 3, 64, 64]) =>
  networkGraph('lednet', { outputs, shape, dilations: 'published' }).graph
const weightsOf = (outputs: number) =>
  initialise(parametersOfNetwork({ net: 'lednet', outputs, dilations: 'published' }), new Random(outputs))

it('stops with the reason of a signal, and writes nothing', async () => {
  const signal = AbortSignal.abort(new Error('enough'))
  const file = await checkpoint('stopped.safetensors', weightsOf(7))
  const stopped = importCheckpoint(file, { net: 'lednet', outputs: 7, out: at('stopped'), signal })
  await expect(stopped).rejects.toThrow('enough')
  await importCheckpoint(file, { net: 'lednet', outputs: 7, out: at('imported') })
  await expect(exportFolder(at('imported'), at('stopped.onnx'), { signal })).rejects.toThrow('enough')
  const names = await readdir(folder)
  expect(names).not.toContain('stopped')
  expect(names).not.toContain('stopped.onnx')
})

it('never replaces the folder that the checkpoint is in', async () => {
  const file = await checkpoint('own.safetensors', weightsOf(7))
  await importCheckpoint(file, { net: 'lednet', outputs: 7, out: at('own') })
  const again = importCheckpoint(at('own/weights.safetensors'), {
    net: 'lednet',
    outputs: 7,
    out: at('own'),
    force: true,
  })
  await expect(again).rejects.toThrow(/would replace a file of the input/)
})

describe('a network', () => {
  it('computes after import and export what its checkpoint computes, at the size and batch asked for', async () => {
    const weights = weightsOf(7)
    const file = await checkpoint('module.safetensors', weights, (name) => `module.${name}`)
    const made = await importCheckpoint(file, { net: 'lednet', outputs: 7, out: at('whole') })
    expect(made).toMatchObject({ kind: 'network', from: 'module', fresh: [], ignored: [] })
    expect(made.taken).toBe(weights.size)

    const written = await exportFolder(at('whole'), at('whole.onnx'), { input: [2, 3, 96, 160] })
    expect(written).toMatchObject({ part: 'network', outputs: { output: [2, 7, 96, 160] } })
    const bytes = await exportFolder(at('whole'), at('bytes.onnx'), { frame: 'uint8' })
    expect(bytes.inputs).toEqual({ image: [1, 64, 64, 3] })
    const { readFile } = await import('node:fs/promises')
    const session = await createSession(await readFile(at('whole.onnx')), { device: 'cpu' })
    const image = noise([2, 3, 96, 160], 1)
    const { output } = await session.run({ image })
    await session.close()
    const expected = await evaluate(lednet(7, [2, 3, 96, 160]), { image }, weights)
    expect(sameBits(output!, expected.output!)).toBe(true)
  })

  it('keeps published dilations, unless told to clip them', async () => {
    const file = await checkpoint('dilated.safetensors', weightsOf(3))
    const image = noise([1, 3, 64, 64], 1)
    const results = []
    for (const dilations of ['published', 'clipped'] as const) {
      await importCheckpoint(file, { net: 'lednet', outputs: 3, out: at(dilations), dilations })
      await exportFolder(at(dilations), at(`${dilations}.onnx`))
      const { readFile } = await import('node:fs/promises')
      const session = await createSession(await readFile(at(`${dilations}.onnx`)), { device: 'cpu' })
      results.push((await session.run({ image })).output!)
      await session.close()
    }
    const expected = await evaluate(lednet(3), { image }, weightsOf(3))
    expect(sameBits(results[0]!, expected.output!)).toBe(true)
    expect(sameBits(results[1]!, expected.output!)).toBe(false)
  })

  it('says how many outputs a checkpoint has, where others were asked for', async () => {
    const file = await checkpoint('outputs.safetensors', weightsOf(7))
    const failed = importCheckpoint(file, { net: 'lednet', out: at('none') })
    await expect(failed).rejects.toThrow(InputError)
    await expect(failed).rejects.toThrow('add --outputs 7')
    await expect(readdir(at('none'))).rejects.toThrow('ENOENT')
  })

  it('takes a part of the weights only where it is told to', async () => {
    const isEncoder = (name: string) => name.startsWith('layers.') || name.startsWith('initial_block.')
    const weights = weightsOf(10)
    const file = await checkpoint('encoder.safetensors', weights, (name) =>
      isEncoder(name) ? name : undefined,
    )
    const options = { net: 'lednet', out: at('partial') }
    await expect(importCheckpoint(file, options)).rejects.toThrow('add --partial')
    const made = await importCheckpoint(file, { ...options, partial: true })
    const decoder = [...weights.keys()].filter((name) => !isEncoder(name))
    expect(made.fresh).toEqual(decoder)
    const { tensors } = await readSafetensors(join(at('partial'), 'weights.safetensors'))
    for (const [name, value] of tensors) {
      expect(value.data.every(Number.isFinite)).toBe(true)
      if (isEncoder(name)) expect(sameBits(value, weights.get(name)!), name).toBe(true)
    }
  })

  it('refuses a checkpoint of something else, and numbers that are not finite', async () => {
    const other = await checkpoint('other.safetensors', new Map([['a.weight', floats([1], [1])]]))
    await expect(importCheckpoint(other, { net: 'lednet', out: at('other') })).rejects.toThrow(
      'no tensor of the file is a parameter of lednet',
    )
    const broken = weightsOf(10)
    broken.get('initial_block.bn.bias')!.data[0] = Number.NaN
    const file = await checkpoint('nan.safetensors', broken)
    await expect(importCheckpoint(file, { net: 'lednet', out: at('nan') })).rejects.toThrow(FormatError)
    await expect(readdir(at('nan'))).rejects.toThrow('ENOENT')
  })

  it('is told from a motion model by who opens it', async () => {
    const file = await checkpoint('kind.safetensors', weightsOf(10))
    await importCheckpoint(file, { net: 'lednet', out: at('kind') })
    await expect(loadRun(at('kind'))).rejects.toThrow('the plain network lednet')
    await expect(exportFolder(at('kind'), at('kind.onnx'), { part: 'generator' })).rejects.toThrow('no parts')
  })
})

describe('a First Order Motion Model', () => {
  const small = { ...publishedConfig, size: 64, keypoints: 4 }
  const config = {
    ...small,
    detector: { ...small.detector, hourglass: { blockExpansion: 4, maxFeatures: 12, blocks: 2 } },
    denseMotion: { ...small.denseMotion, blockExpansion: 4, maxFeatures: 12, blocks: 2, scaleFactor: 0.5 },
    generator: { ...small.generator, blockExpansion: 4, maxFeatures: 8, bottleneckBlocks: 1 },
  }
  const parameters = [...parametersOf(detectorGraph(config)), ...parametersOf(generatorGraph(config))]
  const weights = initialise(parameters, new Random(2))

  it('shows its configuration in its weights', async () => {
    const file = await checkpoint('fomm.safetensors', weights)
    const made = await importCheckpoint(file, { net: 'hourglass', out: at('fomm'), size: 64 })
    expect(made).toMatchObject({ kind: 'motion model', outputs: 4, taken: weights.size, ignored: [] })
    const run = await loadRun(at('fomm'))
    expect(run.config).toEqual(config)
    expect(new Map(run.weights)).toEqual(weights)
    expect(await exportFolder(at('fomm'), at('g.onnx'), { part: 'generator' })).toMatchObject({
      outputs: { prediction: [1, 3, 64, 64] },
    })
  })

  it('of which a kill left no weights names what import can do', async () => {
    const file = await checkpoint('killed.safetensors', weights)
    const options = { net: 'hourglass', out: at('killed'), size: 64 }
    await importCheckpoint(file, options)
    await rm(join(at('killed'), 'weights.safetensors'))
    const remedies = [importCheckpoint(file, options), loadRun(at('killed'))].map((failing) =>
      failing.then(
        () => '',
        (error: unknown) => String(error),
      ),
    )
    for (const remedy of await Promise.all(remedies)) {
      expect(remedy).toContain('--force')
      expect(remedy).not.toContain('--resume')
    }
  })

  it.each<[string, object]>([
    ['outputs 5', { outputs: 5 }],
    ['partial', { partial: true }],
    ['dilations clipped', { dilations: 'clipped' }],
  ])('is not imported with %s, which the file decides', async (got, more) => {
    const file = await checkpoint('decided.safetensors', weights)
    const options = { net: 'hourglass', out: at('decided'), size: 64 }
    await expect(importCheckpoint(file, { ...options, ...more })).rejects.toThrow(`got:      ${got}\n`)
    expect(await readdir(folder)).not.toContain('decided')
    await importCheckpoint(file, {
      ...options,
      out: at('as decided'),
      outputs: 4,
      dilations: 'published',
      force: true,
    })
  })

  it('may be a detector alone, which exports at any size', async () => {
    const rename = (name: string) =>
      name.startsWith('kp_detector.') ? name.replace('kp_detector.', 'module.') : undefined
    const file = await checkpoint('detector.safetensors', weights, rename)
    const made = await importCheckpoint(file, { net: 'hourglass', out: at('detector') })
    expect(made).toMatchObject({ kind: 'motion model', outputs: 4, from: 'module' })
    const written = await exportFolder(at('detector'), at('d.onnx'), { input: [2, 3, 128, 192] })
    expect(written.outputs).toEqual({ value: [2, 4, 2], jacobian: [2, 4, 2, 2] })
    // Nothing is missing, and training it again would change nothing.
    await expect(exportFolder(at('detector'), at('x.onnx'), { part: 'generator' })).rejects.toThrow(
      /a detector alone, and no generator .*--init RUN/s,
    )
  })

  it('is refused where a part of it is missing', async () => {
    const file = await checkpoint('cut.safetensors', weights, (name) =>
      name === 'kp_detector.predictor.decoder.up_blocks.1.norm.bias' ? undefined : name,
    )
    const failed = importCheckpoint(file, { net: 'hourglass', out: at('cut') })
    await expect(failed).rejects.toThrow('kp_detector.predictor.decoder.up_blocks.1.norm.bias')
  })

  it.each<[string, Record<string, Shape>]>([
    ['empty axes', { 'kp.weight': [10, 0], 'predictor.encoder.down_blocks.0.conv.weight': [1, 0] }],
    ['no axes', { 'kp.weight': [], 'predictor.encoder.down_blocks.0.conv.weight': [] }],
    [
      'a trillion keypoints',
      {
        'kp.weight': [1e12, 0],
        'predictor.encoder.down_blocks.0.conv.weight': [64, 0],
        'predictor.decoder.up_blocks.0.conv.weight': [64, 0],
      },
    ],
    ['no keypoints', { 'first.conv.weight': [0, 0, 8], 'dense_motion_network.mask.weight': [0, 0, 8] }],
  ])('is refused where its shapes claim %s', async (_, shapes) => {
    const empty = (shape: Shape) => floats(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)
    const sized = Object.entries(shapes).map(([name, shape]) => [name, empty(shape)] as const)
    const file = await checkpoint('claims.safetensors', new Map(sized))
    const failed = importCheckpoint(file, { net: 'hourglass', out: at('claims') })
    await expect(failed).rejects.toThrow(FormatError)
    await expect(failed).rejects.toThrow('no motion model')
  })

  it.each([[1, 3, 999984, 999984] as const, [65536, 3, 64, 64] as const])(
    'exports for no more and no larger pictures than memory holds: %d, %d, %d, %d',
    async (...input) => {
      const file = await checkpoint('large.safetensors', weights)
      const out = at('large')
      await importCheckpoint(file, { net: 'hourglass', out, size: 64, force: true })
      const failed = exportFolder(out, at('large.onnx'), { input })
      await expect(failed).rejects.toThrow(InputError)
      await expect(failed).rejects.toThrow('too many or too large')
    },
  )
})
