import type { Tensor } from '../graph/tensor.ts'

/** A tensor's elements as bytes, not copied. ONNX is little-endian, as is every machine that runs JavaScript here. */
export function bytesOf({ data }: Tensor): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** Keeps one number for each content: equal type, shape and bytes give the same number. */
export class ConstantPool {
  readonly tensors: Tensor[] = []
  private readonly buckets = new Map<string, number[]>()

  add(value: Tensor): number {
    const key = `${value.dtype}[${value.shape}]${hash(bytesOf(value))}`
    const bucket = this.buckets.get(key) ?? []
    const known = bucket.find((index) => sameBytes(bytesOf(this.tensors[index]!), bytesOf(value)))
    if (known !== undefined) return known
    const index = this.tensors.push(value) - 1
    this.buckets.set(key, [...bucket, index])
    return index
  }
}

/** FNV-1a, 32 bits: only sorts into buckets, whose members are then compared. */
function hash(bytes: Uint8Array): number {
  let state = 0x811c9dc5
  for (const byte of bytes) state = Math.imul(state ^ byte, 0x01000193)
  return state >>> 0
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
