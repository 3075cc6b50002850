import { describe, expect, test } from 'vitest'
import type { Clip } from '../../src/media/clip.ts'
import { drawColour, drawVariant, varyPicture } from '../../src/train/augment.ts'
import { cacheClips, drawBatch, FrameCache } from '../../src/train/frames.ts'
import { RecordFile } from '../../src/train/kept-frames.ts'
import type { Records } from '../../src/train/motion-labels.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'

/** Batches drawn from clips whose frames tell where they come from. */

const size = 4
const length = size * size * 3

/** Frame `index` has its number in the left half, and this number plus 100 in the right half. */
function frame(index: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (Math.floor(i / 3) % size < size / 2 ? index : index + 100))
}

/** Frames in memory. */
function records(count: number): Records {
  return {
    length,
    count,
    append: () => {},
    read: (index, target, offset = 0) => target.set(frame(index), offset),
    close: () => {},
  }
}

// The first clip has 3 frames to train on and one that is held out, the second has 2 to train on.
const clips = [
  { name: 'first', first: 0, training: 3, count: 4 },
  { name: 'second', first: 4, training: 2, count: 2 },
]
const cache = new FrameCache(size, records(6), clips)
const pairs = 200

/** The frames of the pairs of one batch: source and driving. */
function draw(flip: boolean) {
  const { frames } = drawBatch(new Random(3), cache, pairs, { flip, colour: 0 })
  const at = (slot: number) => frames.subarray(slot * length, (slot + 1) * length)
  return Array.from({ length: pairs }, (_, pair) => [at(pair), at(pairs + pair)] as const)
}
const indexOf = (data: Uint8Array) => Math.min(data[0]!, data[length - 1]!)

describe('a batch', () => {
  test('has pairs of two different frames of one clip, all of them, and no held-out frame', () => {
    const seen = new Set<string>()
    for (const [source, driving] of draw(false)) {
      const [from, to] = [indexOf(source), indexOf(driving)]
      expect(source).toEqual(frame(from))
      expect(driving).toEqual(frame(to))
      seen.add(`${from} ${to}`)
    }
    expect([...seen].sort()).toEqual(['0 1', '0 2', '1 0', '1 2', '2 0', '2 1', '4 5', '5 4'])
  })

  test('is mirrored in about half of its pairs, both frames alike', () => {
    const mirrored = draw(true).map(([source, driving]) => {
      const flipped = [source, driving].map((data) => data[0]! > data[length - 1]!)
      expect(flipped[0]).toBe(flipped[1])
      for (const data of [source, driving]) {
        const whole = frame(indexOf(data))
        const rows = Array.from({ length: size * size }, (_, i) => {
          const [y, x] = [Math.floor(i / size), i % size]
          const from = y * size + (flipped[0] ? size - 1 - x : x)
          return [...whole.subarray(from * 3, from * 3 + 3)]
        })
        expect([...data]).toEqual(rows.flat())
      }
      return flipped[0]!
    })
    const part = mirrored.filter(Boolean).length / pairs
    expect(part).toBeGreaterThan(0.4)
    expect(part).toBeLessThan(0.6)
    expect(draw(false).every(([source]) => source[0]! < source[length - 1]!)).toBe(true)
  })
})

