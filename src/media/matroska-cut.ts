// A webm or mkv whose end is missing, as a file that ends after its last whole block. The container library reads no block
// of a cluster that is not whole, and one cluster may be all of a recording (RFC 8794; RFC 9559, section 5.1.3).
import type { ByteSource } from './mp4-boxes.ts'

const ids = { header: 0x1a45dfa3, segment: 0x18538067, cluster: 0x1f43b675 } as const

/** Clusters last seconds. More than these are not looked through. */
const mostClusters = 200_000

/** Blocks of the last cluster that are looked through. */
const mostBlocks = 1_000_000

interface Element {
  readonly id: number
  /** First byte of the size, and number of its bytes. */
  readonly sizeAt: number
  readonly sizeBytes: number
  /** First byte of the content. */
  readonly start: number
  /** One more than the last byte; infinity if the size is not given. */
  readonly end: number
}

/** The file, or if its last cluster is cut off, the file as if this cluster ended with its last whole block. */
export async function withoutCutCluster(file: ByteSource): Promise<ByteSource> {
  const header = await elementAt(file, 0)
  if (header?.id !== ids.header || !(header.end < file.size)) return file
  const segment = await elementAt(file, header.end)
  const isCut =
    segment?.id === ids.segment && segment.end > file.size && segment.end !== Number.POSITIVE_INFINITY
  if (!isCut) return file
  let at = segment.start
  for (let count = 0; count < mostClusters; count++) {
    const element = await elementAt(file, at)
    if (element === undefined || element.end === Number.POSITIVE_INFINITY) return file
    if (element.end > file.size) return element.id === ids.cluster ? endedEarly(file, element) : file
    at = element.end
  }
  return file
}

async function endedEarly(file: ByteSource, cluster: Element): Promise<ByteSource> {
  let at = cluster.start
  for (let count = 0; count < mostBlocks; count++) {
    const element = await elementAt(file, at)
    if (element === undefined || !(element.end <= file.size)) break
    at = element.end
  }
  const { sizeAt, sizeBytes } = cluster
  const size = sizeOf(at - cluster.start, sizeBytes)
  return {
    size: at,
    close: () => file.close(),
    async read(start, end) {
      const bytes = await file.read(start, end)
      for (const [i, byte] of size.entries()) {
        if (sizeAt + i >= start && sizeAt + i < end) bytes[sizeAt + i - start] = byte
      }
      return bytes
    },
  }
}

/** The element that begins at a byte; undefined if its header is not in the file. */
async function elementAt(file: ByteSource, at: number): Promise<Element | undefined> {
  const bytes = at < file.size ? await file.read(at, Math.min(at + 12, file.size)) : new Uint8Array(0)
  const idBytes = lengthOf(bytes[0] ?? 0)
  const sizeBytes = lengthOf(bytes[idBytes] ?? 0)
  if (idBytes > 4 || sizeBytes > 8 || idBytes + sizeBytes > bytes.length) return undefined
  const id = bytes.subarray(0, idBytes).reduce((sum, byte) => sum * 256 + byte, 0)
  const marker = 0x80 >> (sizeBytes - 1)
  const [first = 0, ...others] = bytes.subarray(idBytes, idBytes + sizeBytes)
  const size = others.reduce((sum, byte) => sum * 256 + byte, first - marker)
  const start = at + idBytes + sizeBytes
  // All bits set stand for a size that is not given.
  const open = first - marker === marker - 1 && others.every((byte) => byte === 255)
  return { id, sizeAt: at + idBytes, sizeBytes, start, end: open ? Number.POSITIVE_INFINITY : start + size }
}

/** Number of bytes of a number, from its first byte: one more than its leading zeros. */
const lengthOf = (first: number) => Math.clz32(first) - 23

/** A size in a given number of bytes. */
function sizeOf(value: number, count: number): Uint8Array {
  const bytes = Uint8Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** (count - 1 - i)) & 255)
  bytes[0]! |= 0x80 >> (count - 1)
  return bytes
}
