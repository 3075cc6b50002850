import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openVideo } from '../../src/media/codecs.ts'
import { collect, writeOddVideo } from '../media/support.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { openSite } from '../web/browser.ts'
import { framesPerSecond, openWorld, pixels, type World } from './world.ts'

/**
 * Files as people have them, as what drives: ten of them, each loaded again and again. PANTIN_TEST_LOADS says how often.
 */

const loads = Number(process.env.PANTIN_TEST_LOADS ?? 3)

const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=1', '-shortest']
const h264 = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p']
const small = ['-b:v', '300k', '-pix_fmt', 'yuv420p']
/** Frames further and further apart. */
const varied = ['-vf', "setpts='N*N*0.002/TB'", '-fps_mode', 'vfr']

/** What FFmpeg is told beside the picture, by the name of the file. `rotated` is turned by what the container says. */
const kinds = {
  'h264-sound.mp4': [...tone, ...h264, '-c:a', 'aac'],
  'h264.mp4': [...h264, '-movflags', '+faststart'],
  'varied.mp4': [...varied, ...h264],
  'rotated.mp4': h264,
  'fragments.mp4': [...h264, '-movflags', 'frag_keyframe+empty_moov'],
  'phone.mov': [...tone, ...h264, '-bf', '2', '-c:a', 'aac'],
  'vp8-sound.webm': [...tone, '-c:v', 'libvpx', ...small, '-c:a', 'libvorbis'],
  'vp9-sound.webm': [...tone, '-c:v', 'libvpx-vp9', ...small, '-c:a', 'libopus'],
  'varied.webm': [...varied, '-c:v', 'libvpx', ...small],
  'av1.webm': ['-c:v', 'libaom-av1', '-cpu-used', '8', ...small],
} satisfies Readonly<Record<string, readonly string[]>>

/** One colour for each file, red, green and blue, so that the page shows which one drives. */
const colours = [0, 36, 72, 108, 144, 180, 216, 252, 288, 324].map((hue) => rgbOf(hue))

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0
const missing = chromium === undefined ? withoutChromium : hasFfmpeg ? undefined : 'no ffmpeg here'
const title = missing === undefined ? 'files that drive' : `files that drive: skipped, ${missing}`
describe.skipIf(missing !== undefined)(title, () => {
  let world: World
  let files: readonly string[]
  beforeAll(async () => {
    world = await openWorld()
    files = await Promise.all(
      Object.entries(kinds).map(([name, options], i) => film(world.folder, name, options, colours[i]!)),
    )
  }, 240_000)
  afterAll(() => world?.remove())

  test(`each of ten files drives the picture, ${loads} times`, async () => {
    const page = await world.open('animate')
    await framesPerSecond(page)
    await page.getByRole('checkbox', { name: 'Keypoints' }).uncheck()
    const input = page.locator('input[data-for="Choose a video"]')
    const failures: string[] = []
    for (let load = 0; load < loads; load++) {
      for (const [i, file] of files.entries()) {
        await input.setInputFiles(file)
        await page.getByText(basename(file), { exact: true }).waitFor()
        const before = await pixels(page)
        const isShown = await page
          .waitForFunction(showsColour, colours[i]!, { timeout: 20_000 })
          .then(() => true)
          .catch(() => false)
        const said = await page.locator('.trouble, .message.error').allTextContents()
        if (!isShown || said.length > 0) failures.push(`${basename(file)}, load ${load}: ${said.join(' ')}`)
        else if (load === 0) await expect.poll(() => pixels(page)).not.toBe(before)
      }
    }
    process.stdout.write(`${loads * files.length} loads of drivers, ${failures.length} failures\n`)
    expect(failures).toEqual([])
    await page.close()
  }, 3_600_000)

  test(`a page of one's own tracks and animates each of them as soon as it is loaded, ${loads} times`, async () => {
    const site = await openSite()
    try {
      const starter = (name: string) => readFileSync(join('assets/starters/puppet', name))
      for (const name of ['config.json', 'weights.safetensors']) site.files.set(`run/${name}`, starter(name))
      for (const file of files) site.files.set(basename(file), readFileSync(file))
      const page = await site.open()
      const script = `(async () => {
        const bytes = new Map()
        for (const name of ${JSON.stringify(Object.keys(kinds))}) bytes.set(name, await (await fetch(name)).arrayBuffer())
        const animator = await pantin.Animator.open('run/', place)
        const tracker = await pantin.Tracker.open('run/', place)
        await animator.setSource(new ImageData(64, 64))
        const failures = []
        for (let load = 0; load < ${loads}; load++) {
          for (const name of bytes.keys()) {
            const video = document.createElement('video')
            video.muted = true
            try {
              await new Promise((resolve, reject) => {
                video.onloadeddata = resolve
                video.onerror = () => reject(video.error)
                video.src = URL.createObjectURL(new Blob([bytes.get(name)]))
              })
              // Paused, too, a video has its first frame.
              if (load % 2 === 0) void video.play()
              const { value } = await tracker.track(video)
              const { frame } = await animator.animate(video)
              if (value.length !== tracker.keypoints || frame.width !== animator.size) throw new Error('another size')
              frame.close()
            } catch (error) {
              failures.push(name + ', load ' + load + ': ' + error)
            }
            URL.revokeObjectURL(video.src)
            video.removeAttribute('src')
            video.load()
          }
        }
        await tracker.close()
        await animator.close()
        return failures
      })()`
      const failures = await page.evaluate<string[]>(script)
      process.stdout.write(`${loads * files.length} loads of videos, ${failures.length} failures\n`)
      expect(failures).toEqual([])
    } finally {
      await site.close()
    }
  }, 3_600_000)

  test('no page complains on its console', () => {
    expect(world.complaints).toEqual([])
  })
})

/** A second of noise with a square of a colour in the middle of each frame. @returns its path */
async function film(
  folder: string,
  name: string,
  options: readonly string[],
  [red, green, blue]: readonly number[],
): Promise<string> {
  const path = join(folder, name)
  const hex = [red, green, blue].map((value) => value!.toString(16).padStart(2, '0')).join('')
  const source = `testsrc2=size=320x240:rate=25:duration=1,drawbox=x=110:y=70:w=100:h=100:color=0x${hex}:t=fill`
  const run = (words: readonly string[]) =>
    execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...words])
  if (name === 'rotated.mp4') {
    const upright = join(folder, 'upright.mp4')
    run(['-f', 'lavfi', '-i', source, ...options, upright])
    await using clip = await openVideo(upright)
    return writeOddVideo(path, await collect(clip.frames()), { rotation: 90 })
  }
  run(['-f', 'lavfi', '-i', source, ...options, path])
  return path
}

/** Runs in pages: whether what drives is shown, by the colour in its middle. */
function showsColour(wanted: readonly number[]): boolean {
  const canvas = document.querySelector<HTMLCanvasElement>('.stage.drives canvas')!
  const { data } = canvas.getContext('2d')!.getImageData(canvas.width / 2, canvas.height / 2, 1, 1)
  return wanted.every((value, channel) => Math.abs(value - data[channel]!) < 40)
}

/** Red, green and blue, 0 to 255, of a hue in degrees. */
function rgbOf(hue: number): readonly number[] {
  return [0, 8, 4].map((n) => {
    const k = (n + hue / 30) % 12
    return Math.round(255 * (0.5 - 0.4 * Math.max(-1, Math.min(k - 3, 9 - k, 1))))
  })
}
