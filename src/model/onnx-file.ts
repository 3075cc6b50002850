// Reads ONNX models of any maker from disk. Weights that lie in files beside the model become part of it.
import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { FileBytes, readWhole } from '../files/read.ts'
import { type ExternalPart, externalModel } from '../onnx/import/external.ts'
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
