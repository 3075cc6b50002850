// Clips in the worker: opens video files, puppets and heads, and decodes frame by frame into records that are kept.
import * as mediabunny from 'mediabunny'
import type { Clip, Frame, FrameRange } from '../../media/clip.ts'
import type { ByteSource } from '../../media/container.ts'
import { createFitter, subjectCrop } from '../../media/fit.ts'
import { readVideo } from '../../media/video-in.ts'
import { squareFrame } from '../../model/keypoint-detector.ts'
import { type HeadMesh, readHeadMesh } from '../../synthetic/head/asset.ts'
import { isHead, openHead } from '../../synthetic/head/head.ts'
import { isPuppet, openPuppet, puppetForm } from '../../synthetic/puppet/puppet.ts'
import type { Records } from '../../train/motion-labels.ts'
import { InputError } from '../../util/errors.ts'
import { type ClipOptions, nameOf, type OpenedClip, type SentFrame } from '../clip.ts'
import { isFull, type StoredFolder, storageError } from '../storage.ts'
import { fetchAsset } from './device.ts'
import { bitmapOf } from './pixels.ts'

// Its warnings would go to the page's console. Everything that matters reaches the user as an error.
mediabunny.Logging.level = mediabunny.LogLevel.Silent

/**
 * Opens a video file, a puppet or a head.
 *
 * @param assets address of pantin's assets, with a slash at its end
 * @throws InputError if it is none of them, or cannot be decoded here; EnvironmentError if the shapes of heads are not there.
 */
export async function openClip(source: Blob | string, assets: string): Promise<Clip> {
  if (typeof source !== 'string') return readVideo(bytesOf(source), nameOf(source), { mediabunny })
  if (isPuppet(source)) return openPuppet(source)
  if (isHead(source)) return openHead(source, await headMesh(`${assets}heads.bin`))
  throw new InputError({
    what: 'there is no such clip',
    where: source.slice(0, 200),
    expected: `a video file, ${puppetForm}, or head:SEED`,
    remedy: 'for a video at an address, fetch it and give its blob',
  })
}

const bytesOf = (blob: Blob): ByteSource => ({
  size: blob.size,
  read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  close: async () => {},
})

/** Fetched once in a worker; a training may have a hundred heads. */
let mesh: Promise<HeadMesh> | undefined

function headMesh(address: string): Promise<HeadMesh> {
  mesh ??= fetchMesh(address)
  return mesh
}

const fetchMesh = async (address: string): Promise<HeadMesh> =>
  readHeadMesh(await fetchAsset(address, 'the shapes of synthetic heads'))

/** A clip that a page reads, in one pass or several. */
export class ClipWorker {
  private readonly passes = new Map<number, AsyncGenerator<Frame, void, undefined>>()
  private begun = 0

  private constructor(
    private readonly clip: Clip,
    private readonly shown: (frame: Frame) => Frame,
  ) {}

  static async open(
    source: Blob | string,
    assets: string,
    options: ClipOptions,
  ): Promise<{ worker: ClipWorker; opened: OpenedClip }> {
    const clip = await openClip(source, assets)
    const { fit = 'crop', size = Math.min(clip.width, clip.height) } = options
    const { name, width, height, frameCount, frameRate, duration } = clip
    // Choosing the crop reads frames, which may add notices.
    const crop = fit === 'crop' ? { crop: await subjectCrop(clip) } : {}
    const facts = { name, frameCount, frameRate, duration, notices: clip.notices ?? [] }
    if (fit === 'whole') {
      return { worker: new ClipWorker(clip, (frame) => frame), opened: { ...facts, width, height } }
    }
    const fitter = createFitter(clip, size, { mode: fit, ...crop })
    const shown = (frame: Frame) => squareFrame(fitter(frame), frame.time, frame.duration)
    return { worker: new ClipWorker(clip, shown), opened: { ...facts, width: size, height: size } }
  }

  /** Begins a pass over a range of frames. @returns its number */
  begin(range: FrameRange): number {
    this.passes.set(++this.begun, this.clip.frames(range))
    return this.begun
  }

