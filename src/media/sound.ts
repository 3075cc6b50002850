// The sound of a clip as it is stored, to be copied into another video without being decoded.
import type { EncodedAudioPacketSource, EncodedPacket, Input, Output } from 'mediabunny'
import { InputError } from '../util/errors.ts'
import type { Clip } from './clip.ts'
import type { FrameIndex } from './frame-index.ts'

/** A piece of coded sound. */
export interface SoundPacket {
  /** The bytes, as the codec made them. */
  readonly data: Uint8Array
  /** Whether decoding can start here. */
  readonly type: 'key' | 'delta'
  /** Seconds from the clip's first frame. */
  readonly timestamp: number
  /** Seconds. */
  readonly duration: number
}

/** What a decoder needs to know of sound, as WebCodecs' `AudioDecoderConfig`. */
export interface SoundConfig {
  /** The codec with its details: `mp4a.40.2`. */
  readonly codec: string
  /** Samples a second. */
  readonly sampleRate: number
  /** 1 for mono, 2 for stereo. */
  readonly numberOfChannels: number
  /** The codec's own header, if it has one. */
  readonly description?: ArrayBufferLike | ArrayBufferView
}

/** Sound as packets. Public types name it, so that it is free of the types of the codecs' library. */
export interface Sound {
  /** How it is coded: `aac`, `opus`. */
  readonly codec: string
  /** What a decoder needs to know of it. */
  readonly config: SoundConfig
  /** The packets, in order. The first may begin a little before the clip's first frame. */
  packets(): AsyncGenerator<SoundPacket, void, undefined>
}

/** The sound of a clip, or why there is none. */
export type SoundFound = Sound | 'none' | { readonly leftOut: string }

/** A clip that may have sound: a video, but no puppet and no pictures. */
export interface SoundingClip extends Clip {
  sound(): Promise<SoundFound>
}

/** Whether a clip may have sound. It is no part of `Clip`, whose types need none of the codecs' library. */
export const maySound = (clip: Clip): clip is SoundingClip => 'sound' in clip

/** The first sound track of a video whose frames are known. */
export async function readSound(
  mediabunny: typeof import('mediabunny'),
  input: Input,
  index: FrameIndex,
): Promise<SoundFound> {
  const track = await input.getPrimaryAudioTrack()
  if (track === null) return 'none'
  const sink = new mediabunny.EncodedPacketSink(track)
  // The library reads a track's header when it is first asked for it, and throws errors of any kind.
  const header = await Promise.all([track.getCodec(), track.getDecoderConfig(), sink.getFirstPacket()]).catch(
    () => undefined,
  )
  if (header === undefined) return { leftOut: 'it is damaged' }
  const [codec, config, first] = header
  if (codec === null || config === null) return { leftOut: 'its codec is not known here' }
  if (!index.continuous) return { leftOut: 'the times of the video are not continuous' }
  const { start, end } = index
  const { codec: full, sampleRate, numberOfChannels, description } = config
  return {
    codec,
    config: { codec: full, sampleRate, numberOfChannels, ...(description && { description }) },
    async *packets() {
      // A little sound before its start is what the decoder needs to begin.
      const least = start === 0 ? Math.min(0, first?.timestamp ?? 0) : start
      const frame = bytesPerFrame(full, numberOfChannels)
      for await (const packet of untilDamage(sink.packets())) {
        if (packet.timestamp >= end) return
        const kept = frame === undefined ? packet : partOf(packet, { start, end }, frame, sampleRate)
        if (kept === undefined || (frame === undefined && kept.timestamp < least)) continue
        yield kept.clone({ timestamp: kept.timestamp - start })
      }
    },
  }
}

/** Bytes of one sample of all channels of uncompressed sound; undefined for other codecs. */
function bytesPerFrame(codec: string, channels: number): number | undefined {
  if (codec === 'ulaw' || codec === 'alaw') return channels
  const bits = /^pcm-[usf](\d+)/.exec(codec)?.[1]
  return bits === undefined ? undefined : (Number(bits) / 8) * channels
}

/**
 * The part of uncompressed sound between two times in seconds; undefined if there is none. All the sound of a file may be one
 * packet.
 *
 * @param frame bytes of one sample of all channels
 * @param rate samples per second
 */
function partOf(
  packet: EncodedPacket,
  { start, end }: { readonly start: number; readonly end: number },
  frame: number,
  rate: number,
): EncodedPacket | undefined {
  const count = Math.floor(packet.data.length / frame)
  const place = (time: number) => Math.max(0, Math.min(count, Math.round((time - packet.timestamp) * rate)))
  const [from, to] = [place(start), place(end)]
  if (from >= to) return undefined
  if (to - from === count) return packet
  const data = packet.data.subarray(from * frame, to * frame)
  return packet.clone({ data, timestamp: packet.timestamp + from / rate, duration: (to - from) / rate })
}

/** A damaged end of the sound ends it, and no more. */
async function* untilDamage(packets: AsyncGenerator<EncodedPacket, void>): AsyncGenerator<EncodedPacket> {
  for (;;) {
    const read = await packets.next().catch(() => undefined)
    if (read === undefined || read.done) return
    yield read.value
  }
}

/** Writes the packets of a clip's sound in turn with the frames. */
export class SoundCopy {
  private readonly source: EncodedAudioPacketSource
  private readonly packets: AsyncGenerator<SoundPacket, void, undefined>
  private readonly negative: boolean
  private waiting: SoundPacket | undefined
  private count = 0
  private latest = Number.NEGATIVE_INFINITY
  private done = false

  constructor(
    private readonly mediabunny: typeof import('mediabunny'),
    muxer: Output,
    private readonly sound: Sound,
  ) {
    const codec = mediabunny.AUDIO_CODECS.find((known) => known === sound.codec)
    if (codec === undefined) throw new InputError({ what: 'this sound cannot be written', got: sound.codec })
    this.source = new mediabunny.EncodedAudioPacketSource(codec)
    this.packets = sound.packets()
    this.negative = muxer.format.negativeTimestampSupport === 'full'
    muxer.addAudioTrack(this.source)
  }

  /** Writes the sound that begins before this time, in seconds. */
  async writeUntil(time: number): Promise<void> {
    while (!this.done) {
      this.waiting ??= await this.next()
      if (this.waiting === undefined || this.waiting.timestamp >= time) return
      const packet = this.waiting
      this.waiting = undefined
      if (packet.timestamp < 0 && !this.negative) continue
      // Times fall where a clock begins again, and no container takes them. The film goes on without this sound.
      if (packet.timestamp < this.latest || (this.count === 0 && packet.type !== 'key')) continue
      this.latest = packet.timestamp
      const { data, type, timestamp, duration } = packet
      const piece = new this.mediabunny.EncodedPacket(data, type, timestamp, duration)
      const header = this.count++ === 0 ? { decoderConfig: this.sound.config } : undefined
      try {
        await this.source.add(piece, header)
      } catch (error) {
        // The disk has errors with a code. Any other error is of a packet that the container does not take.
        if (error instanceof Error && 'code' in error) throw error
        await this.stop()
      }
    }
  }

  async stop(): Promise<void> {
    this.done = true
    await this.packets.return()
  }

  private async next(): Promise<SoundPacket | undefined> {
    const read = await this.packets.next()
    if (read.done) {
      this.done = true
      return undefined
    }
    return read.value
  }
}
