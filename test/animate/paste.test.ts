import { expect, it } from 'vitest'
import { createPaster } from '../../src/animate/animate.ts'
import { blankFrame, type Colour, type Frame, pixelAt } from '../../src/media/clip.ts'

const grey: Colour = [100, 100, 100]
const white: Colour = [200, 200, 200]
const level = (frame: Frame, x: number, y: number): number => pixelAt(frame, x, y)[0]

it('puts a moved square back, at the picture’s own size, with soft edges', () => {
  const { show, width, height } = createPaster(blankFrame(101, 81, grey), { left: 20, top: 20, side: 40 })
  expect([width, height]).toEqual([101, 81])
  const shown = show({ ...blankFrame(16, 16, white), time: 3, duration: 0.5 })
  expect(shown).toMatchObject({ width: 101, height: 81, time: 3, duration: 0.5 })
  expect(level(shown, 19, 40)).toBe(100)
  expect(level(shown, 60, 40)).toBe(100)
  expect(level(shown, 40, 40)).toBe(200)
  // From the edge inwards it grows, without a step.
  const row = Array.from({ length: 8 }, (_, i) => level(shown, 18 + i, 40))
  for (let i = 1; i < row.length; i++) {
    expect(row[i]).toBeGreaterThanOrEqual(row[i - 1]!)
    expect(row[i]! - row[i - 1]!).toBeLessThan(50)
  }
})

it('does not fade where the square ends with the picture', () => {
  const { show } = createPaster(blankFrame(40, 60, grey), { left: 0, top: 0, side: 40 })
  const shown = show(blankFrame(40, 40, white))
  expect(level(shown, 0, 0)).toBe(200)
  expect(level(shown, 39, 20)).toBe(200)
  expect(level(shown, 20, 39)).toBeLessThan(130)
  expect(level(shown, 20, 40)).toBe(100)
})

it('changes nothing where the square is as it was', () => {
  const picture = blankFrame(50, 50)
  for (let i = 0; i < picture.data.length; i++) picture.data[i] = (i * 37) % 256
  const square = { left: 7, top: 5, side: 32 }
  const cut = blankFrame(32, 32)
  for (let y = 0; y < 32; y++) {
    cut.data.set(picture.data.subarray(3 * ((y + 5) * 50 + 7), 3 * ((y + 5) * 50 + 39)), 3 * y * 32)
  }
  expect(createPaster(picture, square).show(cut).data).toEqual(picture.data)
})

it('leaves out what lies beyond the picture', () => {
  const { show } = createPaster(blankFrame(40, 20, grey), { left: 0, top: -10, side: 40 })
  const shown = show(blankFrame(64, 64, white))
  expect([shown.width, shown.height]).toEqual([40, 20])
  expect(level(shown, 20, 10)).toBe(200)
})
