import { readFileSync } from 'node:fs'
import * as ort from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { planDetector } from '../../src/compress/eight-bits.ts'
import { type ExportOptions, exportFolder } from '../../src/convert/export-folder.ts'
import type { Frame } from '../../src/media/clip.ts'
import { createFitter } from '../../src/media/fit.ts'
import { hashDetector, openModel } from '../../src/model/open-model.ts'
import { decodeModel } from '../../src/onnx/import/decode.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { randomRun, scratch } from '../animate/support.ts'

const at = scratch()

/** A picture with broad colours and sharp noise. */
function picture(width: number, height: number, seed = 3): Frame {
  const random = new Random(seed)
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
    const wave = Math.sin((5 * x) / width + (i % 3)) + Math.cos((7 * y) / height)
    return 128 + 40 * wave + random.between(-40, 40)
  })
  return { width, height, data, time: 0, duration: 0 }
}

/** What a file finds in ONNX Runtime alone, without pantin. */
async function found(path: string, frames: readonly Frame[]) {
  const session = await ort.InferenceSession.create(path, { logSeverityLevel: 3 })
  const { width, height } = frames[0]!
  const bytes = Uint8Array.from(frames.flatMap(({ data }) => [...data]))
  const results = await session.run({
    frame: new ort.Tensor('uint8', bytes, [frames.length, height, width, 3]),
  })
  await session.release()
  return results as Record<'value' | 'jacobian', ort.TypedTensor<'float32'>>
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)))

const metadataOf = (path: string) => Object.fromEntries(decodeModel(readFileSync(path)).metadata)

async function exported(run: string, name: string, options: ExportOptions = {}) {
  const made = await exportFolder(run, at(name), { what: 'pipeline', ...options })
  return { ...made, path: at(name) }
}

describe('an exported pipeline', () => {
  test.each(['crop', 'letterbox'] as const)('finds what pantin finds, fit %s', async (fit) => {
    const run = await randomRun(at(`run-${fit}`), { fit, generator: false })
    const { path, inputs } = await exported(run, `${fit}.onnx`)
    expect(inputs).toEqual({ frame: [1, 'height', 'width', 3] })
    await using model = await openModel(run, { device: 'cpu' })
    // Smaller, as large, larger by a whole and by a broken factor; upright, level and very narrow.
    for (const [width, height] of [
      [40, 30],
      [64, 64],
      [128, 128],
      [301, 177],
      [97, 211],
      [70, 640],
    ] as const) {
      const frame = picture(width, height)
      const { value, jacobian } = await model.detect(createFitter(frame, 64, { mode: fit })(frame))
      const own = await found(path, [frame])
      expect(own.value.dims).toEqual([1, 5, 2])
      // Untrained, it moves by 2e-4 between two pictures.
      expect(farthest(own.value.data, value), `${width}x${height}`).toBeLessThan(2e-6)
      expect(farthest(own.jacobian.data, jacobian!)).toBeLessThan(1e-4)
    }
  })

  test('of a fixed size takes several pictures', async () => {
    const run = at('run-crop')
    const { path, inputs } = await exported(run, 'fixed.onnx', { input: [2, 3, 90, 120] })
    expect(inputs).toEqual({ frame: [2, 90, 120, 3] })
    const frames = [picture(120, 90, 1), picture(120, 90, 2)]
    const both = await found(path, frames)
    const { path: any } = await exported(run, 'any.onnx')
    const each = [await found(any, [frames[0]!]), await found(any, [frames[1]!])]
    expect(
      farthest(
        both.value.data,
        each.flatMap(({ value }) => [...value.data]),
      ),
    ).toBeLessThan(1e-5)
    expect(farthest(each[0]!.value.data, each[1]!.value.data)).toBeGreaterThan(1e-4)
  })

  test('says what it is', async () => {
    const { path } = await exported('face', 'face.onnx')
    const facts = metadataOf(path)
    const names = JSON.parse(facts.keypoints!) as string[]
    expect(names).toHaveLength(35)
    expect(names.slice(0, 2)).toEqual(['rightUpperLid', 'rightLowerLid'])
    expect(names.slice(29)).toEqual(['rightIris', 'leftIris', '31', '32', '33', '34'])
    expect(facts).toMatchObject({ size: '256', part: 'pipeline', sha256: await hashDetector('face') })
    expect(facts.version).toMatch(/^\d+\.\d+\.\d+/)
    // As track files have it.
    expect(facts.coordinates).toContain('left + ((x + 1) / 2 * (SIZE - 1) + 0.5) * side / SIZE - 0.5')
    expect(facts.coordinates).toContain('SIZE = 256, side = min(height, width)')
    expect(metadataOf(at('letterbox.onnx')).coordinates).toContain('SIZE = 64, side = max(height, width)')
  })

  test('in half precision and in eight bits', async () => {
    const run = at('run-crop')
    const frame = picture(200, 150)
    const whole = await found(at('crop.onnx'), [frame])
    const { path: half, bytes } = await exported(run, 'half.onnx', { precision: 'fp16' })
    expect(bytes).toBeLessThan(0.6 * readFileSync(at('crop.onnx')).length)
    expect(farthest((await found(half, [frame])).value.data, whole.value.data)).toBeLessThan(1e-3)
    const plan = await planDetector(run, ['puppet:1'], { frames: 3, maxDistance: 1, crop: 'middle' })
    const { path: eight } = await exported(run, 'eight.onnx', { precision: 'int8', plan })
    const distance = farthest((await found(eight, [frame])).value.data, whole.value.data)
    expect(distance).toBeGreaterThan(1e-6)
    expect(distance).toBeLessThan(0.1)
  })

  test('is the detector alone', async () => {
    for (const options of [{ part: 'generator' }, { frame: 'float' }] as const) {
      const refused = exported(at('run-crop'), 'no.onnx', options)
      await expect(refused).rejects.toThrow(InputError)
      await expect(refused).rejects.toThrow(/a pipeline is the detector/)
    }
  })
})
