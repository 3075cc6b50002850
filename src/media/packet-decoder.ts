// Decoding a video's packets one by one. A packet that the decoder refuses costs its own picture, and no other.
import type { EncodedPacket, EncodedPacketSink } from 'mediabunny'
import { keepAlive } from '../util/event-loop.ts'
import { type FrameIndex, type KeyPacket, noUse } from './frame-index.ts'

/** H.264 of level 1b, whose number some decoders refuse, is decoded as the next level. */
export function withKnownLevel(config: VideoDecoderConfig): VideoDecoderConfig {
  const codec = config.codec.replace(/^(avc[13]\..{4})09$/, '$10a')
  return codec === config.codec ? config : { ...config, codec }
}

/** Where packets come from, and how they are decoded. */
export interface DecodingOptions {
  readonly sink: EncodedPacketSink
  readonly config: VideoDecoderConfig
  readonly index: FrameIndex
  /** The bytes of a packet that are decoded; undefined if it has none of this kind. */
  bytesOf(packet: EncodedPacket): Uint8Array | undefined
  /**
   * Whether this is a browser's decoder. It gives each picture the time of its packet, does not always keep their order, and
   * refuses a key packet that is none.
   */
  readonly inBrowser: boolean
  /** Is told that a decoder was closed, whose memory waits for the garbage collector. */
  closed?(): void
}

/** A frame as it comes from the decoder. */
export interface Decoded {
  /** Number of the frame. */
  readonly number: number
  /** The picture, which the reader closes; undefined if it is damaged. */
  readonly picture: VideoFrame | undefined
}

/** Pictures that may wait in the decoder: all that it may need to give the first one, and few once it gives them. */
const mostWaiting = (ready: number) => (ready === 0 ? 40 : 8)

/** Packets after which the decoder is drained at the next key packet. A picture that is missing is then known. */
const betweenDrains = 24

/** Damaged packets of one group of pictures. If there are more, the rest of the group is passed over. */
const mostDamaged = 8

/**
 * Damaged packets in a row, over groups of pictures. From here on, as many again are passed over each time: every damaged
 * packet costs a decoder or two, and a small file may have thousands.
 */
const mostInARow = 16

/** Frames that are searched at once for one that is whole, about as many as a group of pictures. */
const searched = 125

const numbersFrom = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i)

/** Decodes frames of one track. Damaged packets are remembered, so that a second pass is as fast as the first. */
export class PacketDecoder {
  private readonly damaged = new Set<number>()

  constructor(private readonly options: DecodingOptions) {}

  /** Decodes frames by their numbers, each in turn. */
  async *decode(numbers: Iterable<number>): AsyncGenerator<Decoded, void, undefined> {
    let run: Run | undefined
    try {
      for (const number of numbers) {
        const packet = this.options.index.packets[number]!
        const rank = this.options.index.ranks[packet]!
        let picture: VideoFrame | undefined
        for (;;) {
          if (this.damaged.has(packet)) break
          const key = this.keyFor(packet, rank)
          if (key === undefined) break
          if (run === undefined || !run.reaches(key, rank)) {
            run?.close()
            run = new Run(this.options, this.damaged, key)
          }
          const found = await keepAlive(run.pictureAt(rank))
          if (found !== 'failed') {
            picture = found
            break
          }
          await keepAlive(this.findDamage(run))
          run.close()
          run = undefined
        }
        yield { number, picture }
      }
    } finally {
      run?.close()
    }
  }

  /** The last whole frame before a damaged one, or else the first after it; undefined if there is none. */
  async nearest(number: number): Promise<number | undefined> {
    for (let end = number; end > 0; end -= searched) {
      let found: number | undefined
      for await (const one of this.decode(numbersFrom(Math.max(0, end - searched), end))) {
        if (one.picture !== undefined) found = one.number
        one.picture?.close()
      }
      if (found !== undefined) return found
    }
    for await (const { number: after, picture } of this.decode(
      numbersFrom(number + 1, this.options.index.packets.length),
    )) {
      picture?.close()
      if (picture !== undefined) return after
    }
    return undefined
  }

