import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Framed, letFrame } from '../../studio/src/animate/framing.ts'

/** Moving the square of a picture, while another picture is chosen. */

interface Picture extends Framed {
  readonly source: string
}

const large: Picture = {
  ...{ source: 'large.jpg', width: 2000, height: 1500 },
  square: { left: 600, top: 200, side: 1000 },
}
const small: Picture = {
  ...{ source: 'small.png', width: 300, height: 200 },
  square: { left: 50, top: 0, side: 200 },
}

describe('a square that is moved', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A canvas that shows a picture, and what its squares became. */
  const frame = (shown: { picture: Picture | undefined }) => {
    const canvas = Object.assign(new EventTarget(), {
      getBoundingClientRect: () => ({ left: 0, top: 0, width: 100, height: 100 }),
    })
    const settled: Picture[] = []
    letFrame<Picture>(canvas as unknown as HTMLCanvasElement, {
      now: () => shown.picture,
      show(square) {
        shown.picture = shown.picture && { ...shown.picture, square }
      },
      settle: (moved) => settled.push(moved),
    })
    const turnWheel = (deltaY: number) =>
      canvas.dispatchEvent(Object.assign(new Event('wheel'), { deltaY, clientX: 50, clientY: 50 }))
    return { settled, turnWheel }
  }

  test('is at rest some time after the last turn of the wheel', () => {
    const shown = { picture: large }
    const { settled, turnWheel } = frame(shown)
    turnWheel(-100)
    turnWheel(-100)
    expect(settled).toEqual([])
    vi.runAllTimers()
    expect(settled).toEqual([shown.picture])
    expect(settled[0]!.square.side).toBeCloseTo(1000 * Math.exp(-0.4))
  })

  test('is that of the picture on which it was moved, and not of the one that is shown when it comes to rest', () => {
    const shown = { picture: large }
    const { settled, turnWheel } = frame(shown)
    turnWheel(-100)
    shown.picture = small
    vi.runAllTimers()
    expect(settled.map(({ source }) => source)).toEqual(['large.jpg'])
    expect(shown.picture).toEqual(small)
  })

  test('does not move as long as there is nothing to move', () => {
    const { settled, turnWheel } = frame({ picture: undefined })
    turnWheel(-100)
    vi.runAllTimers()
    expect(settled).toEqual([])
  })
})
