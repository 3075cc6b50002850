// Reads ONNX models of any maker from disk. Weights that lie in files beside the model, as torch.onnx.export writes them,
// become part of it.
import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { toBinary } from '@bufbuild/protobuf'
import { fileError } from '../files/file-errors.ts'
import { FileBytes, readWhole } from '../files/read.ts'
import {
  TensorProto_DataLocation as DataLocation,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type TensorProto,
} from '../onnx/generated/onnx_pb.ts'
import { decodeBytes, decodeModel } from '../onnx/import/decode.ts'
import { assertStoredHere, inOneFile } from '../onnx/import/inputs.ts'
import { FormatError } from '../util/errors.ts'

/** The largest ONNX model that is read, with all its weights. Detectors for phones are far smaller. */
const mostBytes = 1 << 30

/**
 * Reads an ONNX model. torch.onnx.export writes the weights into a second file beside it. Such weights are read if the
 * model names a file in its own folder.
 *
 * @returns the bytes of the model with all its weights.
 * @throws FormatError if the file holds no model, or names a file elsewhere or one that does not have the data;
 * InputError if a file cannot be read.
 */
export async function readOnnxFile(path: string): Promise<Uint8Array> {
  const bytes = await readWhole(path, 'an ONNX model', mostBytes)
  try {
    const model = externalModel(bytes)
    return model === undefined ? bytes : model.inline(await readParts(path, model.parts))
  } catch (error) {
    if (!(error instanceof FormatError)) throw fileError(error, path, 'read')
    const { problem } = error
    const where =
      problem.where === undefined || problem.where.includes(path) ? path : `${path}: ${problem.where}`
    throw new FormatError({ ...problem, where }, { cause: error })
  }
}

/**
 * The files beside an ONNX model that its weights lie in: their paths, in the order of the model.
 *
 * @returns none for a model that is one file, and for a file that holds no model: whoever opens it says so.
 * @throws InputError if the file cannot be read.
 */
export async function filesBeside(path: string): Promise<readonly string[]> {
  const bytes = await readWhole(path, 'an ONNX model', mostBytes)
  try {
    const names = new Set(externalModel(bytes)?.parts.map(({ file }) => file))
    return [...names].map((name) => join(dirname(path), name))
  } catch (error) {
    if (error instanceof FormatError) return []
    throw error
  }
}

async function readParts(path: string, parts: readonly ExternalPart[]): Promise<Uint8Array[]> {
  const folders = [dirname(path), dirname(await realpath(path))]
  const real = await Promise.all(folders.map((folder) => realpath(folder)))
  const files = new Map<string, FileBytes>()
  try {
    let stored = 0
    for (const { file } of parts) {
      if (files.has(file)) continue
      const opened = await openBeside(path, file, real)
      files.set(file, opened)
      stored += opened.size
    }
    const contents: Uint8Array[] = []
    let total = 0
    for (const { file, offset, length } of parts) {
      const from = files.get(file)!
      const size = length ?? Math.max(0, from.size - offset)
      total += size
      // Two tensors may be the same data, as tied weights are.
      if (offset + size > from.size || total > Math.min(2 * stored, mostBytes)) {
        throw new FormatError({
          what: 'a model asks for more data than the file beside it has',
          where: path,
          got: `${size} bytes from byte ${offset} of ${file}`,
          expected: `at most ${from.size} bytes`,
          remedy: 'download or export both files again',
        })
      }
      const content = new Uint8Array(size)
      await from.read(content, offset)
      contents.push(content)
    }
    return contents
  } finally {
    for (const file of files.values()) await file.close()
  }
}

/** Opens a file of the model's folder. A symbolic link may not lead to another folder. */
async function openBeside(path: string, name: string, folders: readonly string[]): Promise<FileBytes> {
  const file = join(dirname(path), name)
  const target = await realpath(file).catch(() => undefined)
  if (target === undefined || !folders.includes(dirname(target))) {
    throw new FormatError({
      what: 'the file with the weights of the model cannot be used',
      where: path,
      got: target === undefined ? `no file ${name} in this folder` : `${name}, a link to another folder`,
      expected: `${name} beside the model`,
      remedy: 'put both files into one folder; without the second file the model has no weights',
    })
  }
  return FileBytes.open(file, 'the weights of an ONNX model')
}

/** Bytes of another file that a tensor is. */
interface ExternalPart {
  /** A plain name of a file in the model's folder. */
  readonly file: string
  readonly offset: number
  /** Undefined: up to the end of the file. */
  readonly length: number | undefined
}

/** A model of which tensors lie in other files. */
interface ExternalModel {
  readonly parts: readonly ExternalPart[]
  /** The bytes of the model with the parts' contents in it, given in the order of the parts. */
  inline(contents: readonly Uint8Array[]): Uint8Array
}

/**
 * Looks for tensors in other files.
 *
 * @returns undefined if no tensor is in another file.
 * @throws FormatError if the bytes hold no model, or a tensor's file is anything but a plain name.
 */
function externalModel(bytes: Uint8Array): ExternalModel | undefined {
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
