// The bytes of a video file, in Node and in pages alike, as the container library and pantin's own readers see them.
import type { Source } from 'mediabunny'

/** A file that is read by places. */
export interface ByteSource {
  /** Number of bytes. */
  readonly size: number
  /** Bytes from `start` to before `end`, which must be within the file. */
  read(start: number, end: number): Promise<Uint8Array>
  /** Closes the file. */
  close(): Promise<void>
}

/** The file as the library reads it. The library closes it. */
export function sourceOf(mediabunny: typeof import('mediabunny'), file: ByteSource): Source {
  return new mediabunny.CustomSource({
    getSize: () => file.size,
    read: (start, end) => file.read(start, end),
    dispose: () => file.close(),
    prefetchProfile: 'fileSystem',
  })
}
