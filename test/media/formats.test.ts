/**
 * Pixel formats: colours come out right, or the format is named. The files of `formats` are SMPTE bars of 64 x 48 pixels,
 * made with FFmpeg: `-f lavfi -i smptebars=s=64x48:r=25:d=0.08`, with the pixel format and the codec of the file's name.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Frame, frameAt, pixelAt } from '../../src/media/clip.ts'
import { loadCodecs, openVideo } from '../../src/media/codecs.ts'
import { SampleReader } from '../../src/media/sample-pixels.ts'
import { plainStream } from '../../src/media/stream-format.ts'
import { InputError, PantinError } from '../../src/util/errors.ts'
import { bars, expectFailure } from './support.ts'

const file = (name: string) => fileURLToPath(new URL(`formats/${name}`, import.meta.url))

async function firstFrame(name: string) {
  await using clip = await openVideo(file(name))
  return { frame: await frameAt(clip, 0), notices: clip.notices }
}

/** Columns in the middle of bars: grey, yellow, cyan, green, magenta, red, blue. */
const columns = [5, 15, 25, 35, 45, 55, 62]

function expectBars(frame: Frame, most: number): void {
  for (const [i, x] of columns.entries()) {
    const colour = pixelAt(frame, x, 12)
    for (const c of [0, 1, 2])
      expect(Math.abs(colour[c]! - bars[i]![c]!), `${x}: ${colour}`).toBeLessThanOrEqual(most)
  }
  // White near the left of the lower part, black near its right.
  expect(Math.min(...pixelAt(frame, 17, 42))).toBeGreaterThan(240)
  expect(Math.max(...pixelAt(frame, 40, 42))).toBeLessThan(16)
}

test.each([
  ...['gbr-h264.mp4', 'full444-h264.mp4', 'full444-h264.mpegts', 'full422-h264.mp4', 'gbr10-h265.mp4'],
  ...['gbr-av1.mkv', 'gbr12-av1.mp4', 'gbr-vp9.webm', 'smpte240m-h264.mp4', 'fcc-av1.mp4'],
])('the colours of %s are those of the bars', async (name) => expectBars((await firstFrame(name)).frame, 10))

test('grey is grey', async () => {
  const { frame } = await firstFrame('grey-h264.mp4')
  for (let i = 0; i < frame.data.length; i += 3) {
    expect(frame.data[i]).toBe(frame.data[i + 1])
    expect(frame.data[i]).toBe(frame.data[i + 2])
  }
  expect(pixelAt(frame, 4, 12)[0]).toBeCloseTo(191, -1)
})

test.each([
  ['grey10-h265.mp4', 'H.265 in grey of 10 bits'],
  ['grey-av1.mkv', 'AV1 in grey of 8 bits'],
  ['440-vp9.webm', 'VP9 in 4:4:0 of 8 bits'],
  ['ycgco-h264.mp4', 'H.264 in YCgCo'],
])('%s is refused by the name of its format, with a way out', async (name, format) => {
  await expectFailure(() => openVideo(file(name)), InputError, format, /ffmpeg -i .* -c:v libx264/)
})

test.each(['alpha-vp8.webm', 'alpha-vp9.webm'])('%s is laid over white', async (name) => {
  const { frame } = await firstFrame(name)
  for (const [x, y] of [
    [1, 1],
    [62, 1],
    [1, 46],
    [62, 46],
  ] as const) {
    expect(Math.min(...pixelAt(frame, x, y))).toBeGreaterThan(250)
  }
  const green = pixelAt(frame, 31, 14)
  expect(green[1] - Math.max(green[0], green[2])).toBeGreaterThan(150)
})

test.each(['hlg-h265.mov', 'pq-h265.mov'])('%s is mapped to BT.709, with a notice', async (name) => {
  const { frame, notices } = await firstFrame(name)
  expect(notices).toEqual([expect.stringMatching(/HDR \((HLG|PQ)\).*SDR/)])
  for (const [i, x] of columns.entries()) {
    const colour = pixelAt(frame, x, 12)
    const most = Math.max(...bars[i]!)
    // The hue is kept, and the brightness nearly.
    for (const c of [0, 1, 2]) {
      if (bars[i]![c] === most) expect(Math.abs(colour[c]! - most), `${x}: ${colour}`).toBeLessThan(55)
      else expect(colour[c]!, `${x}: ${colour}`).toBeLessThan(110)
    }
  }
  const grey = pixelAt(frame, 4, 12)
  expect(Math.max(...grey) - Math.min(...grey)).toBeLessThan(9)
})

