import type { EncodedPacket, InputVideoTrack } from 'mediabunny'

/** When each frame is shown, read from the container without decoding; both in seconds, by frame number. */
export interface FrameTimes {
  readonly times: Float64Array
  readonly durations: Float64Array
}

/** The frames that will come out of the decoder, in the order shown. Empty if there are none. */
export async function readFrameTimes(
  mediabunny: typeof import('mediabunny'),
  track: InputVideoTrack,
): Promise<FrameTimes> {
  // VP8 has packets that are not shown, which only their bytes tell.
  const hidesFrames = (await track.getCodec()) === 'vp8'
  const packets = new mediabunny.EncodedPacketSink(track).packets(undefined, undefined, {
    metadataOnly: !hidesFrames,
  })
  const shown: { time: number; duration: number }[] = []
  let decodable = false
  for await (const packet of packets) {
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
