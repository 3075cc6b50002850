// Loops that compute without waiting leave room for timers, and so for signals.
import { expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'

test.each(['puppet:3,frames=2000,size=128', 'head:3,frames=400,size=64'])(
  'a timer ends the reading of %s',
  async (spec) => {
    const clip = await openClip(spec)
    let stopped = false
    setTimeout(() => {
      stopped = true
    }, 200)
    let read = 0
    for await (const _ of clip.frames()) {
      read++
      if (stopped) break
    }
    expect(stopped).toBe(true)
    expect(read).toBeLessThan(clip.frameCount)
  },
)
