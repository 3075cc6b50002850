/**
 * Damaged videos of five codecs: one packet zeroed or noise, or the file cut in its middle, at three places. As many frames
 * come out as FFmpeg gives, within one group of pictures. The videos are made with FFmpeg, which must be installed.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openVideo } from '../../src/media/codecs.ts'
import { collect, scratch } from './support.ts'

const isHere = spawnSync('ffprobe', ['-version']).status === 0
const title = isHere ? 'damaged videos' : 'damaged videos: skipped, FFmpeg is not here'

/** Pictures in a group. */
const group = 12

const codecs = {
  'h264.mp4': ['-c:v', 'libx264', '-preset', 'veryfast'],
  'hevc.mp4': ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', '-tag:v', 'hvc1'],
  'vp8.webm': ['-c:v', 'libvpx', '-cpu-used', '8', '-b:v', '300k'],
  'vp9.webm': ['-c:v', 'libvpx-vp9', '-cpu-used', '8', '-b:v', '300k'],
  'av1.mp4': ['-c:v', 'libaom-av1', '-cpu-used', '8', '-b:v', '300k'],
} as const

interface Packet {
  /** Place and number of bytes in the file. */
  readonly pos: string
  readonly size: string
}

const ffprobe = (...args: string[]) =>
  execFileSync('ffprobe', ['-v', 'quiet', '-select_streams', 'v', ...args], { encoding: 'utf8' })

describe.skipIf(!isHere)(title, () => {
  const path = scratch()

  test.each(Object.entries(codecs))(
    '%s',
    async (name, options) => {
      const whole = path(name)
      const source = [
        '-f',
        'lavfi',
        '-i',
        'testsrc2=s=96x64:r=25:d=2',
        '-pix_fmt',
        'yuv420p',
        '-g',
        String(group),
      ]
      const movflags = name.endsWith('mp4') ? ['-movflags', '+faststart'] : []
      execFileSync('ffmpeg', ['-v', 'error', '-y', ...source, ...options, ...movflags, whole])
      const { packets } = JSON.parse(ffprobe('-show_entries', 'packet=pos,size', '-of', 'json', whole)) as {
        packets: Packet[]
      }
      for (const place of [0.1, 0.5, 0.85]) {
        const packet = packets[Math.floor(packets.length * place)]!
        const [start, size] = [Number(packet.pos), Number(packet.size)]
        for (const [kind, damage] of Object.entries({
          zeroed: (bytes: Buffer) => bytes.fill(0, start, start + size),
          noise: (bytes: Buffer) =>
            bytes.fill(
              Uint8Array.from({ length: size }, (_, i) => i * 97 + 13),
              start,
              start + size,
            ),
          cut: (bytes: Buffer) => bytes.subarray(0, start + (size >> 1)),
        })) {
          const file = path(`${kind}-${place}-${name}`)
          writeFileSync(file, damage(readFileSync(whole)))
          const counted = ffprobe(
            '-count_frames',
            '-show_entries',
            'stream=nb_read_frames',
            '-of',
            'csv=p=0',
            file,
          )
          await using clip = await openVideo(file)
          const frames = await collect(clip.frames())
          const good = frames.filter(({ damaged }) => !damaged).length
          expect(Math.abs(good - Number.parseInt(counted, 10)), `${kind} at ${place}`).toBeLessThanOrEqual(
            group,
          )
          if (good < frames.length) expect(clip.notices).toEqual([expect.stringMatching(/damaged frame/)])
          if (kind === 'cut') expect(clip.notices).toEqual([expect.stringMatching(/cut short/)])
        }
      }
    },
    240_000,
  )
})
