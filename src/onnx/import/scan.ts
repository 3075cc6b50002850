import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { ScalarType } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { FormatError } from '../../util/errors.ts'

/**
 * Walks a message's bytes before it is decoded, since decoding costs far more memory than the bytes do: two
 * bytes make an empty node, one byte makes a whole number. Nothing is kept on the way.
 */

/** More than any real model has; a network of a thousand layers has some ten thousand messages. */
const limits = { depth: 16, items: 1 << 20, numbers: 1 << 24 }

/** @throws FormatError where a message is nested too deep, or holds too many parts or loose numbers. */
export function scanMessage(bytes: Uint8Array, message: DescMessage): void {
  const count = { items: 0, numbers: 0 }
  scan(new BinaryReader(bytes), message, 0, count)
}

function scan(
  reader: BinaryReader,
  message: DescMessage,
  depth: number,
  count: { items: number; numbers: number },
) {
  if (depth > limits.depth) throw excess('is nested too deep', `more than ${limits.depth} levels`)
  const fields = fieldsOf(message)
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag()
    const field = fields.get(number)
    if (wireType === WireType.Varint && field?.fieldKind === 'list') count.numbers++
    if (wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, number)
      continue
    }
    // A view, not a copy.
    const part = reader.bytes()
    count.items++
    if (field !== undefined && isVarintList(field)) count.numbers += part.length
    if (count.items > limits.items) throw excess('has too many parts', `more than ${limits.items}`)
    if (count.numbers > limits.numbers)
      throw excess('writes too many numbers one by one', `more than ${limits.numbers}`)
    if (field?.message !== undefined) scan(new BinaryReader(part), field.message, depth + 1, count)
  }
}

const known = new Map<DescMessage, ReadonlyMap<number, DescField>>()

function fieldsOf(message: DescMessage): ReadonlyMap<number, DescField> {
  const fields = known.get(message) ?? new Map(message.fields.map((field) => [field.number, field]))
  known.set(message, fields)
  return fields
}

const fixedSize: ReadonlySet<ScalarType> = new Set([
  ScalarType.FLOAT,
  ScalarType.DOUBLE,
  ScalarType.STRING,
  ScalarType.BYTES,
])

/** Whether a packed list spends as little as one byte on a number. */
function isVarintList(field: DescField): boolean {
  return field.fieldKind === 'list' && field.listKind === 'scalar' && !fixedSize.has(field.scalar)
}

function excess(what: string, got: string): FormatError {
  return new FormatError({
    what: `the ONNX file ${what}`,
    got,
    remedy: 'export the model again, with its weights as raw data',
  })
}
