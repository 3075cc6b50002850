// Reading a video container as a clip: its index without decoding, then its frames by number. In Node and in pages.
import type { Input, InputVideoTrack, Source, VideoSample } from 'mediabunny'
import { InputError, messageOf, PantinError } from '../util/errors.ts'
import { keepAlive } from '../util/event-loop.ts'
import { type Clip, type Frame, type FrameRange, resolveRange } from './clip.ts'
import { type FrameIndex, type KeyPacket, mostFrames, overfull, readFrameIndex } from './frame-index.ts'
import { withoutCutCluster } from './matroska-cut.ts'
import { type ByteSource, readBoxes } from './mp4-boxes.ts'
import type { DecodingOptions, PacketDecoder } from './packet-decoder.ts'
import { type Pixels, type Rotation, SampleReader } from './sample-pixels.ts'
import { readSound, type SoundFound } from './sound.ts'
import { type PlainStream, plainStream } from './stream-format.ts'

type Mediabunny = typeof import('mediabunny')

/** Most frames that are decoded to get one, if the chosen frames are far apart; videos have two key frames in 10 s. */
const mostBetweenKeys = 125

/** What differs between Node and pages when a video is read. */
export interface VideoSurroundings {
  readonly mediabunny: Mediabunny
  /** Is told that closed frames of `bytes` each wait for the garbage collector; see codecs.ts. */
  frameClosed?(bytes: number, frames: number): void
  /** Decodes packets one by one. Default: as the container library does, which gives up at the first damaged packet. */
  decoder?(options: DecodingOptions): PacketDecoder
  /** Reads the container where it can be ended, before it is read here. @throws FormatError if it takes too long */
  watch?(bytes: number): Promise<void>
  /** Stops the opening, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads a container (mp4, mov, webm, mkv, ts with H.264, H.265, VP8, VP9 or AV1) as a clip, which closes the file.
 *
 * @param name for messages.
 * @throws InputError if it is not a video, holds no whole frame, or is of a codec that is not decoded here; FormatError if
 * it claims more frames than it has room for.
 */
export async function readVideo(
  whole: ByteSource,
  name: string,
  surroundings: VideoSurroundings,
): Promise<Clip> {
  const { mediabunny, signal } = surroundings
  signal?.throwIfAborted()
  const file = await withoutCutCluster(whole)
  const source = sourceOf(mediabunny, file)
  const input = new mediabunny.Input({ source, formats: formatsOf(mediabunny) })
  try {
    // Until the library knows the size, it fails on files that are shorter than a header.
    await keepAlive(source.getSizeOrNull())
    const { hasIndex, isMp4, claimed, edits } = await keepAlive(readBoxes(file))
    if (isMp4 && !hasIndex) throw unfinished(name)
    if (claimed > Math.min(file.size, mostFrames)) throw overfull({ bytes: file.size, name })
    await surroundings.watch?.(file.size)
    const track = await keepAlive(findTrack(mediabunny, input, name))
    const index = await keepAlive(
      readFrameIndex(new mediabunny.EncodedPacketSink(track), track, {
        ...{ bytes: file.size, name, signal, edits: edits.get(track.id) },
        loose: (await input.getFormat()) === mediabunny.MPEG_TS,
      }),
    )
    if (index.times.length === 0)
      throw damaged(name, 'the file holds no whole frame: it is cut short or damaged')
    const width = await track.getDisplayWidth()
    const height = await track.getDisplayHeight()
    const frameRate = await keepAlive(rateOf(track, index))
    const config = (await track.getDecoderConfig())!
    const { decoder } = surroundings
    const first = decoder && (await keepAlive(packetAt(mediabunny, track, index.keys[0]!)))
    const decoding = {
      colours: config.colorSpace ?? {},
      stream: first && plainStream(config, first.data, name),
      alpha: first?.sideData.alpha !== undefined,
      rotation: await track.getRotation(),
      flip: await track.getFlip(),
    }
    const early = await keepAlive(earlyEnd(input, index, file !== whole))
    const notices = [early, hdrNotice(config)].filter((notice) => notice !== undefined)
    const facts = { name, width, height, frameRate, notices }
    return new VideoClip(surroundings, input, track, index, decoding, facts)
  } catch (error) {
    input.dispose()
    if (error instanceof PantinError || signal?.aborted) throw error
    throw damaged(name, 'cannot be read as a video', error)
  }
}

/** The file as the library reads it. The library closes it. */
function sourceOf(mediabunny: Mediabunny, file: ByteSource): Source {
  return new mediabunny.CustomSource({
    getSize: () => file.size,
    read: (start, end) => file.read(start, end),
    dispose: () => file.close(),
    prefetchProfile: 'fileSystem',
  })
}

/** How samples of a track become pictures. */
interface Decoding {
  readonly colours: VideoColorSpaceInit
  /** Undefined if the container library decodes. */
  readonly stream: PlainStream | undefined
  /** Whether packets have a second picture, which says how much of each pixel is seen. */
  readonly alpha: boolean
  readonly rotation: Rotation
  readonly flip: boolean
}

/** A sample with the one that says how much of it is seen. */
interface Pair {
  readonly sample: VideoSample
  readonly alpha: VideoSample | undefined
}

class VideoClip implements Clip {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameRate: number
  readonly duration: number
  readonly frameCount: number
  readonly variableRate: boolean
  private readonly known: readonly string[]
  private readonly damagedFrames = new Set<number>()
  private decoders: readonly PacketDecoder[] | undefined

