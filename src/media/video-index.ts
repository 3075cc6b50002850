import type { EncodedPacket, InputVideoTrack } from 'mediabunny'
import { FormatError } from '../util/errors.ts'

/** When each frame is shown, read from the container without decoding; both in seconds, by frame number. */
export interface FrameTimes {
  readonly times: Float64Array
  readonly durations: Float64Array
}

/** What a container may hold at most. */
export interface IndexLimits {
  /** Of the whole file; infinity where that is not known. */
  readonly bytes: number
  /** For messages. */
  readonly name: string
}

/** A day at 60 frames a second has 5.2 million. Their times and places are in memory. */
const mostFrames = 6_000_000

/** After so many frames others get their turn, Ctrl-C among them. */
const framesATurn = 10_000

/**
 * The frames that will come out of the decoder, in the order shown. Empty if there are none.
 *
 * @throws FormatError for more frames than the file has room for, which a few bytes can claim.
 */
export async function readFrameTimes(
  mediabunny: typeof import('mediabunny'),
  track: InputVideoTrack,
  limits: IndexLimits,
): Promise<FrameTimes> {
  // VP8 has packets that are not shown, which only their bytes tell.
  const hidesFrames = (await track.getCodec()) === 'vp8'
  const packets = new mediabunny.EncodedPacketSink(track).packets(undefined, undefined, {
    metadataOnly: !hidesFrames,
  })
  const shown: { time: number; duration: number }[] = []
  let decodable = false
  let count = 0
  for await (const packet of packets) {
    // A frame takes more than a byte of any index, and the index is whole where the end of the file is missing.
    if (++count > Math.min(mostFrames, limits.bytes)) throw overfull(limits)
    if (count % framesATurn === 0) await pause()
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

function overfull({ bytes, name }: IndexLimits): FormatError {
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

/** A turn of the event loop, in Node and in pages. */
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 0))
