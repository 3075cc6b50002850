import { describe, expect, it } from 'vitest'
import { LandmarkRegression, LeastSquares } from '../../src/evaluate/landmarks.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { jointNames } from '../../src/synthetic/puppet/skeleton.ts'
import { Random } from '../../src/util/random.ts'

const numbers = (random: Random, length: number) => Float32Array.from({ length }, () => random.between(-1, 1))

/** A random linear map; the matrix product in plain sums. */
function drawMap(random: Random, inputs: number, outputs: number) {
  const weights = numbers(random, inputs * outputs)
  return (x: Float32Array) =>
    Float32Array.from({ length: outputs }, (_, j) =>
      x.reduce((sum, v, i) => sum + v * weights[i * outputs + j]!, 0),
    )
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]!)))

describe('least squares', () => {
  it('recover a linear map', () => {
    const random = new Random(1)
    const map = drawMap(random, 8, 5)
    const squares = new LeastSquares(8, 5)
    for (let i = 0; i < 40; i++) {
      const x = numbers(random, 8)
      squares.add(x, map(x))
    }
    const found = squares.solve()
    const x = numbers(random, 8)
    expect(worst(found(x), map(x))).toBeLessThan(1e-6)
  })

  it('leave a residual that is orthogonal to the inputs', () => {
    const random = new Random(2)
    const pairs = Array.from({ length: 30 }, () => [numbers(random, 4), numbers(random, 3)] as const)
    const squares = new LeastSquares(4, 3)
    for (const [x, y] of pairs) squares.add(x, y)
    const found = squares.solve()
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 3; j++) {
        const product = pairs.reduce((sum, [x, y]) => sum + x[i]! * (y[j]! - found(x)[j]!), 0)
        expect(Math.abs(product)).toBeLessThan(1e-8)
      }
    }
  })

  it('stay finite and exact where inputs depend on each other, and are 0 for no input', () => {
    const random = new Random(3)
    const squares = new LeastSquares(3, 1)
    const input = () => {
      const [a, b] = [random.between(-1, 1), random.between(-1, 1)]
      return [a, b, a - 2 * b] as const
    }
    for (let i = 0; i < 20; i++) {
      const x = input()
      squares.add(x, [x[0] + x[1]])
    }
    const x = input()
    expect(squares.solve()(x)[0]).toBeCloseTo(x[0] + x[1], 8)
    const none = new LeastSquares(2, 1)
    none.add([0, 0], [1])
    expect([...none.solve()([1, 1])]).toEqual([0])
  })
})

describe('landmark regression', () => {
  /** Frames of keypoints, landmarks that hang on them linearly, and a length of 2. */
  function regress(change: (landmarks: Float32Array[]) => Float32Array[], frames = 100) {
    const random = new Random(4)
    const keypoints = Array.from({ length: frames }, () => numbers(random, 6))
    const map = drawMap(random, 6, 8)
    const landmarks = change(keypoints.map(map))
    const regression = new LandmarkRegression(3, 4)
    keypoints.forEach((kp, i) => {
      if (i < frames / 2) regression.fit(kp, landmarks[i]!)
      else regression.measure(kp, landmarks[i]!, 2)
    })
    return regression.result()!
  }

  it('has no error where one is a linear map of the other', () => {
    const { forward, backward, mean, fitted, frames } = regress((landmarks) => landmarks)
    expect(forward).toBeLessThan(1e-6)
    expect(backward).toBeLessThan(1e-6)
    expect(mean.forward).toBeGreaterThan(0.1)
    expect([fitted, frames]).toEqual([50, 50])
  })

  it('fails on landmarks of other frames: no better than their mean', () => {
    const shuffled = regress((landmarks) => landmarks.map((_, i) => landmarks[(i * 37 + 11) % 100]!))
    expect(shuffled.forward).toBeGreaterThan(0.9 * shuffled.mean.forward)
    expect(shuffled.backward).toBeGreaterThan(0.9 * shuffled.mean.backward)
  })

  it('tells landmarks that keypoints do not follow, forward and backward apart', () => {
    // The last two landmarks stand still: keypoints tell them only by a mean, and can still be told by the others.
    const still = regress((landmarks) => landmarks.map((values) => values.map((v, i) => (i < 6 ? v : 0.5))))
    expect(still.forward).toBeGreaterThan(0.01)
    expect(still.backward).toBeLessThan(1e-4)
  })

  it('divides by the length of the frame, and means over frames', () => {
    const regression = new LandmarkRegression(1, 1)
    regression.fit(Float32Array.of(1, 0), Float32Array.of(1, 0))
    regression.fit(Float32Array.of(0, 1), Float32Array.of(0, 1))
    regression.measure(Float32Array.of(0, 0), Float32Array.of(0.3, 0.4), 0.5)
    regression.measure(Float32Array.of(0.3, 0.4), Float32Array.of(0.3, 0.4), 4)
    expect(regression.result()!.forward).toBeCloseTo(0.5, 6)
  })

  it('is undefined without frames to fit or to measure on', () => {
    const regression = new LandmarkRegression(1, 1)
    regression.measure(Float32Array.of(1, 0), Float32Array.of(1, 0), 1)
    expect(regression.result()).toBeUndefined()
    regression.fit(Float32Array.of(1, 0), Float32Array.of(1, 0))
    expect(regression.result()).toBeDefined()
  })

  it('finds a stiff torso of puppets from three of its joints', async () => {
    const torso = ['neck', 'leftShoulder', 'rightShoulder', 'leftHip', 'rightHip'] as const
    const pick = (joints: Float32Array, names: readonly (typeof torso)[number][]) =>
      Float32Array.from(
        names.flatMap((name) => [...joints.subarray(2 * jointNames.indexOf(name)).slice(0, 2)]),
      )
    const regression = new LandmarkRegression(3, 5)
    for await (const { time, joints } of puppetClip({ seed: 6, frames: 60, size: 16 }).frames()) {
      const [keypoints, landmarks] = [pick(joints, torso.slice(0, 3)), pick(joints, torso)]
      if (time < 1.2) regression.fit(keypoints, landmarks)
      else regression.measure(keypoints, landmarks, 1)
    }
    const { forward, backward, mean } = regression.result()!
    expect(forward).toBeLessThan(1e-4)
    expect(backward).toBeLessThan(1e-4)
    expect(mean.forward).toBeGreaterThan(1e-2)
  })
})