  constructor(
    private readonly surroundings: VideoSurroundings,
    private readonly input: Input,
    private readonly track: InputVideoTrack,
    private readonly index: FrameIndex,
    private readonly decoding: Decoding,
    facts: Pick<Clip, 'name' | 'width' | 'height' | 'frameRate'> & { readonly notices: readonly string[] },
  ) {
    const { times, durations } = index
    this.name = facts.name
    this.width = facts.width
    this.height = facts.height
    this.known = facts.notices
    this.frameCount = times.length
    this.duration = times.at(-1)! + durations.at(-1)!
    this.frameRate = facts.frameRate
    // Containers round times to a tick, a millisecond at most.
    const most = Math.max(0.1 / this.frameRate, 0.002)
    this.variableRate = times.some((time, i) => Math.abs(time - i / this.frameRate) > most)
  }

  get notices(): readonly string[] {
    const count = this.damagedFrames.size
    if (count === 0) return this.known
    const places = [...this.damagedFrames].sort((a, b) => a - b).slice(0, 5)
    const named = places.map((number) => `frame ${number} at ${this.index.times[number]!.toFixed(2)} s`)
    const list = `${named.join(', ')}${count > places.length ? ', ...' : ''}`
    const text = `${count === 1 ? 'one damaged frame' : `${count} damaged frames`}: ${list}`
    return [...this.known, `${text} (the picture before is shown instead)`]
  }

  async *frames(range?: FrameRange): AsyncGenerator<Frame, void, undefined> {
    const numbers = resolveRange(this, range)
    if (this.input.disposed) throw new InputError({ what: 'the clip is closed', where: this.name })
    const { colours, stream } = this.decoding
    const reader = new SampleReader(this, colours, stream?.rgb)
    const samples = this.samples(numbers)
    // The frames since the last key frame are decoded too.
    const decoded = Math.min((numbers[1] ?? numbers[0]! + 1) - numbers[0]!, mostBetweenKeys)
    let done = 0
    let shown: Pixels | undefined
    let early: number[] = []
    try {
      for (; done < numbers.length; done++) {
        const number = numbers[done]!
        const next = await keepAlive(samples.next())
        if (next.done) break
        const pair = next.value
        if (pair === null) {
          this.damagedFrames.add(number)
          if (shown === undefined) early.push(number)
          else yield this.frame(number, { ...shown, data: shown.data.slice() }, true)
          continue
        }
        shown = await this.pixels(pair, number, reader, decoded)
        // Nothing was shown before the first damaged frames, so that the picture after them is.
        for (const before of early) yield this.frame(before, { ...shown, data: shown.data.slice() }, true)
        early = []
        // The reader of a frame may change its pixels.
        const kept: Pixels = stream === undefined ? shown : { ...shown, data: shown.data.slice() }
        yield this.frame(number, shown)
        shown = kept
      }
    } catch (error) {
      if (error instanceof PantinError) throw error
      throw this.broken(numbers[done]!, error)
    } finally {
      await keepAlive(samples.return(undefined))
    }
    if (done < numbers.length) throw this.broken(numbers[done]!)
    if (early.length > 0) throw this.broken(early[0]!)
  }

