/**
 * Colours of each pixel format that is read: SMPTE bars, which FFmpeg encodes, are within 3 levels of the picture that FFmpeg
 * decodes. Formats that are not read are in formats.test.ts.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { frameAt, pixelAt } from '../../src/media/clip.ts'
import { openVideo } from '../../src/media/codecs.ts'
import { bars, collect, scratch } from './support.ts'

const isHere = spawnSync('ffmpeg', ['-version']).status === 0
const title = isHere ? 'pixel formats' : 'pixel formats: skipped, FFmpeg is not here'

const formats = {
  libx264: 'yuv420p yuv422p yuv444p yuv420p10le yuv422p10le yuv444p10le gray gray10le',
  libx264rgb: 'rgb24',
  libx265: 'yuv420p yuv422p yuv444p gbrp yuv420p10le yuv422p10le yuv444p10le gbrp10le yuv444p12le gbrp12le',
  'libvpx-vp9': 'yuv420p yuv422p yuv444p gbrp yuv420p10le yuv422p10le gbrp10le yuv444p12le gbrp12le',
  'libaom-av1': 'yuv420p yuv422p yuv444p gbrp yuv420p10le gbrp10le yuv444p12le gbrp12le',
  libvpx: 'yuv420p',
} as const

const options: Readonly<Record<string, readonly string[]>> = {
  libx265: ['-x265-params', 'log-level=none', '-tag:v', 'hvc1'],
  'libaom-av1': ['-cpu-used', '8'],
  'libvpx-vp9': ['-b:v', '1M', '-cpu-used', '4'],
  libvpx: ['-b:v', '1M'],
}

/** Matrices of Y, U and V, by the codecs whose headers name them alone. VP9 names BT.2020 as a whole: see the wide colours. */
const matrices = {
  libx264: 'bt709 smpte170m smpte240m fcc bt2020nc',
  libx265: 'bt709 smpte240m fcc bt2020nc',
  'libvpx-vp9': 'bt709 smpte240m',
  'libaom-av1': 'bt709 smpte240m fcc bt2020nc',
} as const

const [width, height] = [128, 96]
const run = (...args: string[]) =>
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...args], {
    maxBuffer: 1e8,
    stdio: ['ignore', 'pipe', 'ignore'],
  })

const cases = Object.entries(formats).flatMap(([codec, list]) =>
  list.split(' ').flatMap((format) => {
    // VP8 has no full range.
    const both = !/gbr|rgb/.test(format) && codec !== 'libvpx'
    return (both ? ['tv', 'pc'] : ['tv']).map((range) => [codec, format, range] as const)
  }),
)

