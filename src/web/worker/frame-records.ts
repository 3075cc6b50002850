// The decoded frames of a training, in a file of the browser's storage.
import type { Records } from '../../train/motion-labels.ts'
import { InputError } from '../../util/errors.ts'
import { isFull, type StoredFolder, storageError } from '../storage.ts'

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
