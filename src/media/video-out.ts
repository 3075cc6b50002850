// Writing a video file frame by frame, in Node: H.264, H.265, VP8, VP9 or AV1 in mp4, mov, webm or mkv.
import { appendFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Output as Muxer, OutputFormat, VideoCodec, VideoSampleSource } from 'mediabunny'
import { createOutput, type Output } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { EnvironmentError, fileWord, InputError, messageOf, PantinError } from '../util/errors.ts'
import { keepAlive } from '../util/event-loop.ts'
import { assertFrame, type Clip, type Frame, mostRate } from './clip.ts'
import { frameClosed, loadCodecs } from './codecs.ts'
import { type Mark, markBox, markTags } from './mark.ts'
import { maySound, type Sound, SoundCopy } from './sound.ts'
import { rgbToI420 } from './yuv.ts'

type Mediabunny = typeof import('mediabunny')

interface Container {
  readonly kind: 'mp4' | 'mov' | 'webm' | 'mkv'
  readonly codecs: VideoCodec[]
  format(mediabunny: Mediabunny): OutputFormat
}

/** The container of each file ending, and its codecs, the default first. */
const containers = {
  '.mp4': {
    kind: 'mp4',
    codecs: ['avc', 'hevc', 'vp9', 'av1'],
    format: (m: Mediabunny) => new m.Mp4OutputFormat(),
  },
  '.mov': { kind: 'mov', codecs: ['avc', 'hevc'], format: (m: Mediabunny) => new m.MovOutputFormat() },
  '.webm': {
    kind: 'webm',
    codecs: ['vp9', 'vp8', 'av1'],
    format: (m: Mediabunny) => new m.WebMOutputFormat(),
  },
  '.mkv': {
    kind: 'mkv',
    codecs: ['avc', 'hevc', 'vp9', 'vp8', 'av1'],
    format: (m: Mediabunny) => new m.MkvOutputFormat(),
  },
} satisfies Record<string, Container>

/** Codecs that videos are written in. */
export type WriterCodec = 'avc' | 'hevc' | 'vp9' | 'av1' | 'vp8'

/** How a video is written. */
export interface VideoWriterOptions {
  /** Width of the frames in pixels, 16 to 8192. An odd size is stored one pixel larger: the last column twice. */
  readonly width: number
  /** Height of the frames in pixels, 16 to 8192. An odd size is stored one pixel larger: the last row twice. */
  readonly height: number
  /**
   * Frames per second, over 0 and at most 1000. Frame i is shown at i / frameRate, whatever its own time is. With
   * `variableRate`, it is the mean and may be higher.
   */
  readonly frameRate: number
  /** Shows each frame at its own time, and for its own duration (default false). Times must grow. */
  readonly variableRate?: boolean
  /** Sound that is copied beside the frames, up to their end (default: none). See `soundFor`. */
  readonly sound?: Sound | undefined
  /** Default: H.264 (`avc`) in mp4, mov and mkv, VP9 in webm. */
  readonly codec?: WriterCodec
  /** Bits per second. Default: from frame size and rate, for a quality at which losses are hard to see. */
  readonly bitrate?: number
  /** Says in the file that a trained model made it (default: the file says nothing). */
  readonly mark?: Mark | undefined
  /** Whether an existing file is replaced. Default false: it is refused. */
  readonly overwrite?: boolean
}

