import { describe, expect, it } from 'vitest'
import { jointsInFrame, torsoLength } from '../../src/evaluate/evaluated-frame.ts'
import { luma } from '../../src/evaluate/generation.ts'
import { blankFrame, fromPixel, toPixel } from '../../src/media/clip.ts'
import { createFitter, type FitMode, type Square } from '../../src/media/fit.ts'
import { type PuppetFrame, stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { jointNames } from '../../src/synthetic/puppet/skeleton.ts'

const [width, height, size] = [160, 128, 32]

/** A black picture with a white block of 8 x 8 pixels around each joint, one at a time. */
function marked(x: number, y: number): PuppetFrame {
  const frame = blankFrame(width, height)
  for (let row = y - 4; row < y + 4; row++) {
    frame.data.fill(255, (row * width + x - 4) * 3, (row * width + x + 4) * 3)
  }
  // The middle of the block lies between its pixels.
  const joints = Float32Array.of(fromPixel(x - 0.5, width), fromPixel(y - 0.5, height))
  return { ...frame, joints, visible: Uint8Array.of(1) }
}

/** Where the light is, in pixels; the bars of a letterbox are grey. */
function brightest(pixels: Uint8Array, background: number): [number, number] {
  let [sum, x, y] = [0, 0, 0]
  luma(pixels).forEach((v, i) => {
    const light = Math.max(0, v - background)
    sum += light
    x += light * (i % size)
    y += light * Math.floor(i / size)
  })
  return [x / sum, y / sum]
}

describe("a puppet's joints", () => {
  it.each<[FitMode, Square | undefined, number]>([
    ['crop', undefined, 0],
    ['crop', { left: 30, top: 8, side: 64 }, 0],
    ['letterbox', undefined, 130],
  ])('are where the network sees them: %s, %o', (mode, crop, background) => {
    const fitter = createFitter({ width, height }, size, { mode, ...(crop && { crop }) })
    for (const [x, y] of [
      [52, 40],
      [80, 64],
      [71, 37],
    ] as const) {
      const frame = marked(x, y)
      const [atX, atY] = brightest(fitter(frame), background)
      const joints = jointsInFrame(frame, fitter)!
      // Bars are whole pixels: a quarter of one is what `seenSquare` promises.
      const tolerance = mode === 'crop' ? 0.02 : 0.3
      expect(Math.abs(toPixel(joints[0]!, size) - atX)).toBeLessThan(tolerance)
      expect(Math.abs(toPixel(joints[1]!, size) - atY)).toBeLessThan(tolerance)
    }
  })

  it('are beyond 1 where they are outside of the crop, and as they are where nothing is fitted', () => {
    const crop = { left: 0, top: 0, side: 64 }
    const fitter = createFitter({ width, height }, size, { crop })
    expect(jointsInFrame(marked(100, 30), fitter)![0]).toBeGreaterThan(1)
    const puppet = stillPuppet({ seed: 3, size })
    const own = jointsInFrame(puppet, createFitter(puppet, size))!
    own.forEach((v, i) => {
      expect(v).toBeCloseTo(puppet.joints[i]!, 5)
    })
  })

  it('are known of puppets alone', () => {
    expect(jointsInFrame(blankFrame(width, height), createFitter({ width, height }, size))).toBeUndefined()
  })

  it('have a torso as long as from the neck to the middle of the hips', () => {
    const joints = new Float32Array(2 * jointNames.length)
    joints.set([0.1, -0.3], 2 * jointNames.indexOf('neck'))
    joints.set([0, 0.1], 2 * jointNames.indexOf('leftHip'))
    joints.set([0.8, 0.1], 2 * jointNames.indexOf('rightHip'))
    expect(torsoLength(joints)).toBeCloseTo(0.5, 6)
    expect(torsoLength(stillPuppet({ seed: 1, size: 16 }).joints)).toBeGreaterThan(0.2)
  })
})
