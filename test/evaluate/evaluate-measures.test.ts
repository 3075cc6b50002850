import { describe, expect, it } from 'vitest'
import { type EvaluateOptions, evaluate } from '../../src/evaluate/evaluate.ts'
import { clipEvaluator } from '../../src/evaluate/evaluated-frame.ts'
import { mostPsnr } from '../../src/evaluate/generation.ts'
import { blankFrame, type Clip, type Frame, resolveRange } from '../../src/media/clip.ts'
import { fitClip } from '../../src/media/fit.ts'
import type { KeypointDetector, Keypoints } from '../../src/model/keypoint-detector.ts'
import type { MotionModel } from '../../src/model/open-model.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { jointNames } from '../../src/synthetic/puppet/skeleton.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { expectFailure } from '../media/support.ts'

/**
 * The measures on a clip whose answers are known: frame n is flat grey of level n, where the detector finds
 * `keypointsAt(n)`. Steps are small powers of two, which float32 holds exactly.
 */

const [size, clipSize, step] = [32, 48, 1 / 128]
const base = Float32Array.of(-0.5, -0.5, 0.25, -0.25, 0, 0.5)

/** Three points that go right and down by `step` a frame. */
const keypointsAt = (level: number): Keypoints => ({
  value: base.map((v) => v + step * level),
  jacobian: Float32Array.from({ length: 12 }, (_, i) => (i % 4 === 0 || i % 4 === 3 ? 1 : 0)),
})

const flat = (side: number, level: number): Frame => blankFrame(side, side, [level, level, level])

/** A model whose generator is `miss` levels off; 0 is perfect. */
function fakeModel({ miss = 0, ...change }: { miss?: number } & Partial<MotionModel> = {}): MotionModel {
  return {
    path: 'fake',
    config: smallConfig({ net: 'lednet', size, keypoints: 3 }),
    fit: 'crop',
    crop: 'motion',
    hasGenerator: true,
    device: 'cpu',
    eightBits: [],
    halves: false,
    detect: async (pixels) => keypointsAt(pixels[0]!),
    encode: async () => ({ tensors: {} }),
    generate: async (_source, _kpSource, kpDriving) =>
      flat(size, Math.round((kpDriving.value[0]! - base[0]!) / step) + miss).data,
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
    ...change,
  }
}

/** Finds what the model finds, moved by (dx, dy). */
const fakeTeacher = (dx: number, dy: number, side: number): KeypointDetector => ({
  path: 'teacher',
  size: side,
  keypoints: 3,
  jacobian: true,
  heatmap: undefined,
  features: undefined,
  device: 'cpu',
  detect: async (pixels) => {
    expect(pixels).toHaveLength(side * side * 3)
    const { value, jacobian } = keypointsAt(pixels[0]!)
    return {
      value: value.map((v, i) => v + (i % 2 === 0 ? dx : dy)),
      jacobian: jacobian!.map((v) => v + 0.25),
      heatmap: undefined,
      features: undefined,
    }
  },
  close: async () => {
    throw new Error('a teacher that is open stays open')
  },
  [Symbol.asyncDispose]: () => Promise.resolve(),
})

