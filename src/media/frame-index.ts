// When each frame of a video is shown, from its container, without decoding: the order of decoding, the order shown, edit
// lists, and clocks that begin again.
import type { EncodedPacket, EncodedPacketSink, Input, InputVideoTrack } from 'mediabunny'
import { FormatError, InputError } from '../util/errors.ts'
import { mostRate } from './clip.ts'
import type { Edits } from './container.ts'

/** The frames of a track. Packets have numbers in the order of decoding, frames in the order shown. */
export interface FrameIndex {
  /** Seconds from the start of the first frame, by frame. They grow strictly. */
  readonly times: Float64Array
  /** Seconds until the next frame, by frame. */
  readonly durations: Float64Array
  /** Number of its packet, by frame. */
  readonly packets: Int32Array
  /**
   * Place of its picture among all that the decoder gives, by packet; `noPicture` for a packet that gives none, `noUse` for
   * one that is not decoded.
   */
  readonly ranks: Int32Array
  /** Packets that decoding can start from. */
  readonly keys: readonly KeyPacket[]
  /** The container's time of the first frame, in seconds: where the track's sound starts beside it. */
  readonly start: number
  /** The container's own times in seconds, by frame; `times` differ if its clock begins again. */
  readonly stamps: Float64Array
  /** Whether frames were left out or moved in time, so that the container's mean rate does not hold. */
  readonly rearranged: boolean
  /** Whether frames have one time in the container, so that a time does not tell which frame it is. */
  readonly repeated: boolean
  /** The end of the last picture in the container's time, whether it is shown or not. */
  readonly end: number
  /** Whether the frames follow each other as in the container, from `start` on, so that its sound fits. */
  readonly continuous: boolean
  /** Number of packets that the container's index promises and the file does not hold. */
  readonly missing: number
}

/** The rank of a packet that gives no picture, and that others need. */
const noPicture = -1

/** The rank of a packet whose picture needs others that are not in the file. */
export const noUse = -2

/** A packet that needs no other to be decoded. */
export interface KeyPacket {
  /** Number of the packet. */
  readonly packet: number
  /** The packet before it, by which it is found again; undefined for the first. */
  readonly before: EncodedPacket | undefined
  /** Whether all pictures that follow in decoding are shown later. */
  closed: boolean
}

/** How an index is read. */
export interface IndexOptions {
  /** Size of the whole file; infinity if it is not known. */
  readonly bytes: number
  /** For messages. */
  readonly name: string
  /** Whether the container's clock may wrap or begin again, as MPEG-TS's does. Times below zero are then shown. */
  readonly loose: boolean
  /** The edit list, if it is more than a start. */
  readonly edits?: Edits | undefined
  readonly signal?: AbortSignal | undefined
}

/** A day at 60 frames per second has 5.2 million frames. Their times and positions are in memory. */
export const mostFrames = 6_000_000

/** Number of frames after which the event loop runs once, for Ctrl-C among others. */
const framesPerTurn = 10_000

/** A time that falls back by more than this many seconds is a clock that begins again. Reordered frames fall back less. */
const fallBack = 2

/** A clock that jumps forward by more than this many seconds has begun again. */
const leap = 10

interface Packet {
  readonly stamp: number
  readonly duration: number
  readonly key: boolean
  readonly hidden: boolean
}

/** The packets of a track, in the order of decoding. */
interface PacketList {
  readonly packets: Packet[]
  readonly keys: KeyPacket[]
}

/**
 * The frames that will come out of the decoder. Without frames, `times` is empty.
 *
 * @throws FormatError for more frames than the file has room for, which a few bytes can claim. The signal's reason, if it
 * is aborted.
 */
export async function readFrameIndex(
  sink: EncodedPacketSink,
  track: InputVideoTrack,
  options: IndexOptions,
): Promise<FrameIndex> {
  // VP8 has packets that are not shown. Only their bytes tell.
  const hidesFrames = (await track.getCodec()) === 'vp8'
  const list = await listPackets(sink, hidesFrames, options)
  const readable = await countReadable(sink, list, options)
  return arrange(list, readable, options)
}

async function listPackets(
  sink: EncodedPacketSink,
  hidesFrames: boolean,
  options: IndexOptions,
): Promise<PacketList> {
  const packets: Packet[] = []
  const keys: KeyPacket[] = []
  let before: EncodedPacket | undefined
  for await (const packet of sink.packets(undefined, undefined, { metadataOnly: !hidesFrames })) {
    // In any index a frame takes more than a byte. The index is complete even if the end of the file is missing.
    if (packets.length + 1 > Math.min(mostFrames, options.bytes)) throw overfull(options)
    if (packets.length % framesPerTurn === framesPerTurn - 1) {
      await pause()
      options.signal?.throwIfAborted()
    }
    const key = packet.type === 'key'
    if (key) keys.push({ packet: packets.length, before, closed: true })
    const hidden = hidesFrames && isHidden(packet)
    packets.push({ stamp: packet.timestamp, duration: packet.duration, key, hidden })
    before = packet
  }
  return { packets, keys }
}