/** A video file that is being written. */
export interface VideoWriter {
  /** Path of the file. */
  readonly path: string
  /** Number of frames written so far. */
  readonly frameCount: number
  /** Encodes one frame. When it resolves, the frame may be reused and the next frame may come. */
  write(frame: Frame): Promise<void>
  /** Finishes the file and gives it its name. */
  close(): Promise<void>
  /** Removes what was written. After `close` it does nothing. */
  abort(): Promise<void>
  /** At the end of an `await using` block: removes what was written, unless `close` has finished the file. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Begins a video file, which is written frame by frame, under a temporary name until `close`.
 *
 * @throws InputError for an ending, size, rate or codec that cannot be written, or a path that cannot be;
 * EnvironmentError if the encoder is missing.
 */
export async function createVideoWriter(path: string, options: VideoWriterOptions): Promise<VideoWriter> {
  const { container, codec } = chooseCodec(path, options.codec)
  assertWritable(path, options)
  const output = await createOutput(path, { overwrite: options.overwrite ?? false })
  const mediabunny = await loadCodecs()
  const { frameRate } = options
  const width = even(options.width)
  const height = even(options.height)
  const bitrate = options.bitrate ?? defaultBitrate(width, height, frameRate)
  if (!(await keepAlive(mediabunny.canEncodeVideo(codec, { width, height, bitrate })))) {
    throw new EnvironmentError({
      what: `no encoder here writes ${codec} at ${width} x ${height}`,
      where: path,
      remedy: `choose another codec: ${container.codecs.filter((c) => c !== codec).join(', ')}`,
    })
  }
  const source = new mediabunny.VideoSampleSource({ codec, bitrate, keyFrameInterval: 2 })
  const muxer = new mediabunny.Output({
    format: container.format(mediabunny),
    target: new mediabunny.FilePathTarget(output.temporary),
  })
  muxer.addVideoTrack(source, options.variableRate ? {} : { frameRate })
  const { mark } = options
  if (mark !== undefined) muxer.setMetadataTags(markTags(mark, container.kind))
  const sound = options.sound && new SoundCopy(mediabunny, muxer, options.sound)
  const writer = new MuxedWriter(path, options, mediabunny, muxer, source, output, sound, container.kind)
  await writer.start()
  return writer
}

class MuxedWriter implements VideoWriter {
  frameCount = 0
  private latest = Number.NEGATIVE_INFINITY
  private end = 0
  private state: 'open' | 'closed' = 'open'

  constructor(
    readonly path: string,
    private readonly options: VideoWriterOptions,
    private readonly mediabunny: Mediabunny,
    private readonly muxer: Muxer,
    private readonly source: VideoSampleSource,
    private readonly output: Output,
    private readonly sound: SoundCopy | undefined,
    private readonly kind: Container['kind'],
  ) {}

  start(): Promise<void> {
    return this.guard(() => this.muxer.start())
  }

  async write(frame: Frame): Promise<void> {
    const { width, height } = this.options
    if (this.state !== 'open') {
      throw new InputError({ what: 'the video is finished: no frame can be added', where: this.path })
    }
    if (frame.width !== width || frame.height !== height) {
      throw new InputError({
        what: `frame ${this.frameCount} has another size than the video`,
        where: this.path,
        got: `${frame.width} x ${frame.height}`,
        expected: `${width} x ${height}`,
      })
    }
    assertFrame(frame)
    const [w, h] = [even(width), even(height)]
    const [time, duration] = this.timeOf(frame)
    const sample = new this.mediabunny.VideoSample(rgbToI420(padToEven(frame), w, h), {
      format: 'I420',
      codedWidth: w,
      codedHeight: h,
      timestamp: time,
      duration,
      colorSpace: { primaries: 'bt709', transfer: 'bt709', matrix: 'bt709', fullRange: false },
    })
    try {
      await this.guard(() => this.source.add(sample))
      this.frameCount++
      this.end = time + duration
      await this.guard(async () => this.sound?.writeUntil(time))
    } finally {
      sample.close()
      frameClosed((w * h * 3) / 2)
    }
  }

  private timeOf(frame: Frame): readonly [time: number, duration: number] {
    const { frameRate, variableRate = false } = this.options
    if (!variableRate) return [this.frameCount / frameRate, 1 / frameRate]
    if (frame.time > this.latest) {
      this.latest = frame.time
      return [frame.time, frame.duration > 0 ? frame.duration : 1 / frameRate]
    }
    throw new InputError({
      what: `frame ${this.frameCount} is not later than the frame before it`,
      where: this.path,
      got: `${frame.time} s`,
      expected: `more than ${this.latest} s`,
    })
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return
    if (this.frameCount === 0) {
      await this.abort()
      throw new InputError({ what: 'a video needs at least one frame', where: this.path })
    }
    await this.guard(async () => this.sound?.writeUntil(this.end))
    await this.guard(async () => {
      await this.muxer.finalize()
      const { mark } = this.options
      if (mark !== undefined && this.kind === 'mp4') await appendFile(this.output.temporary, markBox(mark))
    })
    this.state = 'closed'
    await this.output.commit()
  }

  async abort(): Promise<void> {
    if (this.state === 'closed') return
    this.state = 'closed'
    await this.sound?.stop()
    // The temporary is removed even if the muxer fails.
    await keepAlive(this.muxer.cancel()).catch(() => {})
    await this.output.abort()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.abort()
  }