  /** The last key packet from which a picture can be decoded. */
  private keyFor(packet: number, rank: number): KeyPacket | undefined {
    const { keys, ranks } = this.options.index
    let [low, high] = [0, keys.length - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      if (keys[middle]!.packet <= packet) low = middle + 1
      else high = middle - 1
    }
    for (let i = high; i >= 0; i--) {
      const key = keys[i]!
      if (ranks[key.packet]! <= rank && !this.damaged.has(key.packet)) return key
    }
    return undefined
  }

  /** Finds the packet that made a run fail. The decoder tells of it later, so that it is searched. */
  private async findDamage(failed: Run): Promise<void> {
    const { keys, ranks } = this.options.index
    const { drainedAt, fedUntil } = failed
    // The decoder was drained before this packet, so that the fault is after it.
    const reader = new PacketReader(this.options, keys.find(({ packet }) => packet === drainedAt)!)
    const group: { number: number; packet: EncodedPacket }[] = []
    for (let read = await reader.next(); read && read.number <= fedUntil; read = await reader.next()) {
      if (!this.damaged.has(read.number) && ranks[read.number] !== noUse) group.push(read)
    }
    const decodes = (count: number) => decodesAll(this.options, group.slice(0, count))
    let [good, bad] = [0, group.length]
    while (bad - good > 1) {
      const middle = (good + bad) >> 1
      if (await decodes(middle)) good = middle
      else bad = middle
    }
    const first = group[bad - 1]?.number
    if (first === undefined) throw new Error('the decoder fails without a packet')
    this.damaged.add(first)
    const end = keys.find(({ packet }) => packet > first)?.packet ?? ranks.length
    const start = keys.findLast(({ packet }) => packet <= first)!.packet
    const count = [...this.damaged].filter((number) => number >= start && number < end).length
    if (count >= mostDamaged) for (let i = first; i < end; i++) this.damaged.add(i)
    const row = this.rowBefore(first)
    if (row >= mostInARow) {
      for (let i = first; i < Math.min(ranks.length, first + row); i++) this.damaged.add(i)
    }
  }

  /** Damaged packets in a row that end with this one. */
  private rowBefore(last: number): number {
    let from = last
    while (from >= 0 && (this.damaged.has(from) || this.options.index.ranks[from] === noUse)) from--
    return last - from
  }
}

/** Reads packets with their numbers, from a key packet on. */
class PacketReader {
  private last: EncodedPacket | undefined
  private number: number

  constructor(
    private readonly options: DecodingOptions,
    private readonly key: KeyPacket,
  ) {
    this.number = key.packet
  }

  async next(): Promise<{ readonly number: number; readonly packet: EncodedPacket } | undefined> {
    const { sink, index } = this.options
    if (this.number >= index.ranks.length) return undefined
    const before = this.last ?? this.key.before
    const asked = { verifyKeyPackets: this.options.inBrowser }
    const packet = await (before === undefined
      ? sink.getFirstPacket(asked)
      : sink.getNextPacket(before, asked))
    if (packet === null) return undefined
    this.last = packet
    return { number: this.number++, packet }
  }
}

/** One decoder, which is fed from a key packet on. */
class Run {
  /** Number of the last packet that was given to the decoder. */
  fedUntil: number
  /** Number of the key packet before which the decoder was drained last. */
  drainedAt: number
  private readonly decoder: VideoDecoder
  private readonly reader: PacketReader
  /** The pictures that are in the decoder, in order. In Node, it gives them in this order. */
  private inside: Inside[] = []
  private readonly ready: { readonly rank: number; readonly picture: VideoFrame }[] = []
  private latest = -1
  private sinceDrain = 0
  private ended = false
  private failed = false
  private wake: () => void = () => {}

  constructor(
    private readonly options: DecodingOptions,
    private readonly damaged: ReadonlySet<number>,
    readonly key: KeyPacket,
  ) {
    this.fedUntil = key.packet
    this.drainedAt = key.packet
    this.reader = new PacketReader(options, key)
    this.decoder = new VideoDecoder({
      output: (picture) => {
        const rank = this.takeRank(picture)
        if (rank === undefined) picture.close()
        else insert(this.ready, { rank, picture })
        this.wake()
      },
      error: () => {
        this.failed = true
        this.wake()
      },
    })
    this.decoder.addEventListener('dequeue', () => this.wake())
    this.decoder.configure(options.config)
  }