/** A key packet of a track; undefined if it is not in the file. */
export async function packetAt(
  sink: EncodedPacketSink,
  { before }: KeyPacket,
): Promise<EncodedPacket | undefined> {
  return (await (before === undefined ? sink.getFirstPacket() : sink.getNextPacket(before))) ?? undefined
}

/** How many of the packets are in the file. An index in front of the pictures may promise more than was copied. */
async function countReadable(
  sink: EncodedPacketSink,
  { packets, keys }: PacketList,
  { loose }: IndexOptions,
): Promise<number> {
  if (loose || keys.length === 0) return packets.length
  const at = (key: KeyPacket) => packetAt(sink, key).catch(() => undefined)
  // The last group of pictures is read. If it is whole, so is the file.
  let [low, high] = [0, keys.length - 1]
  let middle = high
  let first: EncodedPacket | undefined
  while (low <= high) {
    const packet = await at(keys[middle]!)
    if (packet === undefined) high = middle - 1
    else {
      first = packet
      low = middle + 1
      if (middle === keys.length - 1) break
    }
    middle = (low + high) >> 1
  }
  if (first === undefined) return 0
  const start = keys[Math.max(0, low - 1)]!.packet
  let count = start
  for (let packet: EncodedPacket | null = first; packet !== null; count++) {
    packet = await sink.getNextPacket(packet).catch(() => null)
  }
  return Math.min(count, packets.length)
}

/** Times and places of packets. */
function arrange(list: PacketList, readable: number, options: IndexOptions): FrameIndex {
  const packets = list.packets.slice(0, readable)
  const keys = list.keys.filter(({ packet }) => packet < readable)
  const begin = keys[0]?.packet ?? packets.length
  const stamps = options.loose ? steady(packets) : packets.map(({ stamp }) => stamp)
  const order: number[] = []
  const ranks = new Int32Array(packets.length).fill(noPicture)
  for (let i = begin; i < packets.length; i++) {
    if (packets[i]!.hidden) continue
    // Pictures before the first key packet, in either order, need pictures that are not there.
    if (stamps[i]! >= stamps[begin]!) order.push(i)
    else ranks[i] = noUse
  }
  order.sort((a, b) => stamps[a]! - stamps[b]! || a - b)
  for (const [rank, packet] of order.entries()) ranks[packet] = rank
  for (const [i, key] of keys.entries()) {
    const end = keys[i + 1]?.packet ?? packets.length
    for (let j = key.packet + 1; j < end && key.closed; j++) {
      if (ranks[j]! >= 0 && ranks[j]! < ranks[key.packet]!) key.closed = false
    }
  }
  const shown = show(order, stamps, options)
  const told = Float64Array.from(shown, ({ time }) => time - shown[0]!.time)
  const repeated = told.some((time, i) => i > 0 && time <= told[i - 1]!)
  const times = repeated ? growing(told, packets[shown[0]!.packet]!.duration) : told
  const moved = stamps.some((time, i) => time !== packets[i]!.stamp)
  // WebM has no duration of the last frame, and a clock that jumps falsifies it. It is shown as long as the one before.
  const lastOf = (i: number) => {
    const known = (options.loose || repeated) && i > 0 ? 0 : packets[shown[i]!.packet]!.duration
    return known || (i > 0 ? times[i]! - times[i - 1]! : 0)
  }
  return {
    times,
    durations: Float64Array.from(times, (time, i) =>
      i + 1 < times.length ? times[i + 1]! - time : lastOf(i),
    ),
    packets: Int32Array.from(shown, ({ packet }) => packet),
    ranks,
    keys,
    start: shown[0]?.time ?? 0,
    stamps: Float64Array.from(shown, ({ packet }) => packets[packet]!.stamp),
    rearranged: moved || repeated || shown.length !== order.length,
    repeated,
    end: packets.reduce((end, { duration }, i) => Math.max(end, stamps[i]! + duration), 0),
    continuous: !moved && (options.edits?.parts.length ?? 1) === 1,
    missing: list.packets.length - readable,
  }
}

interface Shown {
  readonly packet: number
  readonly time: number
}

/** The frames that the edit list shows, each at its time. */
function show(order: readonly number[], stamps: readonly number[], { edits, loose }: IndexOptions): Shown[] {
  const all = order.map((packet) => ({ packet, time: stamps[packet]! }))
  // Frames before zero are cut away by the container's edit list.
  const whole = loose ? all : all.filter(({ time }) => time >= 0)
  if (edits === undefined) return whole
  const { scale, delay, parts } = edits
  // Whole ticks, as the container counts them.
  const tickIn = (time: number, from: number) => Math.round(time * scale) - from
  const within = (time: number, { from, length }: Edits['parts'][number]) =>
    tickIn(time, from) >= 0 && tickIn(time, from) < length
  if (parts.length === 1) return whole.filter(({ time }) => within(time, parts[0]!))
  let at = delay
  return parts.flatMap((part) => {
    const start = at
    at += part.length / scale
    return all
      .filter(({ time }) => within(time, part))
      .map(({ packet, time }) => ({ packet, time: start + tickIn(time, part.from) / scale }))
  })
}

