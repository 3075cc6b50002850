import { describe, expect, it } from 'vitest'
import { formatCrop, parseCrop, squareAround } from '../../src/faces/box.ts'
import type { Face, FaceFinder } from '../../src/faces/finder.ts'
import { type FramingOptions, frameClip, framePicture } from '../../src/faces/framing.ts'
import { blankFrame, type Clip, type Frame, resolveRange } from '../../src/media/clip.ts'
import type { Square } from '../../src/media/fit.ts'
import { InputError } from '../../src/util/errors.ts'

const face = (left: number, top: number, side: number): Face => ({
  box: { left, top, side },
  head: { left, top, side },
  angle: 0,
  score: 1,
  landmarks: new Float32Array(132),
})

/** Finds in a frame what `found` says of its time. */
const finderOf = (found: (time: number) => Face[]): (() => Promise<FaceFinder>) => {
  const finder: FaceFinder = {
    find: async ({ time }) => found(time),
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  return async () => finder
}

const never = (): Promise<FaceFinder> => Promise.reject(new Error('no face is looked for here'))

const options = (change: Partial<FramingOptions> = {}): FramingOptions => ({
  fit: 'crop',
  crop: 'auto',
  faces: finderOf(() => []),
  ...change,
})

function clipOf(width: number, height: number, name = 'clip.mp4', frameCount = 11): Clip {
  const facts = { name, width, height, frameRate: 1, frameCount, duration: frameCount }
  return {
    ...facts,
    async *frames(range) {
      for (const time of resolveRange(facts, range)) yield { ...blankFrame(width, height), time }
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

const contains = (outer: Square, inner: Square): boolean =>
  inner.left >= outer.left &&
  inner.top >= outer.top &&
  inner.left + inner.side <= outer.left + outer.side &&
  inner.top + inner.side <= outer.top + outer.side

describe('the square around a head', () => {
  it('is twice the face, whose middle is a little below its own', () => {
    const square = squareAround([{ left: 400, top: 400, side: 100 }], { width: 1000, height: 1000 })
    expect(square).toEqual({ left: 350, top: 340, side: 200 })
  })

  it('stays within the picture, and has the face inside', () => {
    for (const [left, top] of [
      [0, 0],
      [480, 0],
      [0, 880],
      [480, 880],
      [200, 10],
    ] as const) {
      const box = { left, top, side: 120 }
      const square = squareAround([box], { width: 600, height: 1000 })
      expect(square.side).toBe(240)
      expect(square.left).toBeGreaterThanOrEqual(0)
      expect(square.left + square.side).toBeLessThanOrEqual(600)
      expect(square.top).toBeGreaterThanOrEqual(0)
      expect(square.top + square.side).toBeLessThanOrEqual(1000)
      expect(contains(square, box)).toBe(true)
    }
  })

  it('shrinks where the picture is too small', () => {
    const square = squareAround([{ left: 60, top: 20, side: 90 }], { width: 200, height: 120 })
    expect(square).toEqual({ left: 45, top: 0, side: 120 })
  })

  it('holds a face that moves in all frames', () => {
    const boxes = [0, 40, 80, 150].map((left) => ({ left: 300 + left, top: 300, side: 100 }))
    const square = squareAround(boxes, { width: 1000, height: 800 })
    for (const box of boxes) expect(contains(square, box)).toBe(true)
    expect(square.side).toBeGreaterThan(300)
  })
})

describe('how the square is chosen', () => {
  const tall: Frame = blankFrame(300, 900)

  it('keeps the head of a tall portrait', async () => {
    const faces = finderOf(() => [face(100, 40, 80)])
    const { fitter, framing } = await framePicture(tall, 64, options({ faces }))
    expect(framing).toEqual({ by: 'face', faces: 1, square: { left: 60, top: 0, side: 160 } })
    expect(fitter.window).toEqual({ left: 60, top: 0, width: 160, height: 160 })
  })

  it('enlarges a head that is smaller than the network’s pictures', async () => {
    const faces = finderOf(() => [face(100, 100, 20)])
    const { fitter } = await framePicture(tall, 64, options({ faces }))
    expect(fitter.window.width).toBe(40)
    expect(fitter(tall)).toHaveLength(64 * 64 * 3)
  })

  it('goes on as before where there is no face, and says so', async () => {
    const { framing } = await framePicture(tall, 64, options())
    expect(framing).toEqual({ by: 'middle', faces: 0, square: { left: 0, top: 300, side: 300 } })
    const clip = await frameClip(clipOf(80, 64), 64, options())
    expect(clip.framing).toEqual({ by: 'motion', faces: 0, square: { left: 8, top: 0, side: 64 } })
  })

  it('looks for no face in a picture that is too small to have one', async () => {
    for (const [width, height] of [
      [1, 1],
      [300, 3],
      [64, 8],
    ] as const) {
      const side = Math.min(width, height)
      const middle = { left: Math.floor((width - side) / 2), top: Math.floor((height - side) / 2), side }
      const picture = blankFrame(width, height, [9, 9, 9])
      const { framing, fitter } = await framePicture(picture, 64, options({ faces: never }))
      expect(framing).toEqual({ by: 'middle', faces: undefined, square: middle })
      expect(fitter(picture)).toEqual(new Uint8Array(64 * 64 * 3).fill(9))
      const clip = await frameClip(clipOf(width, height), 64, options({ faces: never }))
      expect(clip.framing).toMatchObject({ by: 'motion', faces: undefined, square: { side } })
      for (const asked of [{ crop: 'face' }, { face: 2 }] as const) {
        const call = () => framePicture(picture, 64, options({ ...asked, faces: never }), 'a.png')
        const error = await call().catch((cause: unknown) => cause)
        expect(error).toBeInstanceOf(InputError)
        expect(error).toMatchObject({ message: expect.stringMatching(/^a\.png: .*too small.*\n.*got/) })
        expect(error).toMatchObject({
          problem: { got: `${width} x ${height} pixels`, remedy: expect.stringContaining('--crop middle') },
        })
      }
    }
  })

  it('does not look for a face where it is not asked to', async () => {
    for (const crop of ['motion', 'middle'] as const) {
      const { framing } = await framePicture(tall, 64, options({ crop, faces: never }))
      expect(framing).toMatchObject({ by: 'middle', faces: undefined })
    }
    const given = { left: 10, top: 20, side: 200 }
    const { framing } = await framePicture(tall, 64, options({ crop: given, faces: never }))
    expect(framing).toEqual({ by: 'given', faces: undefined, square: given })
    const boxed = await framePicture(tall, 64, options({ fit: 'letterbox', crop: 'face', faces: never }))
    expect(boxed.framing).toMatchObject({ by: 'whole', square: { left: -300, top: 0, side: 900 } })
    // Puppets and heads are framed as they are made.
    for (const name of ['puppet:7', 'head:7,size=128']) {
      const made = await frameClip(clipOf(64, 64, name), 64, options({ faces: never }))
      expect(made.framing.by).toBe('motion')
    }
  })

  it('follows one face through a clip', async () => {
    // The larger one is there from the start, and a larger one still comes in later.
    const faces = finderOf((time) =>
      time === 0
        ? []
        : [...(time > 5 ? [face(10, 10, 150)] : []), face(400 + 5 * time, 200, 100), face(700, 200, 50)],
    )
    const { framing } = await frameClip(clipOf(1000, 500), 64, options({ faces }))
    expect(framing.by).toBe('face')
    expect(framing.faces).toBe(2)
    expect(framing.square.left).toBeGreaterThan(300)
    expect(contains(framing.square, { left: 415, top: 200, side: 100 })).toBe(true)
    const second = await frameClip(clipOf(1000, 500), 64, options({ faces, face: 2 }))
    expect(second.framing.square).toEqual({ left: 675, top: 170, side: 100 })
  })

  it('refuses a face that is not there, with the remedy', async () => {
    await expect(framePicture(tall, 64, options({ crop: 'face' }), 'a.jpg')).rejects.toThrow(InputError)
    await expect(framePicture(tall, 64, options({ crop: 'face' }), 'a.jpg')).rejects.toMatchObject({
      problem: {
        what: 'no face was found',
        where: 'a.jpg',
        remedy: expect.stringContaining('--crop X,Y,W,H'),
      },
    })
    const faces = finderOf(() => [face(100, 40, 80)])
    await expect(framePicture(tall, 64, options({ faces, face: 2 }))).rejects.toMatchObject({
      problem: { what: 'there is no such face', got: 'one face, and face 2 is asked for' },
    })
    const outside = { left: 200, top: 0, side: 200 }
    await expect(framePicture(tall, 64, options({ crop: outside }))).rejects.toThrow(/not within the picture/)
  })
})

describe('crops as users name them', () => {
  it('reads names and squares, and writes them again', () => {
    for (const text of ['auto', 'face', 'motion', 'middle', '10,20,300,300']) {
      expect(formatCrop(parseCrop(text))).toBe(text)
    }
    expect(parseCrop('10,20,300,300')).toEqual({ left: 10, top: 20, side: 300 })
  })

  it('refuses all else', () => {
    for (const text of ['', 'head', '1,2,3', '1,2,0,0', '1,2,-3,-3', '1.5,2,3,3', '1,2,3,3,4', 'face ']) {
      expect(() => parseCrop(text), text).toThrow(/there is no such crop/)
    }
    expect(() => parseCrop('1,2,30,40')).toThrow(/networks see squares: name 1,2,30,30/)
  })
})
