// Faces in a page are those of Node.
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { headMesh } from '../../src/clips/source.ts'
import { findFaces } from '../../src/faces/node.ts'
import { frameAt } from '../../src/media/clip.ts'
import { headClip } from '../../src/synthetic/head/head.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { inPage, openSite, type Site } from './browser.ts'

interface Found {
  readonly box: { readonly left: number; readonly top: number; readonly side: number }
  readonly head: Found['box']
  readonly score: number
  readonly landmarks: Readonly<Record<number, number>>
}

const title = chromium === undefined ? `pantin/web: skipped, ${withoutChromium}` : 'faces in a page'

describe.skipIf(chromium === undefined)(title, () => {
  let site: Site
  let page: Page

  beforeAll(async () => {
    site = await openSite()
    for (const name of ['faces.safetensors', 'heads.bin']) {
      site.files.set(`assets/${name}`, await readFile(new URL(`../../assets/${name}`, import.meta.url)))
    }
    page = await site.open()
  }, 240_000)
  afterAll(() => site?.close())

  test('are found as in Node, and none where there is none', async () => {
    const [head, none] = await inPage<[Found[], Found[]]>(
      page,
      `
      const finder = await pantin.FaceFinder.open(place)
      const clip = await pantin.openClip('head:1925,frames=2', place, { fit: 'whole' })
      const found = []
      for await (const { picture } of clip.frames({ toFrame: 1 })) found.push(await finder.find(picture))
      const canvas = new OffscreenCanvas(100, 80)
      canvas.getContext('2d').fillRect(0, 0, 100, 80)
      found.push(await finder.find(canvas))
      await clip.close()
      await finder.close()
      return found
    `,
    )
    expect(none).toEqual([])
    const [own] = await findFaces(await frameAt(headClip({ seed: 1925, frames: 2 }, headMesh()), 0))
    expect(head).toHaveLength(1)
    for (const edge of ['left', 'top', 'side'] as const) {
      expect(Math.abs(head[0]!.box[edge] - own!.box[edge])).toBeLessThan(1)
      expect(Math.abs(head[0]!.head[edge] - own!.head[edge])).toBeLessThan(3)
    }
    own!.landmarks.forEach((value, i) => {
      expect(Math.abs(head[0]!.landmarks[i]! - value)).toBeLessThan(1)
    })
  })
})
