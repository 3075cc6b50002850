// The bytes of an ONNX file as a decoded model, checked before they are trusted, and what a runtime asks of a file.

import { type DescField, type DescMessage, fromBinary, ScalarType } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { FormatError, messageOf } from '../../util/errors.ts'
import { type GraphProto, type ModelProto, ModelProtoSchema } from '../generated/onnx_pb.ts'

interface DecodedModel {
  readonly graph: GraphProto
  /** Version of ONNX's own operator set that the nodes are written for. */
  readonly opset: number
  readonly metadata: ReadonlyMap<string, string>
}

/** Operator sets whose forms the importers know. */
const opsets = { oldest: 7, newest: 24 }

/** The model in a file's bytes. @throws FormatError if they hold none, or one of an unknown operator set. */
export function decodeModel(bytes: Uint8Array): DecodedModel {
  const model = decodeBytes(bytes)
  if (model.graph === undefined) {
    throw new FormatError({ what: 'the file holds no ONNX graph', remedy: 'give an .onnx file' })
  }
  const opset = Number(model.opsetImport.find(({ domain }) => isOnnx(domain))?.version ?? 0n)
  if (!(opset >= opsets.oldest && opset <= opsets.newest)) {
    throw new FormatError({
      what: 'the ONNX file is written for an operator set that pantin does not read',
      got: String(opset),
      expected: `${opsets.oldest} to ${opsets.newest}`,
      remedy: 'export the model at opset 20',
    })
  }
  const metadata = new Map(model.metadataProps.map(({ key, value }) => [key, value]))
  return { graph: model.graph, opset, metadata }
}

/** Whether a domain is ONNX's own, which has two names. */
export const isOnnx = (domain: string): boolean => domain === '' || domain === 'ai.onnx'

/** The message in the bytes, without further checks. @throws FormatError if they hold none. */
export function decodeBytes(bytes: Uint8Array): ModelProto {
  try {
    scanMessage(bytes, ModelProtoSchema)
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false })
  } catch (error) {
    if (error instanceof FormatError) throw error
    // The decoder has no error type of its own. Every error that it throws is about these bytes.
    throw new FormatError(
      {
        what: 'the bytes are no ONNX model, or a damaged one',
        got: messageOf(error),
        remedy: 'fetch or export the file again',
      },
      { cause: error },
    )
  }
}

/** One node of an ONNX file, as far as a runtime needs to know it. */
export interface NodeSummary {
  readonly name: string
  readonly type: string
  /** Names of its inputs and outputs; empty if one is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** For each input that the file has the contents of, its shape. */
  readonly stored: readonly (readonly number[] | undefined)[]
}

/** The nodes in a model's bytes, in order. @throws FormatError if the bytes hold no model. */
export function listNodes(bytes: Uint8Array): NodeSummary[] {
  const { node = [], initializer = [] } = decodeBytes(bytes).graph ?? {}
  const shapes = new Map(initializer.map(({ name, dims }) => [name, dims.map(Number)]))
  return node.map(({ name, opType, input, output }) => ({
    name,
    type: opType,
    inputs: input,
    outputs: output,
    stored: input.map((from) => shapes.get(from)),
  }))
}

/** More than any real model has; a network of a thousand layers has some ten thousand messages. */
const limits = { depth: 16, items: 1 << 20, numbers: 1 << 24 }

/**
 * Walks a message's bytes before it is decoded, since decoding costs far more memory than the bytes do: two bytes make
 * an empty node, and one byte makes a whole number. The walk keeps nothing.
 *
 * @throws FormatError if a message is nested too deep, or holds too many parts or loose numbers.
 */
function scanMessage(bytes: Uint8Array, message: DescMessage): void {
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
