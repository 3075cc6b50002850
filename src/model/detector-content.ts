import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../files/file-errors.ts'

/**
 * A hash of a detector's weights, and of what else decides its results.
 *
 * @param path a run folder, or an ONNX file
 * @throws InputError where there is none, EnvironmentError where it cannot be read.
 */
export async function detectorContent(path: string): Promise<string> {
  const hash = createHash('sha256')
  const files = path.toLowerCase().endsWith('.onnx')
    ? [path]
    : [join(path, 'config.json'), join(path, 'weights.safetensors')]
  for (const file of files) {
    hash.update(
      await readFile(file).catch((error: unknown) => {
        throw fileError(error, file, 'read')
      }),
    )
  }
  return hash.digest('hex')
}