describe.skipIf(!isHere)(title, () => {
  const path = scratch()

  /** A file of bars, with these options of FFmpeg. */
  function barsIn(file: string, codec: string, ...args: string[]): string {
    const made = path(`${file}.${codec.startsWith('libvpx') ? 'webm' : 'mp4'}`)
    run(
      ...['-f', 'lavfi', '-i', `smptebars=s=${width}x${height}:r=25:d=0.12`],
      ...['-c:v', codec, ...(options[codec] ?? []), ...args, made],
    )
    return made
  }

  const scaled = 'scale=in_color_matrix=auto:flags=accurate_rnd+full_chroma_int+full_chroma_inp'

  async function expectLevels(file: string, scale = scaled, most = 3): Promise<void> {
    const expected = run(
      ...['-i', file, '-frames:v', '1', '-vf', scale, '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-'],
    )
    await using clip = await openVideo(file)
    const { data } = await frameAt(clip, 0)
    // Bars have 20 columns. Their edges depend on how chroma is enlarged.
    for (const y of [20, 50]) {
      for (const x of [10, 30, 50, 70, 90, 110, 125]) {
        for (let c = 0; c < 3; c++) {
          const i = (y * width + x) * 3 + c
          expect(Math.abs(data[i]! - expected[i]!), `${x}, ${y}, channel ${c}`).toBeLessThanOrEqual(most)
        }
      }
    }
  }

  test.each(cases)(
    '%s %s %s',
    async (codec, format, range) => {
      const rgb = /gbr|rgb/.test(format)
      const scale = ['-vf', `scale=out_range=${range}:out_color_matrix=bt601`, '-color_range', range]
      const args = [...(rgb ? [] : scale), '-pix_fmt', format, '-crf', '8']
      await expectLevels(barsIn(`${codec}-${format}-${range}`, codec, ...args))
    },
    120_000,
  )

  test.each(
    Object.entries(matrices).flatMap(([codec, list]) => list.split(' ').map((m) => [codec, m] as const)),
  )(
    'the matrix of %s %s',
    async (codec, matrix) => {
      const scale = `scale=out_color_matrix=${matrix},format=yuv420p`
      await expectLevels(
        barsIn(`${codec}-${matrix}`, codec, '-vf', scale, '-colorspace', matrix, '-crf', '8'),
      )
    },
    120_000,
  )

  test('all frames of VP9 in RGB, those with a hidden picture before them too', async () => {
    const file = path('moving.webm')
    run(
      ...['-f', 'lavfi', '-i', `testsrc2=s=${width}x${height}:r=25:d=1.6`, '-pix_fmt', 'gbrp'],
      ...[
        '-c:v',
        'libvpx-vp9',
        '-b:v',
        '300k',
        '-auto-alt-ref',
        '1',
        '-lag-in-frames',
        '16',
        '-g',
        '20',
        file,
      ],
    )
    const expected = run('-i', file, '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-')
    await using clip = await openVideo(file)
    const frames = await collect(clip.frames())
    expect(frames).toHaveLength(40)
    for (const [i, { data }] of frames.entries()) {
      const wanted = expected.subarray(i * data.length, (i + 1) * data.length)
      expect(Buffer.compare(data, wanted), `frame ${i}`).toBe(0)
    }
  }, 120_000)

  /** Bars in colours of BT.2020: light of 203 cd/m2 is white. */
  const wide = (transfer: string, range: string, format: string) =>
    `scale=out_color_matrix=bt709,format=yuv444p,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv,zscale=tin=bt709:pin=bt709:min=bt709:rin=tv:t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020:t=${transfer}:m=bt2020nc:r=${range},format=${format}`

  test.each([
    ['libx265', 'arib-std-b67', 'tv', 'yuv420p10le', '-x265-params', 'log-level=none:lossless=1'],
    ['libx264', 'arib-std-b67', 'tv', 'yuv420p10le', '-qp', '0'],
    ['libx265', 'smpte2084', 'pc', 'yuv444p12le', '-x265-params', 'log-level=none:lossless=1'],
    ['libaom-av1', 'smpte2084', 'tv', 'yuv420p10le', '-aom-params', 'lossless=1'],
    ['libx265', 'bt2020-10', 'tv', 'yuv420p10le', '-x265-params', 'log-level=none:lossless=1'],
    ['libvpx-vp9', 'bt2020-10', 'tv', 'yuv420p', '-b:v', '0', '-lossless', '1'],
  ])(
    'wide colours of %s %s are those that FFmpeg maps, and as bright as the bars',
    async (codec, transfer, range, format, ...lossless) => {
      const tags = ['-color_primaries', 'bt2020', '-color_trc', transfer, '-colorspace', 'bt2020nc']
      const args = ['-vf', wide(transfer, range, format), ...tags, '-color_range', range, ...lossless]
      const file = barsIn(`wide-${codec}-${transfer}`, codec, ...args)
      // No bar is so bright that it is pressed together, so that light is only scaled: 130 cd/m2 are white.
      const light130 = transfer === 'bt2020-10' ? '' : ':npl=130'
      const linear = `zscale=tin=${transfer}:pin=bt2020:min=bt2020nc:rin=${range}:t=linear${light130}`
      await expectLevels(file, `${linear},format=gbrpf32le,zscale=p=bt709:t=bt709`, 2)
      await using clip = await openVideo(file)
      const frame = await frameAt(clip, 0)
      expect(clip.notices).toEqual([expect.stringMatching(/HDR|BT\.2020/)])
      const light = pixelAt(frame, 10, 20)[1]
      for (const [i, bar] of bars.entries()) {
        const colour = pixelAt(frame, [10, 30, 50, 70, 90, 110, 125][i]!, 20)
        for (const c of [0, 1, 2]) {
          // One stored level moves a dark channel of a bright bar by 20 levels.
          if (bar[c]! > 0) expect(Math.abs(colour[c]! - light), `bar ${i}: ${colour}`).toBeLessThanOrEqual(5)
          else expect(colour[c]!, `bar ${i}: ${colour}`).toBeLessThan(25)
        }
      }
    },
    120_000,
  )
})
