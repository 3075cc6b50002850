// The sound of a clip as it is stored, to be copied into another video without being decoded.
import type { AudioCodec, EncodedPacket, Input } from 'mediabunny'
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