/** Seconds of a frame if no time tells it: 25 frames per second. */
const usualPeriod = 1 / 25

/**
 * Times that grow strictly. Frames of one time share the time until the next. At the end, they follow each other as the frames
 * before.
 *
 * @param times of which none is less than the one before
 * @param duration seconds of a frame, if all have one time; 0 if it is not known
 */
function growing(times: Float64Array, duration: number): Float64Array {
  const out = times.slice()
  let period = duration || usualPeriod
  for (let start = 0, end = 0; start < times.length; start = end) {
    while (end < times.length && times[end]! <= times[start]!) end++
    if (end < times.length) period = (times[end]! - times[start]!) / (end - start)
    for (let i = start; i < end; i++) out[i] = times[start]! + (i - start) * period
  }
  return out
}

/** Times that grow although the clock wraps, jumps or begins again: each stretch follows the one before. */
function steady(packets: readonly Packet[]): number[] {
  let shift = 0
  let latest = Number.NEGATIVE_INFINITY
  let [earliest, count] = [0, 0]
  return packets.map(({ stamp, duration, key }) => {
    const time = stamp + shift
    const again = count > 0 && (time < latest - fallBack || time > latest + leap || (key && time <= latest))
    if (again) {
      const period = count > 1 ? (latest - earliest) / (count - 1) : duration
      shift = latest + period - stamp
      ;[earliest, count] = [latest + period, 0]
    } else if (count === 0) earliest = time
    count++
    latest = Math.max(latest, stamp + shift)
    return stamp + shift
  })
}

/** RFC 6386, section 9.1: bit 4 of a frame's first byte is show_frame. */
function isHidden(packet: EncodedPacket): boolean {
  return packet.data.length > 0 && ((packet.data[0]! >> 4) & 1) === 0
}

/** The constant rate that the times fit, or else their average; 25 for a single frame without a duration. */
export async function rateOf(
  track: InputVideoTrack,
  { times, durations, rearranged }: FrameIndex,
): Promise<number> {
  const span = times.at(-1)!
  if (times.length === 1 || span <= 0) return 1 / (durations[0]! > 0 ? durations[0]! : usualPeriod)
  const average = (times.length - 1) / span
  if (rearranged) return Math.round(average * 1000) / 1000
  // Containers round times to a tick, so a rate of 30 averages to 30.016. mediabunny finds the rate behind that.
  const { underlyingFrameRate } = await track.computeFrameRateMetrics()
  const constant = underlyingFrameRate !== null && Math.abs(underlyingFrameRate / average - 1) < 0.02
  return constant ? underlyingFrameRate : Math.round(average * 1000) / 1000
}

/** Whether frames have times of their own, which do not follow from their rate in frames per second. */
export function isUneven(times: Float64Array, frameRate: number): boolean {
  // Containers round times to a tick, a millisecond at most. Above the highest rate, that would hide whole frames.
  const most = Math.max(0.1 / frameRate, 0.002)
  return frameRate > mostRate || times.some((time, i) => Math.abs(time - i / frameRate) > most)
}

/** A notice if a container promises more than it holds: it was cut off. */
export async function earlyEnd(
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

/** A notice that bytes of an MPEG-TS were left out. */
export function gapNotice(gaps: number): string | undefined {
  if (gaps < 1) return undefined
  const places = gaps === 1 ? 'a damaged place' : `${gaps} damaged places`
  return `the file has ${places}, which ${gaps === 1 ? 'is' : 'are'} passed over: frames there may be missing or wrong`
}

/** A notice that frames are missing in a clip of a constant rate. Of a damaged block, webm and mkv keep nothing else. */
export function holeNotice({ times, durations }: FrameIndex): string | undefined {
  const usual = durations.toSorted()[durations.length >> 1]!
  const off = [...durations.keys()].filter((i) => Math.abs(durations[i]! - usual) > 0.2 * usual + 0.001)
  const isHole = (i: number) => {
    const missing = durations[i]! / usual - 1
    return missing > 0.8 && missing < 4.2 && Math.abs(missing - Math.round(missing)) < 0.2
  }
  if (off.length === 0 || off.length > 1 + durations.length / 100 || !off.every(isHole)) return undefined
  const places = off.slice(0, 5).map((i) => `${(times[i]! + usual).toFixed(2)} s`)
  const list = `${places.join(', ')}${off.length > places.length ? ', ...' : ''}`
  return `no frame at ${list}: it was not recorded, or is damaged (the frame before is shown longer)`
}

/** A recording without an index. */
export const unfinished = (path: string): InputError =>
  new InputError({
    what: 'the recording was not finished: the index of the file (its moov box) is missing or cut short',
    where: path,
    remedy:
      'let the camera or program that recorded it repair it, or use untrunc with another video of the same camera',
  })

/** For a file that claims more frames than it has room for, or than are read here. */
export function overfull({ bytes, name }: Pick<IndexOptions, 'bytes' | 'name'>): FormatError {
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
