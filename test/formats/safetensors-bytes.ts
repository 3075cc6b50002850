/** Bytes of safetensors files, made by hand for the tests. */

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** A file of this header text and this data (a number stands for that many zero bytes). */
export function fileOf(header: string, data: number | Uint8Array = 0): Uint8Array {
  const text = new TextEncoder().encode(header)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return joined([length, text, typeof data === 'number' ? new Uint8Array(data) : data])
}