describe('a change of colours', () => {
  /** A source of chance that gives these numbers of [-1, 1] in turn. */
  const chance = (...numbers: number[]) => {
    const random = new Random(1)
    random.between = (low, high) => (low + high) / 2 + ((high - low) / 2) * numbers.shift()!
    return random
  }
  const changed = (change: readonly number[], colour: readonly number[]) =>
    [0, 1, 2].map((row) => {
      const [r, g, b, offset] = change.slice(4 * row, 4 * row + 4) as [number, number, number, number]
      return r * colour[0]! + g * colour[1]! + b * colour[2]! + offset
    })
  const colour = [0.2, 0.4, 0.9]
  const grey = 0.299 * 0.2 + 0.587 * 0.4 + 0.114 * 0.9

  test('is none for the amount 0', () => {
    expect(changed(drawColour(new Random(1), 0), colour)).toEqual(colour)
  })

  test('adds the brightness that was drawn, half of the amount at most', () => {
    const brighter = changed(drawColour(chance(0, 0, 1), 0.3), colour)
    expect(brighter).toEqual(colour.map((value) => expect.closeTo(value + 0.15, 6)))
  })

  test('leaves grey grey where hues turn, and takes each channel its light', () => {
    const turn = (numbers: number[], tint: number, of: readonly number[]) => {
      const random = chance(...numbers)
      random.uniform = () => 1
      return changed(drawColour(random, 0, tint), of)
    }
    const greyOnly = [0.5, 0.5, 0.5]
    expect(turn([1, 0, 0, 0], 0.5, greyOnly)).toEqual(greyOnly.map((value) => expect.closeTo(value, 6)))
    // A third of a turn takes red to green.
    expect(turn([1, 0, 0, 0], 2, [0.8, 0.1, 0.1])).toEqual([0.1, 0.8, 0.1].map((v) => expect.closeTo(v, 6)))
    expect(turn([0, 1, 0, -1], 0.4, colour)).toEqual([
      expect.closeTo(0.2 * Math.exp(0.4), 6),
      expect.closeTo(0.4, 6),
      expect.closeTo(0.9 * Math.exp(-0.4), 6),
    ])
  })

  test('takes all colours away in a quarter of the tint', () => {
    const random = new Random(3)
    const all = Array.from({ length: 2000 }, () => changed(drawColour(random, 0, 0.4), colour))
    const greys = all.filter(([r, g, b]) => Math.abs(r! - g!) + Math.abs(g! - b!) < 1e-6)
    expect(greys.length / all.length).toBeGreaterThan(0.07)
    expect(greys.length / all.length).toBeLessThan(0.13)
    expect(greys[0]).toEqual(Array(3).fill(expect.closeTo(grey, 6)))
  })

  test('stretches contrast around the middle', () => {
    const stretched = changed(drawColour(chance(0, 1, 0), 0.3), colour)
    expect(stretched).toEqual(colour.map((value) => expect.closeTo(0.5 + 1.3 * (value - 0.5), 6)))
  })

  test('stretches saturation around grey', () => {
    const stretched = changed(drawColour(chance(1, 0, 0), 0.3), colour)
    expect(stretched).toEqual(colour.map((value) => expect.closeTo(grey + 1.3 * (value - grey), 6)))
  })
})

describe('a variant of a picture', () => {
  const still = { sigmaAffine: 0, sigmaTps: 0, points: 2 }

  test('is the picture or its mirror image, in about half of the cases each', () => {
    const whole = frame(7)
    const mirrored = Uint8Array.from({ length }, (_, i) => whole[length - 1 - i]!)
    const random = new Random(5)
    const variants = Array.from({ length: pairs }, () =>
      drawVariant(random, whole, size, { transform: still, colour: 0 }),
    )
    for (const variant of variants) expect([whole, mirrored]).toContainEqual(variant)
    const part = variants.filter((variant) => variant[0] === mirrored[0]).length / pairs
    expect(part).toBeGreaterThan(0.4)
    expect(part).toBeLessThan(0.6)
  })

  test('has the brightness that was drawn', () => {
    const random = new Random(5)
    // Of the three changes, the last one is of the brightness.
    const numbers = [0, 0, 0.3]
    random.between = () => numbers.shift()!
    const grey = new Uint8Array(length).fill(100)
    const variant = drawVariant(random, grey, size, { transform: still, colour: 0.3 })
    // Half of the amount, which is 0.15 of 255.
    expect(new Set(variant)).toEqual(new Set([138]))
  })
})

