// Tensors of an ONNX model that lie in other files, as torch.onnx.export writes them: found, checked and put into the
// model.
import { toBinary } from '@bufbuild/protobuf'
import { FormatError } from '../../util/errors.ts'
import {
  TensorProto_DataLocation as DataLocation,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type TensorProto,
} from '../generated/onnx_pb.ts'
import { decodeBytes, decodeModel } from './decode.ts'
import { assertStoredHere, inOneFile } from './tensors.ts'

/** Bytes of another file that a tensor is. */
export interface ExternalPart {
  /** A plain name of a file in the model's folder. */
  readonly file: string
  readonly offset: number
  /** Undefined: up to the end of the file. */
  readonly length: number | undefined
}

/** A model of which tensors lie in other files. */
export interface ExternalModel {
  readonly parts: readonly ExternalPart[]
  /** The bytes of the model with the parts' contents in it, given in the order of the parts. */
  inline(contents: readonly Uint8Array[]): Uint8Array
}

/**
 * Looks for tensors in other files.
 *
 * @returns undefined if there are none.
 * @throws FormatError if the bytes hold no model, or a tensor's file is anything but a plain name.
 */
export function externalModel(bytes: Uint8Array): ExternalModel | undefined {
  const model = decodeBytes(bytes)
  const tensors = [...tensorsOf(model)].filter(({ dataLocation }) => dataLocation === DataLocation.EXTERNAL)
  if (tensors.length === 0) return undefined
  return {
    parts: tensors.map(partOf),
    inline: (contents) => {
      for (const [i, tensor] of tensors.entries()) {
        tensor.rawData = contents[i] as Uint8Array<ArrayBuffer>
        tensor.dataLocation = DataLocation.DEFAULT
        tensor.externalData = []
      }
      return toBinary(ModelProtoSchema, model)
    },
  }
}

/** Every tensor in a model: of the graph, of attributes, of graphs inside of nodes. */
function* tensorsOf(model: ModelProto | GraphProto): Generator<TensorProto> {
  const waiting: unknown[] = [model]
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (Array.isArray(value)) {
      if (typeof value[0] === 'object') for (const item of value) waiting.push(item)
    } else if (typeof value === 'object' && value !== null && '$typeName' in value) {
      if (value.$typeName === 'onnx.TensorProto') yield value as TensorProto
      else for (const part of Object.values(value)) if (typeof part === 'object') waiting.push(part)
    }
  }
}

/**
 * Checks a model that ONNX Runtime gets unchanged: all its tensors must be in its own bytes.
 *
 * @throws FormatError if the model names other files, or the bytes hold no model.
 */
export function assertSelfContained(bytes: Uint8Array): void {
  const { graph } = decodeModel(bytes)
  for (const tensor of tensorsOf(graph)) assertStoredHere(tensor, `the tensor "${tensor.name}"`)
}

function partOf({ name, externalData }: TensorProto): ExternalPart {
  const where = `tensor "${name.slice(0, 80)}"`
  const entry = (wanted: string) => externalData.find(({ key }) => key === wanted)?.value
  const file = entry('location') ?? ''
  if (!/^[^/\\:\0]{1,255}$/.test(file) || file === '.' || file === '..') {
    throw new FormatError({
      what: 'a tensor lies in a file that is not beside the model',
      where,
      got: JSON.stringify(file.slice(0, 80)),
      expected: 'the plain name of a file in the same folder',
      remedy: inOneFile,
    })
  }
  const count = (key: string): number | undefined => {
    const text = entry(key)
    if (text === undefined) return undefined
    const value = Number(text)
    if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return value
    const got = JSON.stringify(text.slice(0, 80))
    throw new FormatError({
      what: `the ${key} of a tensor's data is no number of bytes`,
      where,
      got,
      remedy: inOneFile,
    })
  }
  return { file, offset: count('offset') ?? 0, length: count('length') }
}