  /** Whether a picture that needs this key packet comes from this run, and not from a later one. */
  reaches(key: KeyPacket, rank: number): boolean {
    return !this.failed && rank > this.latest && key.packet <= this.fedUntil + 1
  }

  /** The picture of a rank; undefined if the decoder passes it over. */
  async pictureAt(rank: number): Promise<VideoFrame | undefined | 'failed'> {
    this.latest = rank
    for (;;) {
      const first = this.ready[0]
      if (first !== undefined) {
        if (first.rank > rank) return undefined
        this.ready.shift()
        if (first.rank === rank) return first.picture
        first.picture.close()
      } else if (this.failed) return 'failed'
      else if (this.ended) return undefined
      else if (this.decoder.decodeQueueSize + this.ready.length > mostWaiting(this.ready.length))
        await this.change()
      else await this.feed()
    }
  }

  close(): void {
    for (const { picture } of this.ready) picture.close()
    this.ready.length = 0
    this.inside = []
    if (this.decoder.state !== 'closed') this.decoder.close()
    this.options.closed?.()
  }

  private async feed(): Promise<void> {
    const { index, bytesOf } = this.options
    const read = await this.reader.next()
    if (read === undefined) {
      await this.drain()
      this.ended = true
      return
    }
    const { number, packet } = read
    this.fedUntil = number
    if (this.damaged.has(number)) return
    const rank = index.ranks[number]!
    if (rank === noUse) return
    const isKey = number > this.key.packet && packet.type === 'key'
    if (
      isKey &&
      this.sinceDrain >= betweenDrains &&
      index.keys.some((key) => key.packet === number && key.closed)
    ) {
      await this.drain()
      if (this.failed) return
      this.drainedAt = number
    }
    // Pictures that are shown before the first key packet need others, which this run has not decoded.
    if (rank >= 0 && rank < index.ranks[this.key.packet]!) return
    const data = bytesOf(packet)
    if (data === undefined) return
    if (rank >= 0) insert(this.inside, { rank, time: timeOf(packet) })
    this.sinceDrain++
    this.give(packet, data)
  }

  private takeRank({ timestamp }: VideoFrame): number | undefined {
    if (!this.options.inBrowser) return this.inside.shift()?.rank
    const at = this.inside.findIndex(({ time }) => time === timestamp)
    return at < 0 ? undefined : this.inside.splice(at, 1)[0]!.rank
  }

  private give(packet: EncodedPacket, data: Uint8Array): void {
    try {
      this.decoder.decode(chunkOf(packet, data))
    } catch {
      this.failed = true
    }
  }

  /** Waits for all pictures that are in the decoder. A picture that does not come is lost. */
  private async drain(): Promise<void> {
    try {
      await this.decoder.flush()
    } catch {
      this.failed = true
    }
    this.inside = []
    this.sinceDrain = 0
  }

  private change(): Promise<void> {
    return new Promise((resolve) => {
      // Some decoders do not tell when their queue becomes shorter.
      const timer = setTimeout(resolve, 20)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Whether the packets go through a decoder of their own without a fault. */
async function decodesAll(
  options: DecodingOptions,
  group: readonly { readonly packet: EncodedPacket }[],
): Promise<boolean> {
  let failed = false
  const decoder = new VideoDecoder({
    output: (picture) => picture.close(),
    error: () => {
      failed = true
    },
  })
  decoder.configure(options.config)
  try {
    for (const { packet } of group) {
      const data = options.bytesOf(packet)
      if (data !== undefined) decoder.decode(chunkOf(packet, data))
    }
    await decoder.flush()
  } catch {
    failed = true
  }
  if (decoder.state !== 'closed') decoder.close()
  options.closed?.()
  return !failed
}

/** A picture that is in the decoder. */
interface Inside {
  readonly rank: number
  /** Its packet's time in microseconds. */
  readonly time: number
}

const timeOf = (packet: EncodedPacket) => Math.round(packet.timestamp * 1e6)

const chunkOf = (packet: EncodedPacket, data: Uint8Array) =>
  new EncodedVideoChunk({ type: packet.type, timestamp: timeOf(packet), data })

/** Puts a picture into a list in the order of ranks. It belongs near the end. */
function insert<T extends { readonly rank: number }>(list: T[], picture: T): void {
  let at = list.length
  while (at > 0 && list[at - 1]!.rank > picture.rank) at--
  list.splice(at, 0, picture)
}
