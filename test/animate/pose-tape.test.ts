import { describe, expect, it } from 'vitest'
import { type Pose, PoseTape } from '../../src/animate/pose-tape.ts'

function poses(count: number, keypoints: number, matrices: boolean): Pose[] {
  const numbers = (length: number, i: number) => Float32Array.from({ length }, (_, k) => i + k / 64)
  return Array.from({ length: count }, (_, i) => ({
    time: i / 25,
    duration: 1 / 25,
    keypoints: {
      value: numbers(2 * keypoints, i),
      jacobian: matrices ? numbers(4 * keypoints, -i) : undefined,
    },
  }))
}

describe('a tape of poses', () => {
  it.each([true, false])('gives back what was put on it, over many blocks; matrices: %s', (matrices) => {
    const given = poses(2500, 3, matrices)
    const tape = new PoseTape(3, matrices)
    for (const pose of given) tape.add(pose)
    expect(tape.length).toBe(2500)
    expect([...tape]).toEqual(given)
    // More than one pass, and poses that are the reader's own.
    const [first] = tape
    first!.keypoints.value.fill(9)
    expect([...tape][0]).toEqual(given[0])
  })

  it('is empty at first', () => {
    expect([...new PoseTape(3, true)]).toEqual([])
  })
})
