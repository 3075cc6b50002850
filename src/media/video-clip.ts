import type { Input, InputVideoTrack, Source, VideoSample } from 'mediabunny'
import { InputError, messageOf, PantinError } from '../util/errors.ts'
import { type Clip, type FrameRange, resolveRange } from './clip.ts'
import { keepAlive } from './event-loop.ts'
import type { Frame } from './frame.ts'
import { SampleReader } from './sample-pixels.ts'
import { type FrameTimes, readFrameTimes } from './video-index.ts'

type Mediabunny = typeof import('mediabunny')

/** Frames that are decoded for one at most, where a choice of frames is sparse; videos have two keys in 10 s. */
const mostBetweenKeys = 125

/** What the place brings that videos are read in. */
export interface VideoSurroundings {
  readonly mediabunny: Mediabunny
  /** Told that closed frames of so many bytes each wait for the collector; see native-memory.ts. */
  frameClosed?(bytes: number, frames: number): void
}

/**
 * Reads a container (mp4, mov, webm, mkv, ts with H.264, H.265, VP8, VP9 or AV1) as a clip.
 *
 * @param name for messages.
 * @throws InputError if it is not a video, cut short, or of a codec that is not decoded here; FormatError if it claims
 * more frames than it has room for.
 */
export async function readVideo(
  source: Source,
  name: string,
  surroundings: VideoSurroundings,
): Promise<Clip> {
  const { mediabunny } = surroundings
  const input = new mediabunny.Input({ source, formats: mediabunny.ALL_FORMATS })
  try {
    const track = await keepAlive(findTrack(mediabunny, input, name))
    const bytes = (await source.getSizeOrNull()) ?? Number.POSITIVE_INFINITY
    const times = await keepAlive(readFrameTimes(mediabunny, track, { bytes, name }))
    await keepAlive(assertWhole(input, times, name))
    const width = await track.getDisplayWidth()
    const height = await track.getDisplayHeight()
    const frameRate = await keepAlive(rateOf(track, times))
    return new VideoClip(surroundings, input, track, times, { name, width, height, frameRate })
  } catch (error) {
    input.dispose()
    if (error instanceof PantinError) throw error
    throw damaged(name, 'cannot be read as a video', error)
  }
}

class VideoClip implements Clip {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameRate: number
  readonly duration: number
  readonly frameCount: number
  private stored: { readonly width: number; readonly height: number } | undefined

  constructor(
    private readonly surroundings: VideoSurroundings,
    private readonly input: Input,
    private readonly track: InputVideoTrack,
    private readonly index: FrameTimes,
    { name, width, height, frameRate }: Pick<Clip, 'name' | 'width' | 'height' | 'frameRate'>,
  ) {
    const { times, durations } = index
    this.name = name
    this.width = width
    this.height = height
    this.frameCount = times.length
    this.duration = times.at(-1)! + durations.at(-1)! - times[0]!
    this.frameRate = frameRate
  }

  async *frames(range?: FrameRange): AsyncGenerator<Frame, void, undefined> {
    const numbers = resolveRange(this, range)
    if (this.input.disposed) throw new InputError({ what: 'the clip is closed', where: this.name })
    const reader = new SampleReader(this)
    const samples = this.samples(numbers)
    // Frames in between are decoded too, from the last key frame on.
    const decoded = Math.min((numbers[1] ?? numbers[0]! + 1) - numbers[0]!, mostBetweenKeys)
    let done = 0
    try {
      for (; ; done++) {
        const next = await keepAlive(samples.next())
        if (next.done || next.value === null) break
        yield await this.toFrame(next.value, numbers[done]!, reader, decoded)
      }
    } catch (error) {
      if (error instanceof PantinError) throw error
      throw this.broken(numbers[done]!, error)
    } finally {
      await keepAlive(samples.return(undefined))
    }
    if (done < numbers.length) throw this.broken(numbers[done]!)
  }

  async close(): Promise<void> {
    this.input.dispose()
  }

  /** A run of frames decodes straight through; a sparse choice seeks to key frames in between. */
  private samples(numbers: readonly number[]): AsyncGenerator<VideoSample | null, void, unknown> {
    const sink = new this.surroundings.mediabunny.VideoSampleSink(this.track)
    const { times, durations } = this.index
    const [first, second] = [numbers[0]!, numbers[1]]
    // The middle of a frame finds it however its time was rounded.
    const middle = (i: number) => times[i]! + durations[i]! / 2
    if (second !== undefined && second > first + 1) return sink.samplesAtTimestamps(numbers.map(middle))
    const end = numbers.at(-1)! + 1
    return sink.samples(middle(first), end < times.length ? times[end]! - durations[end - 1]! / 2 : undefined)
  }