  async next(pass: number): Promise<SentFrame | undefined> {
    const next = await this.passes.get(pass)?.next()
    if (next === undefined || next.done) return undefined
    const { time, duration, damaged } = next.value
    const picture = await bitmapOf(this.shown(next.value))
    return { time, duration, picture, ...(damaged && { damaged }), notices: this.clip.notices ?? [] }
  }

  async end(pass: number): Promise<void> {
    await this.passes.get(pass)?.return()
    this.passes.delete(pass)
  }
}

/** A file of the browser's storage that a worker reads and writes synchronously. The types of a page lack it. */
interface SyncAccessHandle {
  read(buffer: Uint8Array, options: { at: number }): number
  write(buffer: Uint8Array, options: { at: number }): number
  truncate(size: number): void
  flush(): void
  getSize(): number
  close(): void
}

/** Frames in the browser's storage. Frames for which it has no room stay in memory. */
export class FrameRecords implements Records {
  private readonly beyond: Uint8Array[] = []

  private constructor(
    private readonly handle: SyncAccessHandle,
    readonly length: number,
    private stored: number,
    private readonly onFull: () => void,
    private readonly remove: () => Promise<void>,
  ) {}

  /**
   * @param path of the file in the folder
   * @param length bytes of a record
   * @param count records that the file has; 0 empties the file
   * @param onFull is told once, when the storage is full
   * @throws InputError if the file is shorter than its records, EnvironmentError if the storage fails.
   */
  static async open(
    folder: StoredFolder,
    path: string,
    { length, count = 0, onFull = () => {} }: { length: number; count?: number; onFull?: () => void },
  ): Promise<FrameRecords> {
    const handle = await openSync(folder, path)
    if (count === 0) handle.truncate(0)
    if (handle.getSize() < count * length) {
      const got = `${handle.getSize()} bytes`
      handle.close()
      throw new InputError({
        what: 'the frames of this run are not complete',
        where: folder.name,
        got,
        expected: `${count * length}`,
        remedy: 'train another run on the clips',
      })
    }
    return new FrameRecords(handle, length, count, onFull, () => folder.remove(path))
  }

  get count(): number {
    return this.stored + this.beyond.length
  }

  /** Whether all frames are in the storage. */
  get isWhole(): boolean {
    return this.beyond.length === 0
  }

  append(record: Uint8Array): void {
    if (this.isWhole && this.store(record.subarray(0, this.length))) return
    if (this.isWhole) this.onFull()
    this.beyond.push(record.slice(0, this.length))
  }

  read(index: number, target: Uint8Array, offset = 0): void {
    if (!(index >= 0 && index < this.count)) {
      throw new InputError({
        what: 'there is no such frame',
        got: String(index),
        expected: `0 to ${this.count - 1}`,
      })
    }
    const place = target.subarray(offset, offset + this.length)
    if (index < this.stored) this.handle.read(place, { at: index * this.length })
    else place.set(this.beyond[index - this.stored]!)
  }

  /** Brings all frames into memory and removes the file, so that the storage has its room again. */
  async release(): Promise<void> {
    const stored = Array.from({ length: this.stored }, (_, index) => {
      const record = new Uint8Array(this.length)
      this.read(index, record)
      return record
    })
    this.beyond.unshift(...stored)
    this.stored = 0
    // A file that is open cannot be removed.
    this.handle.close()
    await this.remove()
  }

  close(): void {
    this.handle.close()
  }

  /** @returns whether there was room. */
  private store(record: Uint8Array): boolean {
    try {
      if (this.handle.write(record, { at: this.stored * this.length }) < this.length) return false
      this.stored++
      return true
    } catch (error) {
      if (isFull(error)) return false
      throw storageError(error, 'the frames')
    }
  }
}

async function openSync(folder: StoredFolder, path: string): Promise<SyncAccessHandle> {
  try {
    const file = (await folder.file(path, true)) as FileSystemFileHandle & {
      createSyncAccessHandle(): Promise<SyncAccessHandle>
    }
    return await file.createSyncAccessHandle()
  } catch (error) {
    throw storageError(error, `${folder.name}/${path}`)
  }
}
