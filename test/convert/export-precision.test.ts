import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as ort from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { planDetector } from '../../src/compress/eight-bits.ts'
import { exportFolder } from '../../src/convert/export-folder.ts'
import { toPlanes } from '../../src/model/keypoint-detector.ts'
import { TensorProto_DataType as OnnxType } from '../../src/onnx/generated/onnx_pb.ts'
import { decodeModel } from '../../src/onnx/import/decode.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { InputError } from '../../src/util/errors.ts'
import { randomKeypoints, randomRun, scratch } from '../animate/support.ts'

const at = scratch()
/** A trained model: its keypoints depend on the picture. */
const puppet = fileURLToPath(new URL('../../assets/starters/puppet', import.meta.url))
const picture = stillPuppet({ seed: 5, size: 64 }).data

/** The keypoints that a file finds in ONNX Runtime alone, without pantin. */
async function found(path: string, size = 64): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(path, { logSeverityLevel: 4 })
  const results = await session.run({ frame: tensorOf(stillPuppet({ seed: 5, size }).data, size) })
  await session.release()
  return results.value!.data as Float32Array
}

/** What a generator makes of a puppet and random keypoints. */
async function moved(path: string): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(path, { logSeverityLevel: 4 })
  const feeds = session.inputMetadata.map((port) => {
    if (!port.isTensor) throw new Error(`${port.name} is no tensor`)
    const shape = port.shape.map(Number)
    if (port.name === 'source')
      return [port.name, tensorOf(stillPuppet({ seed: 5, size: shape[2]! }).data, shape[2]!)]
    const { value, jacobian } = randomKeypoints(port.name.endsWith('Source') ? 1 : 2, shape[1]!)
    const data = port.name.startsWith('jacobian') ? jacobian! : value.map((x) => x / 4)
    return [port.name, new ort.Tensor('float32', data, shape)]
  })
  const { prediction } = await session.run(Object.fromEntries(feeds))
  await session.release()
  return prediction!.data as Float32Array
}

function tensorOf(pixels: Uint8Array, size: number): ort.Tensor {
  const { data, shape } = toPlanes(pixels, size)
  return new ort.Tensor('float32', data, shape)
}

const farthest = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))

const storedTypes = (path: string) => {
  const { initializer } = decodeModel(readFileSync(path)).graph
  return new Set(
    initializer.filter(({ dims }) => dims.length === 4).map(({ dataType }) => OnnxType[dataType]),
  )
}

describe('an exported detector', () => {
  test('in half precision is half as large, and finds the same', async () => {
    const run = await randomRun(at('run'), { generator: false })
    const [full, half] = [at('full.onnx'), at('half.onnx')]
    const { bytes } = await exportFolder(run, full)
    const written = await exportFolder(run, half, { precision: 'fp16' })
    expect(written.bytes).toBeLessThan(0.6 * bytes)
    expect(storedTypes(half)).toContain('FLOAT16')
    const distance = farthest(await found(full), await found(half))
    expect(distance).toBeGreaterThan(0)
    expect(distance).toBeLessThan(1e-3)
    // pantin reads such files too.
    const { weights } = fromOnnx(readFileSync(half))
    expect(weights.size).toBe(fromOnnx(readFileSync(full)).weights.size)
  })

  test('in a graph of half precision is near, and keeps heads and all that follows them in 32 bits', async () => {
    const [full, half] = [at('float.onnx'), at('graph.onnx')]
    const { bytes } = await exportFolder(puppet, full)
    const written = await exportFolder(puppet, half, { precision: 'fp16-graph' })
    expect(written.bytes).toBeLessThan(0.6 * bytes)
    const distance = farthest(await found(full, 128), await found(half, 128))
    expect(distance).toBeGreaterThan(0)
    expect(distance).toBeLessThan(1e-3)
    const { node, initializer, input, output } = decodeModel(readFileSync(half)).graph
    const types = new Map(initializer.map(({ name, dataType }) => [name, OnnxType[dataType]]))
    const kernels = node.filter(({ opType }) => opType === 'Conv').map(({ input }) => types.get(input[1]!))
    expect(kernels.filter((type) => type === 'FLOAT16').length).toBeGreaterThan(10)
    expect(kernels).toContain('FLOAT')
    for (const { type } of [...input, ...output]) {
      expect(type!.value.case === 'tensorType' && type!.value.value.elemType).toBe(OnnxType.FLOAT)
    }
    // Nothing between the last product and the softmax, or behind it, is in 16 bits.
    const halves = new Set<string>()
    for (const { opType, input, output, attribute } of node) {
      const to = attribute.find(({ name }) => name === 'to')?.i
      const reads = input.some((name) => halves.has(name) || types.get(name) === 'FLOAT16')
      if (opType === 'Softmax') expect(reads).toBe(false)
      if (opType === 'Cast' ? Number(to) === OnnxType.FLOAT16 : reads)
        for (const name of output) halves.add(name)
    }
    expect(halves.size).toBeGreaterThan(10)
    expect(output.filter(({ name }) => halves.has(name))).toEqual([])
  })

  test('in half precision gives the pictures of the whole generator', async () => {
    const options = { part: 'generator', precision: 'fp16-graph' } as const
    await exportFolder(puppet, at('pictures.onnx'), { part: 'generator' })
    await exportFolder(puppet, at('pictures-half.onnx'), options)
    const [whole, half] = [await moved(at('pictures.onnx')), await moved(at('pictures-half.onnx'))]
    const far = whole.reduce((most, x, i) => Math.max(most, Math.abs(x - half[i]!)), 0)
    expect(far).toBeGreaterThan(0)
    expect(far).toBeLessThan(5e-3)
  })

  test('in eight bits computes in them outside of pantin', async () => {
    const run = await randomRun(at('eight'), { generator: false })
    await exportFolder(run, at('whole.onnx'))
    await expect(exportFolder(run, at('none.onnx'), { precision: 'int8' })).rejects.toThrow(InputError)
    const plan = await planDetector(run, ['puppet:1'], { frames: 3, maxDistance: 1, crop: 'middle' })
    const written = await exportFolder(run, at('eight.onnx'), { precision: 'int8', plan })
    expect(storedTypes(at('eight.onnx'))).toContain('INT8')
    expect(written.ops).toBeGreaterThan(0)
    const distance = farthest(await found(at('whole.onnx')), await found(at('eight.onnx')))
    expect(distance).toBeGreaterThan(1e-6)
    expect(distance).toBeLessThan(0.1)
    const wrong = exportFolder(run, at('large.onnx'), { precision: 'int8', plan, input: [1, 3, 96, 96] })
    await expect(wrong).rejects.toThrow(/another graph/)
    // Pictures of bytes.
    await exportFolder(run, at('bytes.onnx'), { precision: 'int8', plan, frame: 'uint8' })
    const session = await ort.InferenceSession.create(at('bytes.onnx'), { logSeverityLevel: 4 })
    const frame = new ort.Tensor('uint8', picture, [1, 64, 64, 3])
    const { value } = await session.run({ frame })
    expect(farthest(value!.data as Float32Array, await found(at('eight.onnx')))).toBeLessThan(1e-3)
    await session.release()
  })
})
