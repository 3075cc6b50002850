// Reading a video container as a clip: its index without decoding, then its frames by number. In Node and in pages.
import type { Input, InputVideoTrack, VideoSample } from 'mediabunny'
import { InputError, messageOf, PantinError } from '../util/errors.ts'
import { keepAlive } from '../util/event-loop.ts'
import { assertFrameSize, type Clip, type Frame, type FrameRange, resolveRange, toMp4 } from './clip.ts'
import { type ByteSource, mended, readBoxes } from './container.ts'
import {
  earlyEnd,
  type FrameIndex,
  gapNotice,
  holeNotice,
  isUneven,
  mostFrames,
  overfull,
  packetAt,
  rateOf,
  readFrameIndex,
  unfinished,
} from './frame-index.ts'
import { PacketDecoder, withKnownLevel } from './packet-decoder.ts'
import { hdrNotice, type Pixels, type Rotation, SampleReader } from './sample-pixels.ts'
import { readSound, type SoundFound } from './sound.ts'
import type { PlainStream, plainStream } from './stream-format.ts'

type Mediabunny = typeof import('mediabunny')

/** Most frames that are decoded to get one, if the chosen frames are far apart; videos have two key frames in 10 s. */
const mostBetweenKeys = 125

/** What differs between Node and pages when a video is read. */
export interface VideoSurroundings {
  readonly mediabunny: Mediabunny
  /** Is told that closed frames of `bytes` each wait for the garbage collector; see codecs.ts. */
  frameClosed?(bytes: number, frames: number): void
  /** Is told that a decoder was closed, whose memory waits for the garbage collector. */
  decoderClosed?(): void
  /**
   * Prepares streams for a decoder that knows few pixel formats. Every packet is then decoded by itself. Default, for
   * browsers: the container library decodes up to the first damaged packet, because it knows what browsers do wrong.
   */
  readonly prepare?: typeof plainStream
  /** Reads the container where it can be ended, before it is read here. @throws FormatError if it takes too long */
  watch?(bytes: number): Promise<void>
  /** Stops the opening, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads a container (mp4, mov, webm, mkv, ts with H.264, H.265, VP8, VP9 or AV1) as a clip, which closes the file.
 *
 * @param name for messages.
 * @throws InputError if it is not a video, holds no whole frame, is of a codec that is not decoded here, or has frames that
 * are too large; FormatError if it claims more frames than it has room for.
 */
export async function readVideo(
  whole: ByteSource,
  name: string,
  surroundings: VideoSurroundings,
): Promise<Clip> {
  const { mediabunny, signal } = surroundings
  signal?.throwIfAborted()
  const { file, isCut: endsInBlock, gaps } = await keepAlive(mended(whole))
  const input = await openInput(mediabunny, file)
  try {
    const { hasIndex, isMp4, claimed, edits, isCut } = await keepAlive(readBoxes(file))
    if (isMp4 && !hasIndex) throw unfinished(name)
    if (claimed > Math.min(file.size, mostFrames)) throw overfull({ bytes: file.size, name })
    await surroundings.watch?.(file.size)
    const track = await keepAlive(findTrack(mediabunny, input, name))
    const sink = new mediabunny.EncodedPacketSink(track)
    const index = await keepAlive(
      readFrameIndex(sink, track, {
        ...{ bytes: file.size, name, signal, edits: edits.get(track.id) },
        loose: (await input.getFormat()) === mediabunny.MPEG_TS,
      }),
    )
    if (index.times.length === 0)
      throw damaged(name, 'the file holds no whole frame: it is cut short or damaged')
    const width = await track.getDisplayWidth()
    const height = await track.getDisplayHeight()
    const frameRate = await keepAlive(rateOf(track, index))
    const config = withKnownLevel((await track.getDecoderConfig())!)
    const { prepare } = surroundings
    const first = await keepAlive(packetAt(sink, index.keys[0]!))
    const decoding = {
      config,
      colours: config.colorSpace ?? {},
      stream: first && prepare?.(config, first.data, name),
      alpha: first?.sideData.alpha !== undefined,
      rotation: await track.getRotation(),
      flip: await track.getFlip(),
    }
    const early = await keepAlive(earlyEnd(input, index, endsInBlock || isCut))
    const notices = [early, gapNotice(gaps), isMp4 ? undefined : holeNotice(index), hdrNotice(config)].filter(
      (notice) => notice !== undefined,
    )
    const facts = { name, width, height, frameRate, notices }
    return new VideoClip(surroundings, input, track, index, decoding, facts)
  } catch (error) {
    input.dispose()
    if (error instanceof PantinError || signal?.aborted) throw error
    throw damaged(name, 'cannot be read as a video', error)
  }
}

/** The file as the library reads it, which closes the file. */
export async function openInput(mediabunny: Mediabunny, file: ByteSource): Promise<Input> {
  const source = new mediabunny.CustomSource({
    getSize: () => file.size,
    read: (start, end) => file.read(start, end),
    dispose: () => file.close(),
    prefetchProfile: 'fileSystem',
  })
  // Without playlists, which refer to other files that the user did not name.
  const formats = mediabunny.ALL_FORMATS.filter((format) => format !== mediabunny.HLS)
  const input = new mediabunny.Input({ source, formats })
  // Until the library knows the size, it fails on files that are shorter than a header.
  await keepAlive(source.getSizeOrNull())
  return input
}

/** How samples of a track become pictures. */
interface Decoding {
  readonly config: VideoDecoderConfig
  readonly colours: VideoColorSpaceInit
  /** Undefined if the decoder needs no preparation. */
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
  /** The colours that the container library's decoder tells, which has more to go by. */
  private told: VideoColorSpaceInit | undefined

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
    this.variableRate = isUneven(times, facts.frameRate)
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
    const reader = new SampleReader(this, colours, stream)
    const samples = this.samples(numbers)
    // The frames since the last key frame are decoded too.
    const decoded = Math.min((numbers[1] ?? numbers[0]! + 1) - numbers[0]!, mostBetweenKeys)
    let done = 0
    let shown: Pixels | undefined
    try {
      for (; done < numbers.length; done++) {
        const number = numbers[done]!
        const next = await keepAlive(samples.next())
        if (next.done) break
        const pair = next.value
        if (pair === null) {
          this.damagedFrames.add(number)
          shown ??= await this.nearest(number, reader)
          if (shown === undefined) throw this.broken(number)
          yield this.frame(number, { ...shown, data: shown.data.slice() }, true)
          continue
        }
        shown = await this.pixels(pair, reader, decoded)
        // The reader of a frame may change its pixels.
        const kept: Pixels = { ...shown, data: shown.data.slice() }
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
    let done = 0
    // Once a packet was damaged, further passes know which.
    if (this.decoding.stream === undefined && this.decoders === undefined && !this.index.repeated) {
      try {
        for await (const sample of this.librarySamples(numbers)) {
          const isRight = sample !== null && this.isRight(sample, numbers[done]!)
          if (!isRight) sample?.close()
          if (!isRight) break
          done++
          this.told = sample.colorSpace.toJSON()
          yield { sample, alpha: undefined }
        }
      } catch (error) {
        // The browser took the decoder away, which says nothing of the packet.
        if (error instanceof DOMException && error.name === 'QuotaExceededError') throw error
      }
    }
    if (done < numbers.length) yield* this.packetSamples(numbers.slice(done))
  }

  /** Decodes packet by packet. */
  private async *packetSamples(numbers: readonly number[]): AsyncGenerator<Pair | null, void, undefined> {
    const { mediabunny, decoderClosed } = this.surroundings
    const { stream, alpha, rotation, flip } = this.decoding
    const known = { ...this.decoding.config, ...(this.told && { colorSpace: this.told }) }
    const common = {
      ...{ sink: new mediabunny.EncodedPacketSink(this.track), index: this.index },
      config: stream?.config ?? known,
      inBrowser: stream === undefined,
      ...(decoderClosed && { closed: decoderClosed }),
    }
    this.decoders ??= [
      new PacketDecoder({ ...common, bytesOf: ({ data }) => stream?.plain(data) ?? data }),
      ...(alpha ? [new PacketDecoder({ ...common, bytesOf: ({ sideData }) => sideData.alpha })] : []),
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

  /** The picture that is shown for a damaged frame, if none was shown before it. */
  private async nearest(number: number, reader: SampleReader): Promise<Pixels | undefined> {
    const other = await keepAlive(this.decoders![0]!.nearest(number))
    if (other === undefined) return undefined
    for await (const pair of this.packetSamples([other]))
      if (pair !== null) return this.pixels(pair, reader, mostBetweenKeys)
    return undefined
  }

  /** Whether a sample is the frame of this number. Otherwise the decoder passed the frame over. */
  private isRight(sample: VideoSample, number: number): boolean {
    const { stamps, durations } = this.index
    return Math.abs(sample.timestamp - stamps[number]!) <= Math.max(durations[number]! / 2, 0.001)
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
  private async pixels({ sample, alpha }: Pair, reader: SampleReader, decoded: number): Promise<Pixels> {
    try {
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
  assertFrameSize(path, {
    stored: [await track.getCodedWidth(), await track.getCodedHeight()],
    shown: [await track.getDisplayWidth(), await track.getDisplayHeight()],
  })
  const config = await track.getDecoderConfig()
  const known = config && withKnownLevel(config)
  const decodes =
    known === null || known === config
      ? await track.canDecode()
      : (await VideoDecoder.isConfigSupported(known)).supported === true
  const decodable = decodes && (await mediabunny.canDecodeVideo((await track.getCodec())!))
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

function damaged(path: string, what: string, cause?: unknown): InputError {
  const got = cause === undefined ? {} : { got: messageOf(cause).split('\n')[0]! }
  const remedy = 'copy or record the video again, or use another one'
  return new InputError({ what, where: path, ...got, remedy }, { cause })
}
