// Copying a clip's sound into a video that is written: whether it can be, and its packets beside the frames.
import { extname } from 'node:path'
import type { EncodedAudioPacketSource, EncodedPacket, Output } from 'mediabunny'
import type { Clip } from './clip.ts'
import type { Sound } from './sound.ts'
import { outputFormat } from './video-containers.ts'

/** The sound that a video gets. */
export interface KeptSound {
  readonly sound: Sound | undefined
  /** What becomes of it, for the user. */
  readonly words: string
}

/**
 * The sound of a clip, if a video of this name can hold it.
 *
 * @param wanted default true
 * @throws InputError if the name's ending is not that of a video
 */
export async function soundFor(path: string, clip: Clip, wanted = true): Promise<KeptSound> {
  const found = (await clip.sound?.()) ?? 'none'
  if (found === 'none') return { sound: undefined, words: 'none (the video has none)' }
  const without = (why: string) => ({ sound: undefined, words: `left out: ${why}` })
  if (!wanted) return without('as asked')
  const byHand = `add it with: ffmpeg -i ${path} -i ${clip.name} -map 0:v -map 1:a -c:v copy with-sound.mp4`
  if ('leftOut' in found) return without(`${found.leftOut}; ${byHand}`)
  const format = await outputFormat(path)
  if (!format.getSupportedAudioCodecs().includes(found.codec)) {
    return without(`a ${extname(path)} file cannot hold ${found.codec}; write a .mkv file, or ${byHand}`)
  }
  return { sound: found, words: `copied (${found.codec})` }
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
