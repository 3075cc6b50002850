import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { blankFrame, type Clip, type Frame } from '../../src/media/clip.ts'
import { loadCodecs, openVideo } from '../../src/media/codecs.ts'
import { maySound, type Sound } from '../../src/media/sound.ts'
import { createVideoWriter, type VideoWriterOptions } from '../../src/media/video-out.ts'
import { rgbToI420 } from '../../src/media/yuv.ts'
import type { PantinError } from '../../src/util/errors.ts'
import { keepAlive } from '../../src/util/event-loop.ts'

/** A folder for this file's tests, removed at their end; gives paths in it. */
export function scratch(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-media-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return (name) => join(folder, name)
}

export async function collect<F extends Frame>(frames: AsyncIterable<F>): Promise<F[]> {
  const all: F[] = []
  for await (const frame of frames) all.push(frame)
  return all
}

export async function writeFrames(
  path: string,
  frames: Iterable<Frame>,
  options: Partial<VideoWriterOptions> = {},
): Promise<string> {
  let writer: Awaited<ReturnType<typeof createVideoWriter>> | undefined
  for (const frame of frames) {
    const { width, height } = frame
    writer ??= await createVideoWriter(path, { width, height, frameRate: 25, ...options })
    await writer.write(frame)
  }
  await writer!.close()
  return path
}

export async function writeClip(path: string, clip: Clip): Promise<string> {
  return writeFrames(path, await collect(clip.frames()), { frameRate: clip.frameRate })
}

/** Smooth and different at every place and time, so that codecs keep it and mistakes show. */
export function gradientFrame(width: number, height: number, shift = 0): Frame {
  const frame = blankFrame(width, height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = [(255 * x) / (width - 1), (255 * y) / (height - 1), (60 + 5 * shift) % 256]
      frame.data.set(colour, (y * width + x) * 3)
    }
  }
  return frame
}

/**
 * Writes with mediabunny itself what our writer never would: rotated tracks, an index in front, VP8, MPEG-TS, a start after
 * zero. A key frame is the first of every 25 frames, or of each `keyInterval` seconds.
 */
export async function writeOddVideo(
  path: string,
  frames: readonly Frame[],
  {
    start = 0,
    keyInterval = 1,
    ...track
  }: { rotation?: 0 | 90 | 180 | 270; flip?: boolean; start?: number; keyInterval?: number } = {},
): Promise<string> {
  const m = await loadCodecs()
  const webm = path.endsWith('.webm')
  const formats = [
    ['.webm', () => new m.WebMOutputFormat()],
    ['.ts', () => new m.MpegTsOutputFormat()],
    ['', () => new m.Mp4OutputFormat({ fastStart: 'in-memory' })],
  ] as const
  const output = new m.Output({
    format: formats.find(([ending]) => path.endsWith(ending))![1](),
    target: new m.FilePathTarget(path),
  })
  const source = new m.VideoSampleSource({
    codec: webm ? 'vp8' : 'avc',
    bitrate: 2e6,
    keyFrameInterval: keyInterval,
  })
  output.addVideoTrack(source, { frameRate: 25, ...track })
  await keepAlive(output.start())
  for (const [i, { width, height, data }] of frames.entries()) {
    const sample = new m.VideoSample(rgbToI420(data, width, height), {
      format: 'I420',
      codedWidth: width,
      codedHeight: height,
      timestamp: start + i / 25,
      duration: 1 / 25,
      colorSpace: { primaries: 'bt709', transfer: 'bt709', matrix: 'bt709', fullRange: false },
    })
    await keepAlive(source.add(sample))
    sample.close()
  }
  await keepAlive(output.finalize())
  return path
}

/** The frames of two webm files one after the other, undecoded: a stream whose frame size changes. */
export async function joinWebm(first: string, second: string, path: string): Promise<string> {
  const m = await loadCodecs()
  const output = new m.Output({ format: new m.WebMOutputFormat(), target: new m.FilePathTarget(path) })
  const source = new m.EncodedVideoPacketSource('vp8')
  output.addVideoTrack(source)
  await output.start()
  let count = 0
  for (const file of [first, second]) {
    const input = new m.Input({ source: new m.FilePathSource(file), formats: m.ALL_FORMATS })
    const track = (await input.getPrimaryVideoTrack())!
    const decoderConfig = (await track.getDecoderConfig())!
    for await (const packet of new m.EncodedPacketSink(track).packets()) {
      await source.add(packet.clone({ timestamp: count++ / 25, sequenceNumber: count }), { decoderConfig })
    }
    input.dispose()
  }
  await output.finalize()
  return path
}

/** A file with sound only: a tenth of a second of silence. */
export async function writeSound(path: string): Promise<string> {
  const m = await loadCodecs()
  const output = new m.Output({ format: new m.MkvOutputFormat(), target: new m.FilePathTarget(path) })
  const source = new m.EncodedAudioPacketSource('pcm-s16')
  output.addAudioTrack(source)
  await output.start()
  const decoderConfig = { codec: 'pcm-s16', numberOfChannels: 1, sampleRate: 8000 }
  await source.add(new m.EncodedPacket(new Uint8Array(1600), 'key', 0, 0.1), { decoderConfig })
  await output.finalize()
  return path
}

