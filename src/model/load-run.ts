// Reads a trained run, or the hash that identifies a detector, from files. For Node; see loaded-run.ts for browsers.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { openRun } from '../run/run.ts'
import { animatedRunSchema, type LoadedRun, modelOf } from './loaded-run.ts'

export { checkWeights, type LoadedRun } from './loaded-run.ts'

/**
 * Reads the configuration and the weights of a run folder.
 *
 * @param options.signal stops the reading between two files.
 * @throws InputError if there is no run or it has no weights, FormatError if a file does not fit. The signal's
 * reason, if it is aborted.
 */
export async function loadRun(
  path: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<LoadedRun> {
  signal?.throwIfAborted()
  const run = await openRun(path, animatedRunSchema)
  const model = modelOf(run.config, run.path)
  signal?.throwIfAborted()
  const { tensors } = await run.loadWeights()
  signal?.throwIfAborted()
  return { path: run.path, ...model, weights: tensors }
}

/**
 * SHA-256 of a detector's files: of an ONNX file, or of the config.json and the weights.safetensors of a run. Two
 * detectors with the same hash give the same keypoints.
 *
 * @param path a run folder, or an ONNX file.
 * @returns 64 hexadecimal digits.
 * @throws InputError if there is no such file, EnvironmentError if it cannot be read.
 */
export async function hashDetector(path: string): Promise<string> {
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
