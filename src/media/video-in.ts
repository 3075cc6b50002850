// Reading a video container as a clip: its index without decoding, then its frames by number. In Node and in pages.
import type { EncodedPacket, Input, InputVideoTrack, Source, VideoSample } from 'mediabunny'
import { FormatError, InputError, messageOf, PantinError } from '../util/errors.ts'
import { keepAlive } from '../util/keep-alive.ts'
import { type Clip, type Frame, type FrameRange, resolveRange } from './clip.ts'
import { SampleReader } from './sample-pixels.ts'

type Mediabunny = typeof import('mediabunny')

/** Most frames that are decoded to get one, if the chosen frames are far apart; videos have two key frames in 10 s. */
const mostBetweenKeys = 125

/** What differs between Node and pages when a video is read. */
export interface VideoSurroundings {
  readonly mediabunny: Mediabunny
  /** Is told that closed frames of `bytes` each wait for the garbage collector; see codecs.ts. */
  frameClosed?(bytes: number, frames: number): void
  /** Stops the opening, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
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
  const { mediabunny, signal } = surroundings
  signal?.throwIfAborted()
  const input = new mediabunny.Input({ source, formats: mediabunny.ALL_FORMATS })
  try {
    const track = await keepAlive(findTrack(mediabunny, input, name))
    const bytes = (await source.getSizeOrNull()) ?? Number.POSITIVE_INFINITY
    const times = await keepAlive(readFrameTimes(mediabunny, track, { bytes, name, signal }))
    await keepAlive(assertWhole(input, times, name))
    const width = await track.getDisplayWidth()
    const height = await track.getDisplayHeight()
    const frameRate = await keepAlive(rateOf(track, times))
    return new VideoClip(surroundings, input, track, times, { name, width, height, frameRate })
  } catch (error) {
    input.dispose()
    if (error instanceof PantinError || signal?.aborted) throw error
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
    // The frames since the last key frame are decoded too.
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Consecutive frames are decoded one after the other; frames with a step are found from key frames. */
  private samples(numbers: readonly number[]): AsyncGenerator<VideoSample | null, void, unknown> {
    const sink = new this.surroundings.mediabunny.VideoSampleSink(this.track)
    const { times, durations } = this.index
    const [first, second] = [numbers[0]!, numbers[1]]
    // The time in the middle of a frame finds it, however its start was rounded.
    const middle = (i: number) => times[i]! + durations[i]! / 2
    if (second !== undefined && second > first + 1) return sink.samplesAtTimestamps(numbers.map(middle))
    const end = numbers.at(-1)! + 1
    return sink.samples(middle(first), end < times.length ? times[end]! - durations[end - 1]! / 2 : undefined)
  }

  /** Closes the sample: the decoder has only a few pictures, and waits until they are closed. */
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
        throw this.broken(number, `the decoder gave the frame at ${sample.timestamp} s instead`)
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

  /** Compares the stored sizes. The displayed size is that of the track, whatever a frame says. */
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

/** The constant rate that the times fit, or else their average; 25 for a single frame without a duration. */
async function rateOf(track: InputVideoTrack, { times, durations }: FrameTimes): Promise<number> {
  const span = times.at(-1)! - times[0]!
  if (times.length === 1 || span <= 0) return durations[0]! > 0 ? 1 / durations[0]! : 25
  const average = (times.length - 1) / span
  // Containers round times to a tick, so a rate of 30 averages to 30.016. mediabunny finds the rate behind that.
  const { underlyingFrameRate } = await track.computeFrameRateMetrics()
  const constant = underlyingFrameRate !== null && Math.abs(underlyingFrameRate / average - 1) < 0.02
  return constant ? underlyingFrameRate : Math.round(average * 1000) / 1000
}

async function findTrack(mediabunny: Mediabunny, input: Input, path: string): Promise<InputVideoTrack> {
  // A playlist refers to other files, which the user did not name.
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

/** Refuses a container that promises more seconds than it holds: it was cut off. */
async function assertWhole(input: Input, { times, durations }: FrameTimes, path: string): Promise<void> {
  if (times.length === 0) throw damaged(path, 'the file holds no whole frame: it is cut short or damaged')
  // Only if the file has no other track that the length could come from.
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

/** When each frame is shown, from the container without decoding: seconds by frame number. */
export interface FrameTimes {
  readonly times: Float64Array
  readonly durations: Float64Array
}

/** How an index is read. */
export interface IndexOptions {
  /** Size of the whole file; infinity if it is not known. */
  readonly bytes: number
  /** For messages. */
  readonly name: string
  readonly signal?: AbortSignal | undefined
}

/** A day at 60 frames per second has 5.2 million frames. Their times and positions are in memory. */
const mostFrames = 6_000_000

/** Number of frames after which the event loop runs once, for Ctrl-C among others. */
const framesPerTurn = 10_000

/**
 * The frames that will come out of the decoder, in the order shown. Empty if there are none.
 *
 * @throws FormatError for more frames than the file has room for, which a few bytes can claim.
 */
export async function readFrameTimes(
  mediabunny: typeof import('mediabunny'),
  track: InputVideoTrack,
  options: IndexOptions,
): Promise<FrameTimes> {
  // VP8 has packets that are not shown. Only their bytes tell.
  const hidesFrames = (await track.getCodec()) === 'vp8'
  const packets = new mediabunny.EncodedPacketSink(track).packets(undefined, undefined, {
    metadataOnly: !hidesFrames,
  })
  const shown: { time: number; duration: number }[] = []
  let decodable = false
  let count = 0
  for await (const packet of packets) {
    // In any index a frame takes more than a byte. The index is complete even if the end of the file is missing.
    if (++count > Math.min(mostFrames, options.bytes)) throw overfull(options)
    if (count % framesPerTurn === 0) {
      await pause()
      options.signal?.throwIfAborted()
    }
    decodable ||= packet.type === 'key'
    // Frames before zero are cut away by the container's edit list.
    const cut = packet.timestamp < 0
    if (decodable && !cut && !(hidesFrames && isHidden(packet))) {
      shown.push({ time: packet.timestamp, duration: packet.duration })
    }
  }
  shown.sort((a, b) => a.time - b.time)
  const times = Float64Array.from(shown, ({ time }) => time)
  const durations = Float64Array.from(shown, ({ duration }, i) =>
    i + 1 < times.length ? times[i + 1]! - times[i]! : duration,
  )
  return { times, durations }
}

/** RFC 6386, section 9.1: bit 4 of a frame's first byte is show_frame. */
function isHidden(packet: EncodedPacket): boolean {
  return packet.data.length > 0 && ((packet.data[0]! >> 4) & 1) === 0
}

function overfull({ bytes, name }: IndexOptions): FormatError {
  if (bytes > mostFrames) {
    const what = 'the video has too many frames'
    return new FormatError({
      what,
      where: name,
      expected: `${mostFrames} at most`,
      remedy: 'cut it into several',
    })
  }
  return new FormatError({
    what: 'the file is damaged: it claims more frames than it has room for',
    where: name,
    got: `over ${bytes} frames in ${bytes} bytes`,
    remedy: 'copy or record the video again, or use another one',
  })
}

/** Lets the event loop run once, in Node and in pages. */
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 0))