  /** Of the shown frames: up to their end. */
  sound(): Promise<SoundFound> {
    const end = this.index.start + this.duration
    return keepAlive(readSound(this.surroundings.mediabunny, this.input, { ...this.index, end }))
  }

  async close(): Promise<void> {
    this.input.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The frames of these numbers; null for one that is damaged. */
  private async *samples(numbers: readonly number[]): AsyncGenerator<Pair | null, void, undefined> {
    const { decoder, mediabunny } = this.surroundings
    const { stream, alpha, rotation, flip } = this.decoding
    if (decoder === undefined || stream === undefined) {
      for await (const sample of this.librarySamples(numbers)) yield sample && { sample, alpha: undefined }
      return
    }
    const { config, plain } = stream
    const sink = new mediabunny.EncodedPacketSink(this.track)
    const common = { sink, config, index: this.index }
    this.decoders ??= [
      decoder({ ...common, bytesOf: ({ data }) => plain(data) }),
      ...(alpha ? [decoder({ ...common, bytesOf: ({ sideData }) => sideData.alpha })] : []),
    ]
    const [pictures, seen] = this.decoders.map((one) => one.decode(numbers))
    const sampleOf = (picture: VideoFrame) => new mediabunny.VideoSample(picture, { rotation, flip })
    try {
      for await (const { picture } of pictures!) {
        const masked = await seen?.next()
        const mask = masked?.done === false ? masked.value.picture : undefined
        if (picture === undefined) mask?.close()
        yield picture === undefined ? null : { sample: sampleOf(picture), alpha: mask && sampleOf(mask) }
      }
    } finally {
      await seen?.return()
    }
  }

  /** Consecutive frames are decoded one after the other; frames with a step are found from key frames. */
  private librarySamples(numbers: readonly number[]): AsyncGenerator<VideoSample | null, void, unknown> {
    const sink = new this.surroundings.mediabunny.VideoSampleSink(this.track)
    const { stamps, durations, rearranged } = this.index
    const [first, second] = [numbers[0]!, numbers[1]]
    // The time in the middle of a frame finds it, however its start was rounded.
    const middle = (i: number) => stamps[i]! + durations[i]! / 2
    const apart = second !== undefined && second > first + 1
    if (apart || rearranged) return sink.samplesAtTimestamps(numbers.map(middle))
    const end = numbers.at(-1)! + 1
    return sink.samples(
      middle(first),
      end < stamps.length ? stamps[end]! - durations[end - 1]! / 2 : undefined,
    )
  }

  /** Closes the sample: the decoder has only a few pictures, and waits until they are closed. */
  private async pixels(
    { sample, alpha }: Pair,
    number: number,
    reader: SampleReader,
    decoded: number,
  ): Promise<Pixels> {
    try {
      const expected = this.index.stamps[number]!
      const late = Math.abs(sample.timestamp - expected) > Math.max(this.index.durations[number]! / 2, 0.001)
      if (this.surroundings.decoder === undefined && late) {
        throw this.broken(number, `the decoder gave the frame at ${sample.timestamp} s instead`)
      }
      return await keepAlive(reader.read(sample, alpha))
    } finally {
      const bytes = sample.allocationSize()
      sample.close()
      alpha?.close()
      this.surroundings.frameClosed?.(bytes, decoded)
    }
  }

  private frame(number: number, pixels: Pixels, isDamaged = false): Frame {
    const [time, duration] = [this.index.times[number]!, this.index.durations[number]!]
    return { ...pixels, time, duration, ...(isDamaged && { damaged: true }) }
  }

  private broken(number: number, cause?: unknown): InputError {
    const at = `frame ${number} of ${this.frameCount}, at ${this.index.times[number]!.toFixed(2)} s,`
    return damaged(this.name, `${at} cannot be decoded: the file is cut short or damaged`, cause)
  }
}

/** The constant rate that the times fit, or else their average; 25 for a single frame without a duration. */
async function rateOf(track: InputVideoTrack, { times, durations, rearranged }: FrameIndex): Promise<number> {
  const span = times.at(-1)!
  if (times.length === 1 || span <= 0) return durations[0]! > 0 ? 1 / durations[0]! : 25
  const average = (times.length - 1) / span
  if (rearranged) return Math.round(average * 1000) / 1000
  // Containers round times to a tick, so a rate of 30 averages to 30.016. mediabunny finds the rate behind that.
  const { underlyingFrameRate } = await track.computeFrameRateMetrics()
  const constant = underlyingFrameRate !== null && Math.abs(underlyingFrameRate / average - 1) < 0.02
  return constant ? underlyingFrameRate : Math.round(average * 1000) / 1000
}

/** The command that makes a video readable, to be pasted. */
export const toMp4 = (path: string) =>
  `ffmpeg -i "${path}" -c:v libx264 -crf 16 -pix_fmt yuv420p converted.mp4`

async function packetAt(mediabunny: Mediabunny, track: InputVideoTrack, { before }: KeyPacket) {
  const sink = new mediabunny.EncodedPacketSink(track)
  return (await (before === undefined ? sink.getFirstPacket() : sink.getNextPacket(before))) ?? undefined
}

/** A notice that the colours of a clip are mapped. */
function hdrNotice({ colorSpace }: VideoDecoderConfig): string | undefined {
  const transfer = colorSpace?.transfer as string | null | undefined
  if (transfer !== 'hlg' && transfer !== 'pq') return undefined
  const kind = `the clip is HDR (${transfer.toUpperCase()})`
  return `${kind}: its colours are mapped to SDR (BT.709), and brightness may differ. A phone or ffmpeg can convert it to SDR`
}

/** Without playlists, which refer to other files that the user did not name. */
const formatsOf = ({ ALL_FORMATS, HLS }: Mediabunny) => ALL_FORMATS.filter((format) => format !== HLS)

async function findTrack(mediabunny: Mediabunny, input: Input, path: string): Promise<InputVideoTrack> {
  if (!(await input.canRead())) {
    throw new InputError({
      what: 'this is not a video that can be read here',
      where: path,
      expected: 'a video: mp4, mov, webm, mkv or ts',
      remedy: `give a video file; if a player shows it (avi, wmv, flv), convert it: ${toMp4(path)}`,
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
      remedy: `convert it first: ${toMp4(path)}`,
    })
  }
  return track
}

/** A notice if a container promises more than it holds: it was cut off. */
async function earlyEnd(
  input: Input,
  { end, missing, times }: FrameIndex,
  cut: boolean,
): Promise<string | undefined> {
  const kept = `the ${times.length} frames before its end are read`
  if (missing > 0) return `the file is cut short: ${missing} frames of its index are missing, ${kept}`
  if (cut) return `the file is cut short in the middle of a frame, ${kept}`
  // Only if the file has no other track that the length could come from.
  if ((await input.getTracks()).length > 1) return undefined
  const promised = (await input.getDurationFromMetadata()) ?? 0
  if (promised - end <= Math.max(0.5, promised * 0.02)) return undefined
  const seconds = `${end.toFixed(2)} s of the ${promised.toFixed(2)} s that its header promises`
  return `the file is cut short or damaged: it holds ${seconds}, ${kept}`
}

function unfinished(path: string): InputError {
  return new InputError({
    what: 'the recording was not finished: the index of the file (its moov box) is missing or cut short',
    where: path,
    remedy:
      'let the camera or program that recorded it repair it, or use untrunc with another video of the same camera',
  })
}

function damaged(path: string, what: string, cause?: unknown): InputError {
  const got = cause === undefined ? {} : { got: messageOf(cause).split('\n')[0]! }
  const remedy = 'copy or record the video again, or use another one'
  return new InputError({ what, where: path, ...got, remedy }, { cause })
}
