import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rgbToI420 } from '../../src/media/yuv.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { scratch } from '../animate/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { trainedRun } from '../support/shared.ts'
import { openSite, type Site } from './browser.ts'

/** The example page as it stands, with a webcam that shows a puppet. */

const title = chromium === undefined ? `examples: skipped, ${withoutChromium}` : 'the example page'

describe.skipIf(chromium === undefined)(title, () => {
  const at = scratch()
  let run: string
  let site: Site

  beforeAll(async () => {
    run = await trainedRun()
    await writeFile(at('webcam.y4m'), await puppetWebcam(64))
    site = await openSite([
      '--disable-gpu',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-video-capture=${at('webcam.y4m')}`,
    ])
    site.files.set('examples/live.html', await readFile('examples/live-keypoints/index.html', 'utf8'))
    for (const [name, from] of [
      ['index.js', 'pantin.js'],
      ['worker.js', 'worker.js'],
    ] as const) {
      site.files.set(`pantin/${name}`, site.files.get(from)!)
    }
  }, 240_000)
  afterAll(() => site?.close())

  test('says what is missing where there is no run', async () => {
    const page = await site.open(
      'examples/live.html',
      'document.querySelector("[role=status]").textContent.includes("remedy")',
    )
    expect(await page.locator('[role=status]').textContent()).toMatch(/the run cannot be fetched/)
    await page.close()
    // The browser reports the file that is not there.
    for (const text of site.complaints.splice(0)) expect(text).toMatch(/404/)
  }, 240_000)

  test('draws the keypoints of a webcam, frame after frame', async () => {
    for (const file of ['config.json', 'weights.safetensors']) {
      site.files.set(`run/${file}`, await readFile(join(run, file)))
    }
    const page = await site.open(
      'examples/live.html',
      'document.querySelector("[role=status]").textContent.includes("frames/s")',
    )
    expect(await page.locator('[role=status]').textContent()).toMatch(/^\d+ frames\/s on cpu$/)
    const picture = () => page.evaluate('document.querySelector("canvas").toDataURL()')
    const before = await picture()
    await expect.poll(picture, { timeout: 20_000 }).not.toBe(before)
    expect(site.complaints).toEqual([])
  }, 240_000)
})

/** A puppet as a webcam's stream: YUV4MPEG2, which Chromium plays again and again. */
async function puppetWebcam(size: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [Buffer.from(`YUV4MPEG2 W${size} H${size} F25:1 Ip A1:1 C420mpeg2\n`)]
  for await (const { data } of puppetClip({ seed: 6, frames: 50, size }).frames()) {
    parts.push(Buffer.from('FRAME\n'), rgbToI420(data, size, size))
  }
  return Buffer.concat(parts)
}
