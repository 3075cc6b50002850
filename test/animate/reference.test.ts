// The search for the reference frame, and the poses that it keeps.
import { describe, expect, it } from 'vitest'
import { nearestPose, type Pose, PoseSequence } from '../../src/animate/transfer.ts'
import type { Keypoints } from '../../src/model/keypoint-detector.ts'
import { movedKeypoints as moved, randomKeypoints } from './support.ts'

describe('the reference frame', () => {
  const source = randomKeypoints(5)
  async function* each(list: readonly Keypoints[]) {
    yield* list
  }

  it('is the one of the same pose, wherever and however large it is', async () => {
    const frames = [randomKeypoints(6), moved(source, 0.4, 0.3, -0.2), randomKeypoints(7)]
    expect((await nearestPose(source, each(frames)))?.frame).toBe(1)
  })

  it('is the first of equals', async () => {
    const twice = [randomKeypoints(6), source, moved(source, 1, 0, 0)]
    expect((await nearestPose(source, each(twice)))?.frame).toBe(1)
    expect(await nearestPose(source, each([]))).toBeUndefined()
  })
})

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

describe('a sequence of poses', () => {
  it.each([true, false])(
    'gives back the poses that were added, over many blocks; matrices: %s',
    (matrices) => {
      const given = poses(2500, 3, matrices)
      const sequence = new PoseSequence(3, matrices)
      for (const pose of given) sequence.add(pose)
      expect(sequence.length).toBe(2500)
      expect([...sequence]).toEqual(given)
      // It can be read again, and a reader may change the poses that it got.
      const [first] = sequence
      first!.keypoints.value.fill(9)
      expect([...sequence][0]).toEqual(given[0])
    },
  )

  it('is empty at first', () => {
    expect([...new PoseSequence(3, true)]).toEqual([])
  })
})
