import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { findFaces } from '../../src/faces/node.ts'
import {
  assertFrame,
  blankFrame,
  type Clip,
  type Frame,
  framePsnr,
  pixelAt,
  resolveRange,
} from '../../src/media/clip.ts'
import { bestOffset, createFitter, middleSquare, subjectCrop } from '../../src/media/fit.ts'
import { encodePicture } from '../../src/media/picture.ts'
import { createResampler } from '../../src/media/resample.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { expectFailure, gradientFrame } from './support.ts'

const side = fc.integer({ min: 1, max: 40 })

describe('a frame', () => {
  const red = (bytes: number) =>
    Uint8Array.from({ length: 64 * bytes }, (_, i) => (i % bytes === 0 ? 255 : 0))
  const frame = { ...blankFrame(8, 8), data: red(3) }

  test('of three bytes a pixel is fitted', () => {
    expect(createFitter(frame, 8)(frame)).toEqual(red(3))
  })

  test.each([
    ['RGBA', { ...frame, data: red(4) }, /256 bytes for 8 x 8[\s\S]*192: red[\s\S]*every fourth byte/],
    ['too short', { ...frame, data: new Uint8Array(10) }, /10 bytes for 8 x 8/],
    ['empty', { ...frame, width: 0, height: 0, data: new Uint8Array() }, /at least 1 x 1/],
  ])('that is %s is refused everywhere', async (_, wrong, words) => {
    expect(() => assertFrame(wrong)).toThrow(words)
    if (wrong.width > 0) expect(() => createFitter(wrong, 8)(wrong)).toThrow(words)
    await expect(encodePicture('.png', wrong)).rejects.toThrow(words)
    await expect(findFaces(wrong)).rejects.toThrow(words)
  })
})

describe('resampling', () => {
  test('an even colour stays exactly what it is, at any size and window', () => {
    fc.assert(
      fc.property(side, side, side, side, fc.double({ min: 0, max: 1, noNaN: true }), (w, h, tw, th, t) => {
        const width = w * (0.3 + 0.7 * t)
        const height = h * (1 - 0.6 * t)
        const window = { left: (w - width) * t, top: (h - height) * t, width, height }
        const resample = createResampler({ width: w, height: h }, window, { width: tw, height: th })
        const out = resample(blankFrame(w, h, [255, 77, 1]).data)
        expect(out).toEqual(blankFrame(tw, th, [255, 77, 1]).data)
      }),
    )
  })

  // Noise: in a smooth picture the pixel in the middle of an area is the mean of the area.
  const noise = noiseFrame(15, 10)
  const whole = { left: 0, top: 0, width: 15, height: 10 }

  test('the same size is the same picture', () => {
    expect(createResampler(noise, whole, noise)(noise.data)).toEqual(noise.data)
  })

  test.each([
    [5, 5],
    [5, 2],
    [6, 4],
    [4, 7],
    [1, 1],
  ])('shrinking to %i x %i is the mean over the area of each pixel', (width, height) => {
    const shrunk = createResampler(noise, whole, { width, height })(noise.data)
    const errors = Array.from(shrunk, (value, i) => {
      const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
      const columns = [x, x + 1].map((at) => (at * 15) / width)
      const rows = [y, y + 1].map((at) => (at * 10) / height)
      return Math.abs(value - meanOver(noise, columns, rows, i % 3))
    })
    expect(Math.max(...errors)).toBeLessThan(0.5 + 1e-6)
  })

  test('enlarging is bilinear between the centres of pixels', () => {
    const two: Frame = { ...blankFrame(2, 1), data: Uint8Array.of(0, 0, 0, 200, 100, 40) }
    const window = { left: 0, top: 0, width: 2, height: 1 }
    const row = createResampler(two, window, { width: 8, height: 1 })(two.data)
    expect(Array.from(row).filter((_, i) => i % 3 === 0)).toEqual([0, 0, 25, 75, 125, 175, 200, 200])
  })
})

describe('fitting to a square', () => {
  test('letterbox keeps all of the picture between grey bars', () => {
    const toSquare = createFitter({ width: 60, height: 30 }, 20, { mode: 'letterbox' })
    const data = toSquare(blankFrame(60, 30, [250, 10, 10]))
    const out: Frame = { ...blankFrame(20, 20), data }
    expect(pixelAt(out, 10, 0)).toEqual([128, 128, 128])
    expect(pixelAt(out, 10, 10)).toEqual([250, 10, 10])
    expect(pixelAt(out, 10, 19)).toEqual([128, 128, 128])
  })

  test('crop shows the square asked for, the middle one by default', () => {
    const frame = gradientFrame(100, 50)
    const red = (crop?: { left: number; top: number; side: number }) =>
      createFitter(frame, 10, crop ? { crop } : {})(frame)[0]!
    expect(red({ left: 0, top: 0, side: 50 })).toBeLessThan(red())
    expect(red()).toBeLessThan(red({ left: 50, top: 0, side: 50 }))
    expect(middleSquare(frame)).toEqual({ left: 25, top: 0, side: 50 })
  })

  test('windows outside the picture, frames of another size are refused', async () => {
    const from = { width: 40, height: 30 }
    await expectFailure(
      () => createFitter(from, 16, { crop: { left: 20, top: 0, side: 30 } }),
      InputError,
      'within 40 x 30',
    )
    await expectFailure(() => createFitter(from, 16)(blankFrame(30, 40)), InputError, '30 x 40', '40 x 30')
  })
})

