// Landmark regression on heads: people apart, parts of the face, thirds of skin, and real heads through `evaluate`'s frames.
import { describe, expect, it } from 'vitest'
import { headMesh, openClip } from '../../src/clips/source.ts'
import { clipEvaluator } from '../../src/evaluate/evaluated-frame.ts'
import { betweenEyes, HeadLandmarkMeter } from '../../src/evaluate/head-landmarks.ts'
import { frameAt } from '../../src/media/clip.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { headClip } from '../../src/synthetic/head/head.ts'
import { hasLightness } from '../../src/synthetic/made-clips.ts'
import { Random } from '../../src/util/random.ts'

const keypoints = 3
const blindModel = {
  config: smallConfig({ net: 'lednet', size: 32, keypoints }),
  detect: async () => ({ value: new Float32Array(2 * keypoints), jacobian: undefined }),
}
const landmarks = 66

/**
 * Heads whose landmarks hang linearly on their keypoints, and then are changed.
 *
 * @param lightness of each head
 */
function measure(
  lightness: readonly number[],
  change: (found: Float32Array, head: number, frame: number) => void = () => {},
) {
  const random = new Random(5)
  const map = Array.from({ length: 2 * landmarks * 2 * keypoints }, () => random.between(-1, 1))
  const meter = new HeadLandmarkMeter(keypoints)
  lightness.forEach((light, head) => {
    meter.begin(light)
    for (let frame = 0; frame < 40; frame++) {
      const kp = Float32Array.from({ length: 2 * keypoints }, () => random.between(-1, 1))
      const found = Float32Array.from({ length: 2 * landmarks }, (_, j) =>
        kp.reduce((sum, v, i) => sum + v * map[i * 2 * landmarks + j]!, 0),
      )
      // Outer corners of the eyes 0.5 apart, as the only points that do not follow.
      found.set([0, 0], 2 * 36)
      found.set([0.3, 0.4], 2 * 45)
      change(found, head, frame)
      meter.add(kp, found, frame < 20)
    }
  })
  return meter.result()
}

describe('heads', () => {
  it('are predicted from the keypoints that they follow, where the corners of the eyes, which stay, are not', () => {
    const { forward, parts, mean, strangers, fitted, frames } = measure([10, 20])!
    expect(parts.jaw).toBeLessThan(1e-4)
    expect(parts.mouth).toBeLessThan(1e-4)
    expect(parts.eyes).toBeGreaterThan(0.05)
    expect(forward).toBeCloseTo((12 / 66) * parts.eyes, 4)
    expect(mean.forward).toBeGreaterThan(1)
    expect({ strangers, fitted, frames }).toEqual({ strangers: true, fitted: 40, frames: 80 })
  })

  it('are strangers to the maps: what holds for one person alone is not told of another', () => {
    const own = (found: Float32Array, head: number) => {
      for (let i = 0; i < 17; i++) found[2 * i]! *= head % 2 === 0 ? 1 : -1
    }
    const { parts } = measure([10, 20], own)!
    expect(parts.mouth).toBeLessThan(1e-4)
    // The map has the other sign for each of the two heads, so that every x of the jaw is off by twice itself.
    let [sum, count] = [0, 0]
    measure([10, 20], (found) => {
      for (let i = 0; i < 17; i++) sum += Math.abs(found[2 * i]!)
      count += 17
    })
    expect(parts.jaw).toBeCloseTo((2 * sum) / count / 0.5, 3)
    // A single head is fitted on its first half, so that it is no stranger.
    const alone = measure([10], own)!
    expect(alone.parts.jaw).toBeLessThan(1e-4)
    expect(alone).toMatchObject({ strangers: false, fitted: 20, frames: 20, skin: undefined })
  })

  it('are measured by maps of nine tenths of the others', () => {
    const many = measure(Array.from({ length: 20 }, (_, i) => 20 + i))!
    expect(many).toMatchObject({ strangers: true, fitted: 18 * 40, frames: 20 * 40 })
    // Seven heads are seven parts.
    expect(measure([1, 2, 3, 4, 5, 6, 7])).toMatchObject({ fitted: 6 * 40, frames: 7 * 40 })
  })

  it('are told apart by the lightness of their skin', () => {
    // What is wrong with one head has no sign that lasts, so that the maps for the others hardly see it.
    const noisy = (found: Float32Array, head: number, frame: number) => {
      if (head === 2) for (let i = 0; i < 17; i++) found[2 * i]! += frame % 2 === 0 ? 0.5 : -0.5
    }
    const { skin } = measure([50, 70, 20, 60, 80, 30], noisy)!
    expect(skin!.middle).toBeCloseTo(skin!.lightest, 1)
    // One of the two dark heads is off by 1 eye distance at 17 of 66 landmarks.
    expect(skin!.darkest - skin!.lightest).toBeGreaterThan(0.08)
    expect(skin!.darkest - skin!.lightest).toBeLessThan(0.18)
  })

  it('are not measured where there are none', () => {
    expect(new HeadLandmarkMeter(3).result()).toBeUndefined()
  })
})

describe('rendered heads', () => {
  it('know how light their skin is', () => {
    const lightness = Array.from({ length: 12 }, (_, i) => {
      return headClip({ seed: i + 1, frames: 1, size: 16 }, headMesh()).lightness
    })
    for (const value of lightness) {
      expect(value).toBeGreaterThan(20)
      expect(value).toBeLessThan(92)
    }
    expect(Math.max(...lightness) - Math.min(...lightness)).toBeGreaterThan(15)
  })

  it('have their landmarks where the network sees them', async () => {
    const clip = await openClip('head:3,frames=2,size=64,framing=close')
    expect(hasLightness(clip)).toBe(true)
    const frame = await frameAt(clip, 0)
    const options = {
      fit: 'crop',
      crop: 'motion',
      faces: () => Promise.reject(new Error('no face is looked for')),
    } as const
    const { evaluated: look } = await clipEvaluator(blindModel, undefined, clip, options)
    const evaluated = await look(frame)
    expect(evaluated.joints).toBeUndefined()
    expect(evaluated.landmarks).toHaveLength(2 * landmarks)
    expect(betweenEyes(evaluated.landmarks!)).toBeGreaterThan(0.3)
    expect(betweenEyes(evaluated.landmarks!)).toBeLessThan(1)
  })
})
