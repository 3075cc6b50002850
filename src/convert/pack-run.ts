// Packs a run for other people: the model and its weights in half precision. The starters are made by it.
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { formatCrop } from '../faces/crop.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { isIgnorable, makeFolder } from '../files/folders.ts'
import { writeSafetensors } from '../formats/safetensors/safetensors.ts'
import type { Tensor } from '../graph/tensor.ts'
import { animatedRunSchema, modelOf } from '../model/loaded-run.ts'
import { checkWeights } from '../model/open-model.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { countParameters, parametersOf } from '../motion/weights.ts'
import { writeConfig } from '../run/config-file.ts'
import { openRun } from '../run/run.ts'
import { configFile, weightsFile } from '../run/run-files.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'

/** How a run is packed. */
export interface PackRunOptions {
  /** Replaces a packed run that is in the folder (default false). */
  readonly force?: boolean
}

/** The folder that was written. */
export interface PackedRun {
  /** The folder, absolute. */
  readonly path: string
  /** Size of both files together, in bytes. */
  readonly bytes: number
  /** Trained numbers. */
  readonly params: number
}

/**
 * Writes a run as small as it can be used: `config.json` with the model and how its clips became square, and
 * `weights.safetensors` in F16, half of the size. Nothing else of the training is kept, such as the names of clips and
 * what the machine was. The folder is opened, exported and trained further as any run; it cannot be resumed.
 *
 * @param run a run folder, or the name of a starter
 * @param out the folder to make
 * @throws InputError if the run has no motion model or no weights, or if something is in the folder; FormatError if
 * weights do not fit.
 */
export async function packRun(
  run: string,
  out: string,
  { force = false }: PackRunOptions = {},
): Promise<PackedRun> {
  const opened = await openRun(run, animatedRunSchema)
  const { config: model, fit, crop } = modelOf(opened.config, opened.path)
  const { tensors, metadata } = await opened.loadWeights()
  const { weights, params } = usedWeights(model, tensors, join(opened.path, weightsFile))
  const folder = resolve(out)
  await assertFree(folder, force)
  try {
    await makeFolder(folder)
    const step = metadata.get('step')
    const kept = new Map(step === undefined ? [] : [['step', step]])
    await writeSafetensors(join(folder, weightsFile), weights, kept, { floats: 'F16' })
    // The last file: with it, the folder is a run.
    await writeConfig(folder, version, { model, training: { fit, crop: formatCrop(crop) } })
    return { path: folder, bytes: await bytesIn(folder), params }
  } catch (error) {
    throw fileError(error, folder, 'written')
  }
}

/** The weights that the model's graphs read. A student of an ONNX file has no generator. */
function usedWeights(model: MotionConfig, tensors: ReadonlyMap<string, Tensor>, where: string) {
  const hasGenerator = Array.from(tensors.keys()).some((name) => name.startsWith('generator.'))
  const graphs = hasGenerator ? [detectorGraph(model), generatorGraph(model)] : [detectorGraph(model)]
  const parameters = graphs.flatMap(parametersOf)
  checkWeights(tensors, parameters, where)
  const weights = new Map(parameters.map(({ name }) => [name, tensors.get(name)!]))
  return { weights, params: countParameters(parameters) }
}

const ownFiles: ReadonlySet<string> = new Set([configFile, weightsFile])

/** @throws InputError if something is in the folder, other than a packed run that may be replaced. */
async function assertFree(folder: string, force: boolean): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw fileError(error, folder, 'written')
  })
  const found = names.filter((name) => !isIgnorable(name))
  const replaceable = found.every((name) => ownFiles.has(name))
  if (found.length === 0 || (force && replaceable)) return
  throw new InputError({
    what: replaceable ? 'a packed run is here already' : 'the folder has other things than a packed run',
    where: folder,
    got: found.slice(0, 5).join(', '),
    expected: 'a new or an empty folder',
    remedy: replaceable ? 'replace it with force, or choose another folder' : 'choose another folder',
  })
}

async function bytesIn(folder: string): Promise<number> {
  const sizes = await Promise.all(Array.from(ownFiles, async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((a, b) => a + b, 0)
}
