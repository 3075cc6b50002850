// Reads and opens a trained run in Node, for animation and tracking. See loaded-run.ts for browsers.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { readWhole } from '../files/read.ts'
import { readSafetensorsHeader } from '../formats/safetensors/safetensors.ts'
import {
  type RewriteOptions,
  type RewriteTarget,
  rewriteWith,
  type Weighted,
} from '../optimise/rewrite-with.ts'
import { runFolder } from '../run/config-file.ts'
import { openRun } from '../run/run.ts'
import { configFile, weightsFile } from '../run/run-files.ts'
import { bestDevice, hasExactEightBitSums } from '../runtime/devices.ts'
import { evaluate, sessionsOn } from '../runtime/node.ts'
import type { Device } from '../runtime/session.ts'
import { animatedRunSchema, type EightBitPlans, type LoadedRun, modelOf } from './loaded-run.ts'
import { type MotionModel, openSessionModel } from './motion-model.ts'

export type { RewriteOptions, RewriteTarget } from '../optimise/rewrite-with.ts'
export { checkWeights, type LoadedRun } from './loaded-run.ts'

/**
 * Reads the configuration and the weights of a run folder or a starter.
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
 * SHA-256 of a detector's files: of an ONNX file and the files beside it that its weights lie in, or of the config.json and the weights.safetensors of a run. Two
 * detectors with the same hash give the same keypoints.
 *
 * @param path a run folder, the name of a starter, or an ONNX file.
 * @returns 64 hexadecimal digits.
 * @throws InputError if there is no such file, EnvironmentError if it cannot be read.
 */
export async function hashDetector(path: string): Promise<string> {
  const hash = createHash('sha256')
  for (const file of await filesOfDetector(path)) {
    hash.update(await readWhole(file, 'a file of a model', 2 ** 32))
  }
  return hash.digest('hex')
}

async function filesOfDetector(path: string): Promise<readonly string[]> {
  if (path.toLowerCase().endsWith('.onnx')) {
    // It loads the format of ONNX, which only such files need.
    const { filesBeside } = await import('./onnx-file.ts')
    return [path, ...(await filesBeside(path))]
  }
  const folder = await runFolder(path)
  return [configFile, weightsFile].map((name) => join(folder, name))
}

export type { EncodedPicture, MotionModel } from './motion-model.ts'

/** A run, named by its folder, by the name of a starter (see `starters`), or by the object that `train` returned. */
export type RunReference =
  | string
  | {
      /** Path of the run folder. */
      readonly path: string
    }

/** How a run is opened. */
export interface ModelOptions {
  /** Default `auto`: a GPU if one works, otherwise the CPU. */
  readonly device?: Device | 'auto'
  /**
   * Rewrites each network exactly before it is loaded, so that it computes the same with fewer operations (default
   * true). Keypoints agree within 1e-6 with those of the network as it was trained, and pixels within one level of 255.
   * With false, the networks are loaded as they were trained.
   */
  readonly rewrite?: boolean
  /**
   * Whether a run of `compress` computes in eight bits where it was compressed so (default true). This is for CPUs, and
   * for rewritten networks: they are rewritten then whatever `rewrite` says. A processor that would round sums of eight
   * bits more coarsely than the one that the run was made on, or another device, computes in float.
   */
  readonly eightBits?: boolean
  /** Stops the work, which then fails with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Opens a run or a starter for animation and tracking: `await using model = await openModel('face')`. If a run with a
 * starter's name is in the current folder, that run is opened.
 *
 * @throws InputError if there is no run, FormatError if its files do not fit each other, EnvironmentError if the
 * device is not available. The signal's reason, if it is aborted.
 */
export async function openModel(
  run: RunReference,
  { device: asked = 'auto', rewrite = true, eightBits = true, signal }: ModelOptions = {},
): Promise<MotionModel> {
  const loaded = await loadRun(typeof run === 'string' ? run : run.path, { signal })
  const device = asked === 'auto' ? await bestDevice() : asked
  const plans = eightBits && device === 'cpu' ? await plansForHere(loaded) : undefined
  const model = await openSessionModel(loaded, {
    openSession: sessionsOn(device),
    where: join(loaded.path, weightsFile),
    rewrite:
      rewrite || plans !== undefined
        ? (network) => rewriteExactly(network, { target: targetOf(device) })
        : undefined,
    eightBits: plans,
    halves: device === 'webgpu' && loaded.halves,
  })
  if (signal?.aborted !== true) return model
  await model.close()
  throw signal.reason
}

/** The plans of a run that this processor computes as they were meant. */
export async function plansForHere({ eightBits }: LoadedRun): Promise<EightBitPlans | undefined> {
  if (eightBits === undefined) return undefined
  const needsExact = Object.values(eightBits).some((plan) => plan?.largestWeight === 127)
  return needsExact && !(await hasExactEightBitSums()) ? undefined : eightBits
}

/**
 * Calls `use` with a model. A model that is open already stays open. The model of a run is opened, and closed at the
 * end.
 *
 * @throws as `openModel`
 */
export async function withModel<T>(
  run: RunReference | MotionModel,
  options: ModelOptions,
  use: (model: MotionModel) => Promise<T>,
): Promise<T> {
  if (isModel(run)) return use(run)
  const model = await openModel(run, options)
  try {
    return await use(model)
  } finally {
    await model.close()
  }
}

/** Whether a run is given as an open model. */
export function isModel(run: RunReference | MotionModel): run is MotionModel {
  return typeof run === 'object' && 'detect' in run
}

/** Whether the weights of a run are in half precision in its file. */
export async function hasHalves({ path }: LoadedRun): Promise<boolean> {
  const { entries } = await readSafetensorsHeader(join(path, weightsFile))
  return Array.from(entries.values()).some(({ dtype }) => dtype === 'F16')
}

/** Whose kernels networks are written for, on a device of Node. */
export const targetOf = (device: Device): RewriteTarget => (device === 'cpu' ? 'native' : 'gpu')

/** `rewriteWith` in Node: a trained graph, written so that it computes the same with less. */
export const rewriteExactly = (network: Weighted, options?: RewriteOptions): Promise<Weighted> =>
  rewriteWith((graph, weights) => evaluate(graph, {}, weights), network, options)
