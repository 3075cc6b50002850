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
      const least = Math.min(0, first?.timestamp ?? 0)
      for await (const packet of untilDamage(sink.packets())) {
        if (packet.timestamp >= end) return
        if (packet.timestamp < (start === 0 ? least : start)) continue
        yield packet.clone({ timestamp: packet.timestamp - start })
      }
    },
  }
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
      const { data, type, timestamp, duration } = packet
      const piece = new this.mediabunny.EncodedPacket(data, type, timestamp, duration)
      await this.source.add(piece, this.count++ === 0 ? { decoderConfig: this.sound.config } : undefined)
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