  /** Runs work. If it fails, nothing is left behind. */
  private async guard(work: () => Promise<void>): Promise<void> {
    try {
      await keepAlive(work())
    } catch (error) {
      await this.abort()
      if (error instanceof PantinError) throw error
      if (/^E[A-Z]+$/.test(codeOf(error) ?? '')) throw fileError(error, this.path, 'written')
      throw new EnvironmentError(
        {
          what: `writing the video failed at frame ${this.frameCount}`,
          where: this.path,
          got: messageOf(error),
          remedy: 'choose another codec or another file ending',
        },
        { cause: error },
      )
    }
  }
}

/** The sound that a video gets. */
export interface KeptSound {
  readonly sound: Sound | undefined
  /** What becomes of it, for the user. */
  readonly words: string
}

/**
 * The sound of a clip, if a video of this name can hold it.
 *
 * @param wanted default true
 * @throws InputError if the name's ending is not that of a video
 */
export async function soundFor(path: string, clip: Clip, wanted = true): Promise<KeptSound> {
  const found = maySound(clip) ? await clip.sound() : 'none'
  if (found === 'none') return { sound: undefined, words: 'none (the video has none)' }
  const without = (why: string) => ({ sound: undefined, words: `left out: ${why}` })
  if (!wanted) return without('as asked')
  const byHand = `add it with: ffmpeg -i ${fileWord(path)} -i ${fileWord(clip.name)} -map 0:v -map 1:a -c:v copy with-sound.mp4`
  if ('leftOut' in found) return without(`${found.leftOut}; ${byHand}`)
  const format = await outputFormat(path)
  if (!format.getSupportedAudioCodecs().some((known) => known === found.codec)) {
    return without(`a ${extname(path)} file cannot hold ${found.codec}; write a .mkv file, or ${byHand}`)
  }
  return { sound: found, words: `copied (${found.codec})` }
}

/** The format that a file of this ending is written in. @throws InputError for an ending that is not written */
async function outputFormat(path: string): Promise<OutputFormat> {
  return chooseCodec(path, undefined).container.format(await loadCodecs())
}

function chooseCodec(path: string, wanted: WriterCodec | undefined) {
  const ending = extname(path).toLowerCase()
  const container = Object.entries(containers).find(([name]) => name === ending)?.[1]
  if (container === undefined) {
    throw new InputError({
      what: 'the file ending does not say which kind of video to write',
      where: path,
      got: ending === '' ? 'no ending' : ending,
      expected: Object.keys(containers).join(', '),
    })
  }
  const codecs: readonly WriterCodec[] = container.codecs
  const codec = wanted ?? codecs[0]!
  if (!codecs.includes(codec)) {
    throw new InputError({
      what: `a ${ending} file cannot hold this codec`,
      where: path,
      got: codec,
      expected: codecs.join(', '),
    })
  }
  return { container, codec }
}

function assertWritable(path: string, options: VideoWriterOptions): void {
  const { width, height, frameRate, variableRate = false } = options
  const sizes = [width, height]
  if (!sizes.every((n) => Number.isInteger(n) && n >= 16 && n <= 8192)) {
    throw new InputError({
      what: 'a video of this size cannot be written',
      where: path,
      got: `${width} x ${height}`,
      expected: '16 to 8192 whole pixels a side',
    })
  }
  if (!(frameRate > 0 && frameRate <= (variableRate ? Number.MAX_VALUE : mostRate))) {
    throw new InputError({
      what: 'a video of this frame rate cannot be written',
      where: path,
      got: String(frameRate),
      expected: `more than 0, at most ${mostRate} frames per second`,
    })
  }
}

/** 4:2:0 chroma covers 2x2 pixels. */
function even(size: number): number {
  return size + (size % 2)
}

function padToEven({ width, height, data }: Frame): Uint8Array {
  const [w, h] = [even(width), even(height)]
  if (w === width && h === height) return data
  const out = new Uint8Array(w * h * 3)
  for (let y = 0; y < h; y++) {
    const row = data.subarray(Math.min(y, height - 1) * width * 3, (Math.min(y, height - 1) + 1) * width * 3)
    out.set(row, y * w * 3)
    if (w > width) out.set(row.subarray(-3), (y * w + width) * 3)
  }
  return out
}

/** Bits per second: small pictures need more bits per pixel for the same quality. */
function defaultBitrate(width: number, height: number, frameRate: number): number {
  return Math.round(500_000 + 0.25 * width * height * Math.min(frameRate, 60))
}