describe('the square around the subject', () => {
  test('lies within the picture, follows the motion, and is central where nothing moves', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 900 }),
        fc.integer({ min: 1, max: 900 }),
        fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 64 }),
        (width, height, energy) => {
          const offset = bestOffset(Float64Array.from(energy), width, height)
          expect(Number.isInteger(offset)).toBe(true)
          expect(offset).toBeGreaterThanOrEqual(0)
          expect(offset).toBeLessThanOrEqual(Math.abs(width - height))
        },
      ),
    )
    expect(bestOffset(new Float64Array(64), 300, 100)).toBe(100)
    expect(bestOffset(new Float64Array(64).fill(1, 0, 12), 300, 100)).toBeLessThan(20)
    expect(bestOffset(new Float64Array(64).fill(1, 52, 64), 100, 300)).toBeGreaterThan(180)
  })

  test('of a clip: a disc that bobs at the left is held', async () => {
    const crop = await subjectCrop(bobbing(160, 64, 30))
    expect(crop.side).toBe(64)
    expect(crop.left).toBeLessThan(20)
    expect(crop.left + crop.side).toBeGreaterThan(45)
    expect(await subjectCrop(bobbing(64, 64, 30))).toEqual({ left: 0, top: 0, side: 64 })
  })
})

/** Pixels by lot, the same at each call. */
function noiseFrame(width: number, height: number): Frame {
  const random = new Random(5)
  return {
    ...blankFrame(width, height),
    data: Uint8Array.from({ length: width * height * 3 }, () => random.uniform() * 256),
  }
}

/** The mean of a channel over a rectangle whose sides may cut pixels. */
function meanOver(
  frame: Frame,
  [left = 0, right = 0]: readonly number[],
  [top = 0, bottom = 0]: readonly number[],
  channel: number,
): number {
  const covered = (at: number, from: number, to: number) =>
    Math.max(0, Math.min(at + 1, to) - Math.max(at, from))
  let sum = 0
  for (let y = 0; y < frame.height; y++) {
    for (let x = 0; x < frame.width; x++) {
      sum += covered(x, left, right) * covered(y, top, bottom) * pixelAt(frame, x, y)[channel]!
    }
  }
  return sum / ((right - left) * (bottom - top))
}

/** A clip in memory: a white square around column `x` moves up and down. */
function bobbing(width: number, height: number, x: number): Clip {
  const frame = (i: number): Frame => {
    const made = { ...blankFrame(width, height, [20, 30, 40]), time: i / 25, duration: 1 / 25 }
    for (let y = 0; y < 20; y++) {
      for (let dx = -10; dx < 10; dx++) {
        made.data.fill(
          255,
          ((y + ((i * 7) % 40)) * width + x + dx) * 3,
          ((y + ((i * 7) % 40)) * width + x + dx + 1) * 3,
        )
      }
    }
    return made
  }
  const clip: Clip = {
    name: 'bobbing',
    width,
    height,
    frameRate: 25,
    duration: 2,
    frameCount: 50,
    async *frames(range) {
      for (const i of resolveRange(clip, range)) yield frame(i)
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  return clip
}

const faces = '../shared/data/faces'

test.skipIf(!existsSync(faces))(
  `real clips decode, each frame its own (skips without ${faces})`,
  async () => {
    for (const name of readdirSync(faces).filter((file) => file === 'd0.mp4' || file === 'd9.mp4')) {
      const clip = await openClip(`${faces}/${name}`)
      const toSquare = createFitter(clip, 64)
      const hashes = new Set<string>()
      let first: Frame | undefined
      const toFrame = Math.min(clip.frameCount, 100)
      for await (const frame of clip.frames({ toFrame })) {
        first ??= frame
        hashes.add(createHash('sha1').update(toSquare(frame)).digest('hex'))
      }
      expect(hashes.size).toBeGreaterThan(toFrame * 0.9)
      for await (const frame of clip.frames({ toFrame: 1 })) expect(framePsnr(frame, first!)).toBe(Infinity)
      await clip.close()
    }
  },
)
