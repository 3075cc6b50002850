import { fromBufferPromise } from 'yauzl'
import type { Random } from '../../../src/util/random.ts'
import * as w from './writer.ts'

/** A checkpoint file that mutants are made of. */
export interface Source {
  readonly name: string
  readonly whole: Buffer
  /** Of a zip archive, its entries, the pickle first. */
  readonly entries?: readonly w.Entry[]
}

export async function sourceOf(name: string, whole: Buffer): Promise<Source> {
  if (whole.readUInt16LE(0) !== 0x4b50) return { name, whole }
  const zip = await fromBufferPromise(whole)
  const entries: w.Entry[] = []
  for await (const entry of zip.eachEntry()) {
    const parts: Buffer[] = []
    for await (const part of await zip.openReadStreamPromise(entry)) parts.push(part)
    entries.push({ name: entry.fileName, data: Buffer.concat(parts) })
  }
  return { name, whole, entries }
}

/**
 * A file that is a little wrong. Of zip archives, most mutants are wrong in the pickle alone, and the archive
 * around it is written anew with sizes and check sums that fit: otherwise hardly any would get past it.
 */
export function mutantOf({ whole, entries }: Source, random: Random): Buffer {
  if (entries === undefined || random.uniform() < 0.25) return mutate(whole, random)
  const [pickle, ...others] = entries
  const deflate = random.uniform() < 0.25
  return w.zip([{ ...pickle!, data: mutate(pickle!.data, random), deflate }, ...others])
}

/** Pieces of pickles: opcodes that could call something, and numbers that are seldom expected. */
const snippets: readonly Buffer[] = [
  ...[...'()]}0125NQRbaeustGIJKMTUXcdghijlopqrPSVFL.'].map((opcode) => w.bytes(opcode)),
  ...Array.from({ length: 26 }, (_, i) => w.bytes(0x80 + i)),
  ...[w.global('os', 'system'), w.stackGlobal('os', 'system'), w.global('collections', 'OrderedDict')],
  ...[w.global('torch._utils', '_rebuild_tensor_v2'), w.global('torch._tensor', '_rebuild_from_type_v2')],
  ...[
    w.reduce(w.global('os', 'system'), w.text('true')),
    w.storage('0', 4),
    w.storage('0', 2n ** 53n),
    w.tensor({}),
  ],
  ...[
    w.global('torch._utils', '_rebuild_tensor_v3'),
    w.global('torch', 'float64'),
    w.global('torch', 'Size'),
  ],
  ...[w.text('__proto__'), w.get(0), w.get(1), w.get(5), w.get(20), w.put(3), w.tuple(), w.list(), w.dict()],
  ...[0, -1, 2 ** 31 - 1, 2n ** 40n, 2n ** 53n, 2n ** 63n, -(2n ** 63n)].map(w.int),
  ...[w.bytes(255, 255, 255, 255), w.bytes(255, 255, 255, 127), w.bytes(0, 0, 0, 0), Buffer.alloc(8, 255)],
]

/**
 * Bytes with one to five changes.
 *
 * @param pieces what may be put in or over, besides what is there
 */
export function mutate(whole: Buffer, random: Random, pieces = snippets): Buffer {
  let bytes: Buffer = Buffer.from(whole)
  const edits = 1 + Math.floor(random.uniform() ** 3 * 5)
  for (let i = 0; i < edits && bytes.length > 0; i++) bytes = edit(bytes, random, pieces)
  return bytes
}

function edit(bytes: Buffer, random: Random, pieces: readonly Buffer[]): Buffer {
  const below = (count: number) => random.integer(count)
  const at = below(bytes.length)
  const length = 1 + below(Math.min(40, bytes.length - at))
  const block = bytes.subarray(at, at + length)
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  const snippet = random.pick(pieces)
  switch (below(8)) {
    case 0:
      bytes[at]! ^= 1 << below(8)
      return bytes
    case 1:
      bytes[at] = below(256)
      return bytes
    case 2:
      return Buffer.concat([before, after.subarray(length)])
    case 3:
      return Buffer.concat([before, block, after])
    case 4: {
      // A block moves to another place.
      const rest = Buffer.concat([before, after.subarray(length)])
      const to = below(rest.length + 1)
      return Buffer.concat([rest.subarray(0, to), block, rest.subarray(to)])
    }
    case 5:
      return Buffer.concat([before, snippet, after])
    case 6:
      return Buffer.concat([before, snippet, after.subarray(snippet.length)])
    default:
      // Cut off, but not always near the start.
      return random.uniform() < 0.2
        ? before
        : Buffer.concat([before, Buffer.alloc(1, below(256)), after.subarray(1)])
  }
}
