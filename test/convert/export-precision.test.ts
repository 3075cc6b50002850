import { readFileSync } from 'node:fs'
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
import { randomRun, scratch } from '../animate/support.ts'

const at = scratch()
const picture = stillPuppet({ seed: 5, size: 64 }).data

/** The keypoints that a file finds in ONNX Runtime alone, without pantin. */
async function found(path: string): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(path, { logSeverityLevel: 4 })
  const { data, shape } = toPlanes(picture, 64)
  const results = await session.run({ frame: new ort.Tensor('float32', data, shape) })
  await session.release()
  return results.value!.data as Float32Array
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
