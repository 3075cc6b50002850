import { fromBinary } from '@bufbuild/protobuf'
import { FormatError, messageOf } from '../../util/errors.ts'
import { type GraphProto, type ModelProto, ModelProtoSchema } from '../generated/onnx_pb.ts'
import { scanMessage } from './scan.ts'

export interface DecodedModel {
  readonly graph: GraphProto
  /** Version of ONNX's own operator set that the nodes are written for. */
  readonly opset: number
  readonly metadata: ReadonlyMap<string, string>
}

/** Operator sets whose forms the importers know. */
const opsets = { oldest: 7, newest: 24 }

/** The model in a file's bytes. @throws FormatError where they hold none, or one of an unknown operator set. */
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

/** The message in the bytes, whatever it says. @throws FormatError where they hold none. */
export function decodeBytes(bytes: Uint8Array): ModelProto {
  try {
    scanMessage(bytes, ModelProtoSchema)
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false })
  } catch (error) {
    if (error instanceof FormatError) throw error
    // The decoder has no error type of its own; whatever it throws is about these bytes.
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
