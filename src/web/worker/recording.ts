// A video in the making, encoded in the worker.
import * as mediabunny from 'mediabunny'
import {
  BufferTarget,
  canEncodeVideo,
  Mp4OutputFormat,
  Output,
  type VideoCodec,
  VideoSample,
  VideoSampleSource,
  WebMOutputFormat,
} from 'mediabunny'
import type { Clip } from '../../media/clip.ts'
import { type Mark, markBox, markTags } from '../../media/mark.ts'
import { maySound, type Sound, SoundCopy } from '../../media/sound.ts'
import { SerialQueue } from '../../runtime/ort.ts'
import { EnvironmentError, InputError } from '../../util/errors.ts'
import type { WebVideoWriterOptions } from '../clip.ts'
import { decodePicture, type SentPicture } from '../picture.ts'
import { openClip } from './clip.ts'
import { contextOf, drawOver } from './pixels.ts'

type Format = 'mp4' | 'webm'

/** The codecs of each kind of file, the one that most players know first. */
const codecs: Readonly<Record<Format, readonly VideoCodec[]>> = {
  mp4: ['avc', 'vp9', 'av1'],
  webm: ['vp9', 'vp8', 'av1'],
}

/** A video in the making. A picture is encoded when the next one tells its duration. */
export class RecordingWorker {
  private readonly queue = new SerialQueue()
  private readonly context: OffscreenCanvasRenderingContext2D
  /** The last picture and its time. */
  private last: { readonly sample: VideoSample; readonly time: number } | undefined

  /** Time of the first picture, from which the video counts. */
  private first: number | undefined

  private constructor(
    readonly format: Format,
    readonly codec: VideoCodec,
    private readonly output: Output<Mp4OutputFormat | WebMOutputFormat, BufferTarget>,
    private readonly source: VideoSampleSource,
    { width, height }: { readonly width: number; readonly height: number },
    private readonly mark: Mark | undefined,
    private readonly kept: KeptSound,
  ) {
    this.context = contextOf(new OffscreenCanvas(width, height))
  }

  static async open(options: WebVideoWriterOptions): Promise<RecordingWorker> {
    const sizes = [options.width, options.height]
    if (!sizes.every((side) => Number.isInteger(side) && side >= 16 && side <= 8192)) {
      throw new InputError({
        what: 'a video of this size cannot be recorded',
        got: sizes.join(' x '),
        expected: '16 to 8192 whole pixels a side',
      })
    }
    // 4:2:0 chroma covers 2x2 pixels.
    const [width, height] = sizes.map((side) => side + (side % 2)) as [number, number]
    const bitrate = Math.round(500_000 + 7.5 * width * height)
    const { format, codec } = await choose(options.format, { width, height, bitrate })
    const source = new VideoSampleSource({ codec, bitrate, keyFrameInterval: 2 })
    const output = new Output({
      format: format === 'mp4' ? new Mp4OutputFormat() : new WebMOutputFormat(),
      target: new BufferTarget(),
    })
    output.addVideoTrack(source)
    const kept = await soundOf(options.sound, output)
    const { mark } = options
    if (mark !== undefined) output.setMetadataTags(markTags(mark, format))
    await output.start()
    return new RecordingWorker(format, codec, output, source, { width, height }, mark, kept)
  }

  /** What became of the sound, in words. */
  get sound(): string {
    return this.kept.words
  }

  /** @param time seconds, later than the one before */
  add(picture: SentPicture, time: number): Promise<void> {
    return this.queue.add(async () => {
      const drawn = picture instanceof Blob ? await decodePicture(picture) : picture
      try {
        if (!Number.isFinite(time) || (this.last !== undefined && time <= this.last.time)) {
          throw new InputError({
            what: 'a recorded picture must be later than the one before',
            got: `${time} s`,
            expected: this.last === undefined ? 'a number of seconds' : `more than ${this.last.time} s`,
          })
        }
        drawOver(this.context, drawn)
      } finally {
        if ('close' in drawn) drawn.close()
      }
      await this.flush(time)
      this.first ??= time
      const sample = new VideoSample(this.context.canvas, { timestamp: time - this.first, duration: 0 })
      this.last = { sample, time }
    })
  }

  finish(): Promise<Blob> {
    return this.queue.add(async () => {
      if (this.last === undefined) {
        await this.output.cancel()
        throw new InputError({ what: 'a video needs at least one picture', remedy: 'add one first' })
      }
      const end = this.last.time + 1 / 25
      await this.flush(end)
      await this.kept.copy?.writeUntil(end - this.first!)
      await this.kept.copy?.stop()
      await this.kept.clip?.close()
      await this.output.finalize()
      const box = this.mark !== undefined && this.format === 'mp4' ? [markBox(this.mark)] : []
      return new Blob([this.output.target.buffer!, ...box], { type: `video/${this.format}` })
    })
  }

  private async flush(until: number): Promise<void> {
    if (this.last === undefined) return
    const { sample, time } = this.last
    sample.setDuration(until - time)
    await this.kept.copy?.writeUntil(time - this.first!)
    try {
      await this.source.add(sample)
    } finally {
      sample.close()
    }
  }
}

/** The sound that a video gets. */
interface KeptSound {
  readonly words: string
  readonly copy?: SoundCopy
  /** Is closed with the video. */
  readonly clip?: Clip
}

/** Lets an output have the sound of a video file, if it can hold it. */
async function soundOf(file: Blob | undefined, output: Output): Promise<KeptSound> {
  if (file === undefined) return { words: 'none' }
  const clip = await openClip(file, '')
  const found = maySound(clip) ? await clip.sound() : 'none'
  const supported: readonly string[] = output.format.getSupportedAudioCodecs()
  const leave = async (words: string) => {
    await clip.close()
    return { words }
  }
  if (found === 'none') return leave('none (the video has none)')
  if ('leftOut' in found) return leave(`left out: ${found.leftOut}`)
  const sound: Sound = found
  if (!supported.includes(sound.codec)) {
    return leave(`left out: a ${output.format.fileExtension} file cannot hold ${sound.codec}`)
  }
  return { words: `copied (${sound.codec})`, copy: new SoundCopy(mediabunny, output, sound), clip }
}

/** The first format and codec that the browser encodes. @throws EnvironmentError if there is none. */
async function choose(
  format: Format | undefined,
  options: { width: number; height: number; bitrate: number },
): Promise<{ format: Format; codec: VideoCodec }> {
  const candidates = (['mp4', 'webm'] as const)
    .filter((kind) => format === undefined || kind === format)
    // Players of mp4 expect H.264. If it is missing and no format was asked for, more players know webm.
    .flatMap((kind) => codecs[kind].map((codec) => ({ format: kind, codec })))
    .filter(({ format: kind, codec }) => format !== undefined || kind === 'webm' || codec === 'avc')
  for (const candidate of candidates) {
    if (await canEncodeVideo(candidate.codec, options)) return candidate
  }
  throw new EnvironmentError({
    what: `this browser encodes no video for ${format ?? 'mp4 or webm'} at ${options.width} x ${options.height}`,
    expected: 'WebCodecs with H.264, VP8, VP9 or AV1',
    remedy: 'use a browser that is up to date, another format, or a smaller size',
  })
}
