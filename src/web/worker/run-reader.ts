import { decodeSafetensors } from '../../formats/safetensors/bytes.ts'
import { animatedRunSchema, type LoadedRun, modelOf } from '../../model/loaded-run.ts'
import { parseConfig } from '../../run/config.ts'
import { configFile, weightsFile } from '../../run/run-files.ts'
import { InputError } from '../../util/errors.ts'
import type { RunFiles } from '../calls.ts'

/** Reads a run's files as animation needs them. @throws InputError, FormatError where they cannot be used. */
export async function readRun(name: string, files: RunFiles): Promise<LoadedRun> {
  const text = await file(files, name, configFile).text()
  const { config } = parseConfig(text, `${name}/${configFile}`, animatedRunSchema)
  const bytes = new Uint8Array(await file(files, name, weightsFile).arrayBuffer())
  const { tensors } = await decodeSafetensors(bytes, `${name}/${weightsFile}`)
  return { path: name, ...modelOf(config, name), weights: tensors }
}

function file(files: RunFiles, name: string, path: string): Blob {
  const found = files.get(path)
  if (found !== undefined) return found
  throw new InputError({ what: 'not a run', where: name, got: `no ${path}`, expected: 'what train writes' })
}