/**
 * A video of 25 frames per second that begins at `start`, with one packet of uncompressed sound of 8000 samples per second from 0
 * on. Sample n has the 16 bits of n.
 */
export async function writePcm(
  path: string,
  frames: readonly Frame[],
  { start, seconds }: { readonly start: number; readonly seconds: number },
): Promise<string> {
  const m = await loadCodecs()
  const format = path.endsWith('.mkv') ? new m.MkvOutputFormat() : new m.MovOutputFormat()
  const output = new m.Output({ format, target: new m.FilePathTarget(path) })
  const pictures = new m.VideoSampleSource({ codec: 'avc', bitrate: 2e6 })
  const sound = new m.EncodedAudioPacketSource('pcm-s16')
  output.addVideoTrack(pictures)
  output.addAudioTrack(sound)
  await keepAlive(output.start())
  const data = new Uint8Array(Uint16Array.from({ length: 8000 * seconds }, (_, n) => n).buffer)
  const decoderConfig = { codec: 'pcm-s16', numberOfChannels: 1, sampleRate: 8000 }
  await sound.add(new m.EncodedPacket(data, 'key', 0, seconds), { decoderConfig })
  for (const [i, { width, height, data }] of frames.entries()) {
    const sample = new m.VideoSample(rgbToI420(data, width, height), {
      ...{ format: 'I420', codedWidth: width, codedHeight: height },
      ...{ timestamp: start + i / 25, duration: 1 / 25 },
    })
    await keepAlive(pictures.add(sample))
    sample.close()
  }
  await keepAlive(output.finalize())
  return path
}

/** The bytes of each packet of a video. */
export async function packetsOf(path: string): Promise<Uint8Array[]> {
  const m = await loadCodecs()
  const input = new m.Input({ source: new m.FilePathSource(path), formats: m.ALL_FORMATS })
  const packets: Uint8Array[] = []
  const sink = new m.EncodedPacketSink((await input.getPrimaryVideoTrack())!)
  for await (const packet of sink.packets()) packets.push(packet.data.slice())
  input.dispose()
  return packets
}

/** Copies a file with its bytes changed. */
export function alter(from: string, to: string, change: (bytes: Buffer) => Uint8Array): string {
  writeFileSync(to, change(readFileSync(from)))
  return to
}

/** That the call fails with this error, its message holding all the parts. */
export async function expectFailure(
  call: () => unknown,
  kind: typeof PantinError,
  ...parts: readonly (string | RegExp)[]
): Promise<void> {
  let caught: unknown
  try {
    await call()
  } catch (error) {
    caught = error
  }
  expect(caught).toBeInstanceOf(kind)
  for (const part of parts) expect((caught as PantinError).message).toMatch(part)
}

/** The colour bars of SMPTE at 75%, from the left: grey, yellow, cyan, green, magenta, red, blue. */
export const bars = [
  [192, 192, 192],
  [192, 192, 0],
  [0, 192, 192],
  [0, 192, 0],
  [192, 0, 192],
  [192, 0, 0],
  [0, 0, 192],
] as const

/** Seconds of a packet of `madeSound`. */
export const soundStep = 1024 / 44_100

/** AAC packets, of bytes that are no sound, from a packet before the first frame to the third second. */
export async function madeSound(codec: 'aac' | 'opus' = 'aac'): Promise<Sound> {
  const { EncodedPacket } = await loadCodecs()
  const config = {
    aac: {
      codec: 'mp4a.40.2',
      description: Uint8Array.of(0x12, 0x08),
      numberOfChannels: 1,
      sampleRate: 44_100,
    },
    opus: { codec: 'opus', numberOfChannels: 1, sampleRate: 48_000 },
  }[codec]
  return {
    codec,
    config,
    async *packets() {
      for (let i = -1; i * soundStep < 3; i++) {
        const bytes = Uint8Array.from({ length: 40 }, (_, at) => (i + at) & 255)
        yield new EncodedPacket(bytes, 'key', i * soundStep, soundStep)
      }
    },
  }
}

/** The packets of a video's sound. */
export async function soundOf(file: string) {
  await using clip = await openVideo(file)
  const sound = maySound(clip) ? await clip.sound() : 'none'
  if (sound === 'none' || 'leftOut' in sound) return []
  return (await collectPackets(sound)).map(({ timestamp, data }) => ({
    time: Number(timestamp.toFixed(3)),
    bytes: Buffer.from(data).toString('hex'),
  }))
}

/** All packets of sound. */
export async function collectPackets(sound: Sound) {
  const all = []
  for await (const packet of sound.packets()) all.push(packet)
  return all
}
