import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { pixelAt, toPixel } from '../../src/media/clip.ts'
import { cos, sin } from '../../src/synthetic/arithmetic.ts'
import { puppetClip, stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { jointNames } from '../../src/synthetic/puppet/skeleton.ts'
import { InputError } from '../../src/util/errors.ts'
import { collect, expectFailure } from '../media/support.ts'

const pinned = jointNames.filter((name) => /neck|Shoulder|Elbow|Hip|Knee/.test(name))

describe('puppets', () => {
  test('a seed names the same pixels and joints, on every machine and in any order', async () => {
    const hash = createHash('sha256')
    for (const seed of [1, 2, 3, 4]) {
      const clip = puppetClip({ seed, frames: 9, size: 64 })
      const frames = await collect(clip.frames({ step: 4 }))
      const again = await collect(clip.frames({ fromFrame: 8 }))
      expect(again[0]!.data).toEqual(frames[2]!.data)
      for (const frame of frames)
        hash.update(frame.data).update(Uint8Array.from(frame.joints, (x) => x * 100))
    }
    // A deliberate change of the drawing changes this; a new machine or Node release must not.
    expect(hash.digest('hex').slice(0, 16)).toBe('85444e0903d560f1')
  })

  test('other seeds are other puppets', () => {
    const pictures = new Set<string>()
    for (let seed = 0; seed < 12; seed++) {
      pictures.add(
        createHash('sha1')
          .update(stillPuppet({ seed, size: 32 }).data)
          .digest('hex'),
      )
    }
    expect(pictures.size).toBe(12)
  })

  test('the joints are where the brass pins are', async () => {
    let checked = 0
    for (const seed of [3, 8, 21]) {
      for await (const frame of puppetClip({ seed, frames: 100, size: 256 }).frames({ step: 25 })) {
        for (const name of pinned) {
          const j = jointNames.indexOf(name)
          if (frame.visible[j] === 0) continue
          const x = Math.round(toPixel(frame.joints[2 * j]!, 256))
          const y = Math.round(toPixel(frame.joints[2 * j + 1]!, 256))
          const [r, g, b] = pixelAt(frame, x, y)
          // Brass: yellow-brown.
          expect(r, `${name}, seed ${seed}`).toBeGreaterThan(g)
          expect(g - b, `${name}, seed ${seed}`).toBeGreaterThan(40)
          checked++
        }
      }
    }
    expect(checked).toBeGreaterThan(90)
  })

  test('the figure moves smoothly and keeps to the picture', async () => {
    for (const seed of [1, 2, 3]) {
      let before: Float32Array | undefined
      let travelled = 0
      for await (const { joints, visible } of puppetClip({ seed, frames: 100, size: 16 }).frames()) {
        expect(visible.reduce((sum, v) => sum + v, 0)).toBeGreaterThan(9)
        joints.forEach((value, i) => {
          expect(Math.abs(value)).toBeLessThan(1.1)
          const step = Math.abs(value - (before?.[i] ?? value))
          expect(step).toBeLessThan(0.12)
          travelled += step
        })
        before = joints
      }
      expect(travelled / 28).toBeGreaterThan(0.3)
    }
  })

  test('the size changes the sharpness, not the pose', () => {
    const large = stillPuppet({ seed: 6, size: 256 })
    const small = stillPuppet({ seed: 6, size: 64 })
    expect(small.joints).toEqual(large.joints)
  })

  test('our sine is a sine', () => {
    for (let x = -20; x < 20; x += 0.0137) {
      expect(Math.abs(sin(x) - Math.sin(x))).toBeLessThan(1e-8)
      expect(Math.abs(cos(x) - Math.cos(x))).toBeLessThan(1e-8)
    }
  })
})

describe('puppet specs', () => {
  test('seed and options', async () => {
    const clip = await openClip('puppet:7,frames=12,size=48,rate=12.5')
    expect(clip).toMatchObject({ frameCount: 12, width: 48, frameRate: 12.5, duration: 12 / 12.5 })
    expect(await openClip('puppet:7')).toMatchObject({ frameCount: 240, width: 256, frameRate: 25 })
  })

  test('mistakes are named', async () => {
    await expectFailure(() => openClip('puppet:'), InputError, 'no such puppet', 'puppet:SEED')
    await expectFailure(() => openClip('puppet:x'), InputError, 'no such puppet')
    await expectFailure(() => openClip('puppet:1,frame=2'), InputError, 'frame=2', 'frames=120')
    await expectFailure(() => openClip('puppet:1,frames=0'), InputError, 'frames', '1 to 1000000')
    await expectFailure(() => openClip('puppet:1,frames=10000000000'), InputError, 'frames', '1 to 1000000')
    await expectFailure(() => openClip('puppet:1,size=8'), InputError, 'size', '16 to 4096')
  })
})