  /** Closes the sample: decoded pictures are large and few, and the decoder waits for them. */
  private async toFrame(
    sample: VideoSample,
    number: number,
    reader: SampleReader,
    decoded: number,
  ): Promise<Frame> {
    const { times, durations } = this.index
    try {
      const time = times[number]!
      if (Math.abs(sample.timestamp - time) > Math.max(durations[number]! / 2, 0.001)) {
        throw this.broken(number, `the decoder gave the frame at ${sample.timestamp} s in its place`)
      }
      this.assertSameSize(sample, number)
      const pixels = await keepAlive(reader.read(sample))
      return { ...pixels, time: time - times[0]!, duration: durations[number]! }
    } finally {
      const bytes = sample.allocationSize()
      sample.close()
      this.surroundings.frameClosed?.(bytes, decoded)
    }
  }

  /** Of the stored pictures: the displayed size is the track's, whatever a frame says. */
  private assertSameSize({ visibleRect: { width, height } }: VideoSample, number: number): void {
    this.stored ??= { width, height }
    if (this.stored.width === width && this.stored.height === height) return
    throw new InputError({
      what: `the frame size changes at frame ${number}`,
      where: this.name,
      got: `${width} x ${height}`,
      expected: `${this.stored.width} x ${this.stored.height}, as before`,
      remedy: 'convert the video to one frame size first',
    })
  }

  private broken(number: number, cause?: unknown): InputError {
    const what = `frame ${number} of ${this.frameCount} cannot be decoded: the file is cut short or damaged`
    return damaged(this.name, what, cause)
  }
}

/** The rate that the times lie on, or where they lie on none, their average; 25 for a lone frame of no length. */
async function rateOf(track: InputVideoTrack, { times, durations }: FrameTimes): Promise<number> {
  const span = times.at(-1)! - times[0]!
  if (times.length === 1 || span <= 0) return durations[0]! > 0 ? 1 / durations[0]! : 25
  const average = (times.length - 1) / span
  // Containers round times to a tick, so that 30 averages to 30.016; mediabunny sees through that.
  const { underlyingFrameRate } = await track.computeFrameRateMetrics()
  const constant = underlyingFrameRate !== null && Math.abs(underlyingFrameRate / average - 1) < 0.02
  return constant ? underlyingFrameRate : Math.round(average * 1000) / 1000
}

async function findTrack(mediabunny: Mediabunny, input: Input, path: string): Promise<InputVideoTrack> {
  // A playlist leads to other files, which nobody named.
  if (!(await input.canRead()) || (await input.getFormat()) === mediabunny.HLS) {
    throw new InputError({
      what: 'this is not a video that can be read here',
      where: path,
      expected: 'a video: mp4, mov, webm, mkv or ts',
      remedy: 'give a video file; convert other containers (avi, gif, wmv) to mp4 first',
    })
  }
  const track = await input.getPrimaryVideoTrack()
  if (track === null) {
    const sound = (await input.getAudioTracks()).length > 0
    throw new InputError({
      what: sound ? 'the file holds sound but no pictures' : 'the file holds no pictures',
      where: path,
      expected: 'a file with a video track',
      ...(sound ? {} : { remedy: 'the file may be cut short: copy or record it again' }),
    })
  }
  const config = await track.getDecoderConfig()
  const decodable = (await track.canDecode()) && (await mediabunny.canDecodeVideo((await track.getCodec())!))
  if (!decodable) {
    throw new InputError({
      what: 'no decoder here reads this video codec',
      where: path,
      got: config?.codec ?? String(await track.getInternalCodecId()),
      expected: 'H.264, H.265, VP8, VP9 or AV1',
      remedy: 'convert the video to H.264 in mp4 first',
    })
  }
  return track
}

/** A container that promises more seconds than it holds was cut off. */
async function assertWhole(input: Input, { times, durations }: FrameTimes, path: string): Promise<void> {
  if (times.length === 0) throw damaged(path, 'the file holds no whole frame: it is cut short or damaged')
  // Only where nothing but pictures can account for the length.
  if ((await input.getTracks()).length > 1) return
  const promised = (await input.getDurationFromMetadata()) ?? 0
  const held = times.at(-1)! + durations.at(-1)!
  if (promised - held > Math.max(0.5, promised * 0.02)) {
    throw new InputError({
      what: `the file is cut short or damaged after frame ${times.length - 1}`,
      where: path,
      got: `${held.toFixed(2)} s of pictures`,
      expected: `${promised.toFixed(2)} s, as its header says`,
      remedy: 'copy or record it again, or cut the good part into a new file',
    })
  }
}

function damaged(path: string, what: string, cause?: unknown): InputError {
  const got = cause === undefined ? {} : { got: messageOf(cause).split('\n')[0]! }
  const remedy = 'copy or record the video again, or use another one'
  return new InputError({ what, where: path, ...got, remedy }, { cause })
}
