import { describe, expect, it } from 'vitest'
import { JitterMeter } from '../../src/evaluate/keypoint-measures.ts'
import { Random } from '../../src/util/random.ts'

/** Jitter of two points whose coordinates are this function of the frame number, over clips of so many frames. */
function jitterOf(at: (frame: number) => number, ...clips: number[]) {
  const meter = new JitterMeter()
  for (const frames of clips) {
    meter.begin()
    for (let t = 0; t < frames; t++) meter.add(Float32Array.of(at(t), 0, 0.5, at(t)))
  }
  return meter.result()
}

describe('jitter', () => {
  it('is 0 at constant velocity, and has no ratio where nothing moves', () => {
    expect(jitterOf((t) => t / 64, 20)).toEqual({ acceleration: 0, relative: 0 })
    expect(jitterOf(() => 0.25, 20)).toEqual({ acceleration: 0, relative: undefined })
  })

  it('is the second difference of a parabola, whatever its velocity', () => {
    // x = t² / 256: the second difference is 2 / 256, the first ones 1, 3, 5, ... / 256.
    const { acceleration, relative } = jitterOf((t) => (t * t) / 256, 5)!
    expect(acceleration).toBeCloseTo(2 / 256, 9)
    expect(relative).toBeCloseTo(2 / 4, 9)
    expect(jitterOf((t) => (t * t + 32 * t) / 256, 5)!.acceleration).toBeCloseTo(2 / 256, 9)
  })

  it('tells a jump to and fro from noise, and both from motion', () => {
    expect(jitterOf((t) => (t % 2) / 4, 20)).toEqual({ acceleration: 0.5, relative: 2 })
    const random = new Random(5)
    expect(jitterOf(() => random.normal(), 20_000)!.relative).toBeCloseTo(Math.sqrt(3), 1)
    expect(jitterOf((t) => Math.sin(t / 10), 200)!.relative).toBeLessThan(0.11)
  })

  it('does not see the step from one clip to the next', () => {
    const apart = jitterOf((t) => t / 64, 10, 10)
    expect(apart).toEqual({ acceleration: 0, relative: 0 })
    // As one clip, the jump back to the start would be seen.
    expect(jitterOf((t) => (t % 10) / 64, 20)!.acceleration).toBeGreaterThan(0.01)
  })

  it('needs three frames of one clip', () => {
    expect(jitterOf((t) => t, 2, 2, 1)).toBeUndefined()
    expect(jitterOf((t) => t, 3)).toBeDefined()
  })
})
