// The sound of a clip as it is stored, to be copied into another video without being decoded.
import type { AudioCodec, EncodedAudioPacketSource, EncodedPacket, Input, Output } from 'mediabunny'
import type { FrameIndex } from './frame-index.ts'

/** Sound as packets. */
export interface Sound {
  /** How it is coded. */
  readonly codec: AudioCodec
  /** What a decoder needs to know of it. */
  readonly config: AudioDecoderConfig
  /** The packets, with times in seconds from the clip's first frame. The first may be a little before it. */
  packets(): AsyncGenerator<EncodedPacket, void, undefined>
}

/** The sound of a clip, or why there is none. */
export type SoundFound = Sound | 'none' | { readonly leftOut: string }

/** The first sound track of a video whose frames are known. */
export async function readSound(
  mediabunny: typeof import('mediabunny'),
  input: Input,
  index: FrameIndex,
): Promise<SoundFound> {
  const track = await input.getPrimaryAudioTrack()
  if (track === null) return 'none'
  const codec = await track.getCodec()
  const config = await track.getDecoderConfig()
  if (codec === null || config === null) return { leftOut: 'its codec is not known here' }
  if (!index.continuous) return { leftOut: 'the times of the video are not continuous' }
  const { start, end } = index
  return {
    codec,
    config,
    async *packets() {
      const first = await new mediabunny.EncodedPacketSink(track).getFirstPacket()
      // A little sound before its start is what the decoder needs to begin.
      const least = Math.min(0, first?.timestamp ?? 0)
      for await (const packet of new mediabunny.EncodedPacketSink(track).packets()) {
        if (packet.timestamp >= end) return
        if (packet.timestamp < (start === 0 ? least : start)) continue
        yield packet.clone({ timestamp: packet.timestamp - start })
      }
    },
  }
}

/** Writes the packets of a clip's sound in turn with the frames. */
export class SoundCopy {
  private readonly source: EncodedAudioPacketSource
  private readonly packets: AsyncGenerator<EncodedPacket, void, undefined>
  private readonly negative: boolean
  private waiting: EncodedPacket | undefined
  private count = 0
  private done = false

  constructor(
    mediabunny: typeof import('mediabunny'),
    muxer: Output,
    private readonly sound: Sound,
  ) {
    this.source = new mediabunny.EncodedAudioPacketSource(sound.codec)
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
      await this.source.add(packet, this.count++ === 0 ? { decoderConfig: this.sound.config } : undefined)
    }
  }

  async stop(): Promise<void> {
    this.done = true
    await this.packets.return()
  }

  /** A damaged end of the sound ends it, and no more. */
  private async next(): Promise<EncodedPacket | undefined> {
    const read = await this.packets.next().catch(() => undefined)
    if (read === undefined || read.done) {
      this.done = true
      return undefined
    }
    return read.value
  }
}