/** Frames of these levels; with joints where a function says so. */
function clipOf(levels: readonly number[], joints?: (level: number) => Float32Array): Clip {
  const clip = { name: 'levels', width: clipSize, height: clipSize, frameRate: 25, duration: 1 }
  const frameCount = levels.length
  return {
    ...clip,
    frameCount,
    async *frames(range) {
      for (const i of resolveRange({ name: clip.name, frameCount }, range)) {
        const frame = flat(clipSize, levels[i]!)
        yield joints === undefined ? frame : { ...frame, joints: joints(levels[i]!) }
      }
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

const count = (length: number) => Array.from({ length }, (_, i) => i)
const measure = (model: MotionModel, clip: Clip, options: EvaluateOptions = {}) =>
  evaluate(model, [clip], options)

describe('reconstruction', () => {
  it('is perfect for a perfect generator, and AKD is 0', async () => {
    const { l1, psnr, akd } = await measure(fakeModel(), clipOf(count(10)))
    expect({ l1, psnr }).toEqual({ l1: 0, psnr: mostPsnr })
    expect(akd).toMatchObject({ pixels: 0, by: 'own' })
    // The others are 1 to 9 levels from the first, and a level is a move of `step` in both coordinates.
    expect(akd!.still).toBeCloseTo((5 * step * (size - 1)) / 2, 6)
  })

  it('has the AKD of the miss in pixels', async () => {
    const { l1, akd } = await measure(fakeModel({ miss: 2 }), clipOf(count(10)))
    expect(l1).toBeCloseTo(2 / 255, 9)
    expect(akd!.pixels).toBeCloseTo((2 * step * (size - 1)) / 2, 6)
  })

  it('has its AKD from the teacher where there is one, of the same frames at the size of the teacher', async () => {
    for (const side of [size, clipSize]) {
      const teacher = fakeTeacher(0.5, 0.5, side)
      const blind = fakeModel({ miss: 2, detect: async () => keypointsAt(0) })
      // The model's own keypoints never move, and its AKD would be 0.
      const { akd } = await measure(blind, clipOf([8, 8, 8]), { teacher })
      expect(akd).toMatchObject({ by: 'teacher' })
      expect(akd!.pixels).toBeCloseTo((6 * step * (size - 1)) / 2, 6)
      expect((await measure(blind, clipOf([8, 8, 8]))).akd!.pixels).toBe(0)
    }
  })
})

describe('the teacher', () => {
  it('is as far as it is put away, at whatever size it looks', async () => {
    for (const side of [size, clipSize]) {
      const { teacher } = await measure(fakeModel(), clipOf(count(6)), {
        teacher: fakeTeacher(0.375, -0.5, side),
      })
      expect(teacher!.distance).toBeCloseTo(0.625, 6)
      expect(teacher!.jacobian).toBeCloseTo(0.25, 6)
    }
  })

  it('must find as many keypoints, and may see larger frames than the clip has', async () => {
    const clip = clipOf(count(4))
    const other = { ...fakeTeacher(0, 0, size), keypoints: 10 }
    await expectFailure(() => measure(fakeModel(), clip, { teacher: other }), InputError, /another number/)
    const large = fakeTeacher(0, 0, 2 * clipSize)
    expect((await measure(fakeModel(), clip, { teacher: large })).teacher).not.toBeNull()
  })
})

describe('the frames that are seen', () => {
  it.each(['crop', 'letterbox'] as const)(
    'show the teacher the same square as the model: %s',
    async (fit) => {
      // What moves is at the right, so that the crop is not the middle one.
      const [width, height, frameCount] = [128, 64, 4]
      const at = (i: number) => {
        const frame = blankFrame(width, height)
        for (let y = 0; y < height; y++)
          frame.data.fill(200, (y * width + 90 + 5 * i) * 3, (y * width + 100 + 5 * i) * 3)
        return frame
      }
      const clip: Clip = {
        ...clipOf([0]),
        ...{ width, height, frameCount },
        async *frames(range) {
          for (const i of resolveRange({ name: 'bar', frameCount }, range)) yield at(i)
        },
      }
      const shown = new Map<number, Uint8Array>()
      const detector = (side: number) => ({
        size: side,
        detect: async (pixels: Uint8Array) => {
          shown.set(side, pixels)
          return { ...keypointsAt(0), heatmap: undefined, features: undefined }
        },
      })
      const { config } = fakeModel()
      const { evaluated: look, framing } = await clipEvaluator(
        { config, ...detector(size) },
        detector(64),
        clip,
        { fit, crop: 'motion', faces: () => Promise.reject(new Error('no face is looked for')) },
      )
      expect(framing.by).toBe(fit === 'crop' ? 'motion' : 'whole')
      const { pixels } = await look(at(2))
      expect(shown.get(size)).toEqual(pixels)
      expect(shown.get(64)).toEqual((await fitClip(clip, 64, fit))(at(2)))
      expect(shown.get(64)!.some((v) => v === 200)).toBe(true)
      shown.clear()
      expect((await look(at(2), 'model')).teacher).toBeUndefined()
      expect(shown.has(64)).toBe(false)
    },
  )
})

describe('jitter', () => {
  it('is 0 for steady motion, and not for one that trembles', async () => {
    expect((await measure(fakeModel(), clipOf(count(10)))).jitter).toEqual({ acceleration: 0, relative: 0 })
    const trembling = await measure(fakeModel(), clipOf([0, 4, 0, 4, 0]))
    expect(trembling.jitter!.relative).toBeCloseTo(2, 6)
  })

  it('is of driving frames alone', async () => {
    const restless = [0, 9, 3, 7, 0, 1, 2, 3, 4, 5]
    const { jitter } = await measure(fakeModel(), clipOf(restless), { from: 0.4 })
    expect(jitter).toEqual({ acceleration: 0, relative: 0 })
  })
})

describe('landmarks', () => {
  const weights = new Random(1)
  const map = jointNames.flatMap(() => [weights.between(-1, 1), weights.between(-1, 1)])
  /** Each coordinate of each joint is some part of the first keypoint's x. */
  const follows = (level: number) => Float32Array.from(map, (w) => w * keypointsAt(level).value[0]!)

  it('are told by keypoints that they follow', async () => {
    const { landmarks } = await measure(fakeModel(), clipOf(count(20), follows))
    expect(landmarks!.forward).toBeLessThan(1e-4)
    expect(landmarks).toMatchObject({ fitted: 10, frames: 10 })
  })

  it('are not told by those of other frames', async () => {
    const clip = clipOf(count(40), (level) => follows((level * 17) % 40))
    const { forward, mean } = (await measure(fakeModel(), clip, { from: 0.8 })).landmarks!
    expect(forward).toBeGreaterThan(0.8 * mean.forward)
  })

  it('are undefined for clips of which nobody knows any', async () => {
    expect((await measure(fakeModel(), clipOf(count(20)))).landmarks).toBeUndefined()
  })
})

describe('transfer', () => {
  const source = flat(size, 40)

  it('is 0 for a picture that goes where it is sent, relative and absolute', async () => {
    const clip = clipOf(count(5))
    const relative = await measure(fakeModel(), clip, { source })
    expect(relative.transfer).toMatchObject({ distance: 0, frames: 5 })
    expect(relative.transfer!.still).toBeCloseTo(2 * step * Math.SQRT2, 6)
    const absolute = await measure(fakeModel(), clip, { source, absolute: true })
    expect(absolute.transfer).toMatchObject({ distance: 0, frames: 5 })
    expect(absolute.transfer!.still).toBeCloseTo(38 * step * Math.SQRT2, 6)
  })

  it('is as far as the picture misses', async () => {
    const { transfer } = await measure(fakeModel({ miss: 3 }), clipOf(count(5)), { source })
    expect(transfer!.distance).toBeCloseTo(3 * step * Math.SQRT2, 6)
  })
})

describe('a detector alone', () => {
  const refuse = async () => {
    throw new Error('there is no generator')
  }

  it('is measured without what takes a generator', async () => {
    const model = fakeModel({ hasGenerator: false, encode: refuse, generate: refuse })
    const teacher = fakeTeacher(0.375, -0.5, size)
    const found = await measure(model, clipOf(count(10)), { teacher })
    expect(found).toMatchObject({ frames: 10, jitter: { relative: 0 }, equivariance: {} })
    expect(found.teacher!.distance).toBeCloseTo(0.625, 6)
    for (const name of ['l1', 'psnr', 'ssim', 'still', 'akd', 'transfer']) {
      expect(found).toHaveProperty(name, undefined)
    }
  })
})
