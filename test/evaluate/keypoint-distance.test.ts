import { describe, expect, it } from 'vitest'
import {
  averageKeypointDistance,
  jacobianDifference,
  keypointDistance,
  TeacherMeter,
} from '../../src/evaluate/keypoint-measures.ts'
import { toPixel } from '../../src/media/clip.ts'
import { InputError } from '../../src/util/errors.ts'

const points = Float32Array.of(0, 0, 0.5, -0.5, -1, 1)
/** The first point moved by (0.3, -0.4), the others not at all. */
const moved = Float32Array.of(0.3, -0.4, 0.5, -0.5, -1, 1)

describe('distances of keypoints', () => {
  it('are 0 for the same ones', () => {
    expect(keypointDistance(points, points)).toBe(0)
    expect(jacobianDifference(points, points)).toBe(0)
    expect(averageKeypointDistance(points, points, 256)).toBe(0)
  })

  it('are the mean length of a move to the teacher, and the mean of its coordinates in pixels for AKD', () => {
    // A move of length 0.5 of one point in three; 0.7 over the six coordinates.
    expect(keypointDistance(points, moved)).toBeCloseTo(0.5 / 3, 7)
    const pixel = toPixel(1, 256) - toPixel(0, 256)
    expect(averageKeypointDistance(points, moved, 256)).toBeCloseTo((0.7 / 6) * pixel, 5)
  })

  it('refuse keypoints of two numbers', () => {
    for (const call of [keypointDistance, jacobianDifference]) {
      expect(() => call(points, points.subarray(2))).toThrow(InputError)
    }
    expect(() => averageKeypointDistance(points.subarray(2), points, 64)).toThrow(/got:/)
  })
})

describe('the distance to a teacher', () => {
  const identity = Float32Array.of(1, 0, 0, 1)
  const at = (x: number, jacobian: Float32Array | undefined = identity) => ({
    value: Float32Array.of(x, 0),
    jacobian,
  })

  it('is a mean over frames', () => {
    const meter = new TeacherMeter()
    meter.add(at(0), at(0.1))
    meter.add(at(0), at(-0.3, Float32Array.of(1, 0.4, 0, 1)))
    const { distance, jacobian } = meter.result()!
    expect(distance).toBeCloseTo(0.2, 6)
    expect(jacobian).toBeCloseTo(0.05, 6)
  })

  it('says nothing of maps where one of the two has none, and nothing at all without frames', () => {
    const meter = new TeacherMeter()
    expect(meter.result()).toBeUndefined()
    meter.add(at(0), { value: Float32Array.of(0, 0), jacobian: undefined })
    expect(meter.result()).toEqual({ distance: 0, jacobian: undefined })
  })
})