describe('the header of a stream', () => {
  test('of VP9 in RGB is written anew wherever it is in a packet of several frames', async () => {
    const m = await loadCodecs()
    using input = new m.Input({ source: new m.FilePathSource(file('gbr-vp9.webm')), formats: m.ALL_FORMATS })
    const track = (await input.getPrimaryVideoTrack())!
    const { data } = (await new m.EncodedPacketSink(track).getFirstPacket())!
    const { plain, rgb } = plainStream((await track.getDecoderConfig())!, data, 'x')
    expect(rgb).toBe(true)
    const shown = Uint8Array.of(0b1000_1000)
    const list = (key: Uint8Array) => [0b1100_1001, 1, 0, key.length & 255, key.length >> 8, 0b1100_1001]
    const packet = (key: Uint8Array) => Uint8Array.from([...shown, ...key, ...list(key)])
    expect(plain(data)).not.toEqual(data)
    expect(plain(packet(data))).toEqual(packet(plain(data)))
    expect(plain(shown)).toEqual(shown)
  })

  test('of any bytes is read or passed over, and nothing is asked of them', () => {
    const files = ['gbr-h264.mp4', 'gbr10-h265.mp4', 'full444-h264.mpegts', 'gbr-vp9.webm'].map((name) =>
      readFileSync(file(name)),
    )
    // A frame of VP9 is only seen as one from its first byte on.
    const frame = files[3]!.subarray(files[3]!.indexOf(Uint8Array.of(0x49, 0x83, 0x42)) - 1)
    const packets = [...files, frame, frame]
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .tuple(fc.constantFrom(...packets), fc.oneof(fc.constant(0), fc.nat(4000)), fc.nat(400), fc.nat(255))
        .map(([whole, from, at, byte]) =>
          whole.subarray(from, from + 400).map((b, i) => (i === at ? byte : b)),
        ),
    )
    fc.assert(
      fc.property(
        bytes,
        bytes,
        fc.constantFrom('avc1.f4000a', 'hev1.4.10.L30', 'avc3.f4000a', 'vp09.01.10.08.03'),
        (a, b, codec) => {
          for (const description of [undefined, Uint8Array.from(a)]) {
            const config = { codec, ...(description && { description }) }
            try {
              const { plain } = plainStream(config, Uint8Array.from(b), 'x')
              plain(Uint8Array.from(a))
            } catch (error) {
              expect(error).toBeInstanceOf(PantinError)
            }
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

/** Red as BT.709 stores it, without tags: BT.601 shows it as another red. */
test.each([
  [1280, 544, 'bt709'],
  [640, 640, 'bt709'],
  [1024, 576, 'bt601'],
] as const)('%i x %i without colour tags is %s, as players take it', async (width, height, matrix) => {
  const m = await loadCodecs()
  const planes = [63, 102, 240].map((level, i) =>
    new Uint8Array((width * height) / (i === 0 ? 1 : 4)).fill(level),
  )
  const data = new Uint8Array((width * height * 3) / 2)
  let at = 0
  for (const plane of planes) {
    data.set(plane, at)
    at += plane.length
  }
  const sample = new m.VideoSample(data, {
    ...{ format: 'I420', codedWidth: width, codedHeight: height, timestamp: 0, colorSpace: {} },
  })
  const { data: rgb } = await new SampleReader({ width, height }).read(sample)
  sample.close()
  const [red, green] = matrix === 'bt709' ? [255, 0] : [234, 1]
  expect(Math.abs(rgb[0]! - red), String(rgb.slice(0, 3))).toBeLessThan(8)
  expect(Math.abs(rgb[1]! - green), String(rgb.slice(0, 3))).toBeLessThan(14)
})