describe('a picture that is changed as faces, light and cameras differ', () => {
  const side = 64
  /** A dark disc on grey, at pixel (40, 24), and its middle as a point. */
  const disc = () =>
    Uint8Array.from({ length: side * side * 3 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)]
      return Math.hypot(x - 40, y - 24) < 5 ? 20 : 140
    })
  const middle = () => Float32Array.of((2 * 40) / (side - 1) - 1, (2 * 24) / (side - 1) - 1, 1)
  /** Where the dark is, in pixels. */
  const darkOf = (pixels: Uint8Array) => {
    let [sum, sx, sy] = [0, 0, 0]
    for (let i = 0; i < side ** 2; i++) {
      const [x, y] = [i % side, Math.floor(i / side)]
      if (Math.hypot(x - 40, y - 24) > 14) continue
      const dark = Math.max(0, 110 - pixels[3 * i + 1]!)
      sum += dark
      sx += dark * x
      sy += dark * y
    }
    return [sx / sum, sy / sum] as const
  }

  test('has its points where they went', () => {
    let [furthest, moved] = [0, 0]
    for (let seed = 1; seed <= 40; seed++) {
      const pixels = disc()
      const points = middle()
      // Little light, blur and spots, and all of the warp.
      varyPicture(new Random(seed), pixels, side, points, 0.4)
      const [x, y] = darkOf(pixels)
      const [px, py] = [points[0]!, points[1]!].map((at) => ((at + 1) / 2) * (side - 1))
      furthest = Math.max(furthest, Math.hypot(x - px!, y - py!))
      moved = Math.max(moved, Math.hypot(px! - 40, py! - 24))
    }
    expect(moved).toBeGreaterThan(0.8)
    expect(furthest).toBeLessThan(0.6)
  })

  test('differs from picture to picture, and stays itself without any change', () => {
    const changed = [1, 2].map((seed) => {
      const pixels = disc()
      varyPicture(new Random(seed), pixels, side, middle(), 1)
      return pixels
    })
    expect(changed[0]).not.toEqual(changed[1])
    const pixels = disc()
    const points = middle()
    varyPicture(new Random(1), pixels, side, points, 0)
    expect(pixels).toEqual(disc())
    expect([...points]).toEqual([...middle()].map((x) => expect.closeTo(x, 5)))
  })

  test('no longer has a point that leaves it', () => {
    const left = Array.from({ length: 60 }, (_, i) => {
      const points = Float32Array.of(0.995, -0.995, 1)
      varyPicture(new Random(i), disc(), side, points, 1)
      return points[2]!
    })
    expect(left).toContain(0)
    expect(left).toContain(1)
  })
})

describe('a clip with damaged frames', () => {
  /** A clip of 13 frames, of which the first ones can be decoded. */
  const damagedAfter = (good: number): Clip => ({
    ...{ name: 'damaged.mp4', width: 8, height: 8, frameCount: 13, frameRate: 25, duration: 0.52 },
    async *frames() {
      for (let i = 0; i < 13; i++) {
        const data = new Uint8Array(8 * 8 * 3).fill(i)
        yield { width: 8, height: 8, data, time: i / 25, duration: 0.04, ...(i >= good && { damaged: true }) }
      }
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  })
  const cached = async (good: number, holdout: number, leastFrames?: number) => {
    const options = { size, fit: 'crop', crop: 'middle', holdout, records: RecordFile.temporary } as const
    const cache = await cacheClips([damagedAfter(good)], {
      ...options,
      ...(leastFrames !== undefined && { leastFrames }),
    })
    cache.close()
    return cache.clips[0]
  }

  test('is refused if too few of its frames to train on can be decoded', async () => {
    for (const [good, holdout] of [
      [2, 0.6],
      [2, 0.2],
      [0, 0],
    ] as const) {
      const caching = cached(good, holdout)
      await expect(caching).rejects.toThrow(InputError)
      await expect(caching).rejects.toThrow(
        new RegExp(`damaged\\.mp4[\\s\\S]*13 frames, ${good} of them can`),
      )
    }
    expect(await cached(3, 0.2)).toMatchObject({ training: 2, count: 3 })
  })

  test('may have a single frame if pictures are labelled, and must have one', async () => {
    expect(await cached(1, 0.2, 1)).toMatchObject({ training: 1, count: 1 })
    await expect(cached(0, 0.2, 1)).rejects.toThrow(InputError)
  })
})
