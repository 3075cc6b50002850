// Small pictures of the studio's subjects: files that must show what is drawn today.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { starters } from '../../src/run/starters.ts'

const folder = fileURLToPath(new URL('../../studio/public/subjects', import.meta.url))
const specs = [...new Set(starters.flatMap(({ examples }) => examples))]
const fileOf = (spec: string) => `${spec.replace(':', '-')}.webp`

/** RGB of a file as it is shown. */
const shown = (file: string) => sharp(`${folder}/${file}`).removeAlpha().raw().toBuffer()

/** Mean absolute difference in levels. */
const difference = (a: Buffer, b: Buffer) =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length

describe('pictures of subjects', () => {
  test('are there for all examples of starters, and for nothing else', () => {
    expect(readdirSync(folder).toSorted()).toEqual(specs.map(fileOf).toSorted())
  })

  test.each(specs)('%s is as it is drawn, and no other one', async (spec) => {
    await using clip = await openClip(`${spec},frames=1,size=256`)
    const frames = clip.frames()
    const { data, width, height } = (await frames.next()).value!
    const drawn = await sharp(data, { raw: { width, height, channels: 3 } })
      .resize(224, 224)
      .raw()
      .toBuffer()
    for (const one of specs) {
      const off = difference(drawn, await shown(fileOf(one)))
      if (one === spec) expect(off).toBeLessThan(4)
      else expect(off).toBeGreaterThan(8)
    }
  })
})
