import { join } from 'node:path'
import { sessionsOn } from '../runtime/node.ts'
import type { Device } from '../runtime/session.ts'
import { loadRun } from './load.ts'
import type { MotionModel, Network } from './motion-model.ts'
import { openSessionModel } from './session-model.ts'

export type { EncodedPicture, MotionModel, Network } from './motion-model.ts'

/** A run as callers name it: its folder, or what `train` returned. */
export type RunReference = string | { readonly path: string }

export interface ModelOptions {
  /** Default `auto`: a GPU where one works, else the CPU. */
  readonly device?: Device | 'auto'
  /**
   * Writes each network anew before it is loaded, so that it computes the same with less, such as
   * `rewriteExactly` (default: as it is).
   */
  rewrite?(network: Network): Promise<Network>
}

/**
 * Opens a run for animation and tracking.
 *
 * @throws InputError where there is no run, FormatError where its files do not fit each other,
 * EnvironmentError where the device is not there.
 */
export async function openModel(run: RunReference, options: ModelOptions = {}): Promise<MotionModel> {
  const loaded = await loadRun(typeof run === 'string' ? run : run.path)
  return openSessionModel(loaded, {
    openSession: sessionsOn(options.device ?? 'auto'),
    where: join(loaded.path, 'weights.safetensors'),
    rewrite: options.rewrite && ((network) => options.rewrite!(network)),
  })
}

/**
 * Calls `use` with a model: one that is open already, and stays open, or that of a run, closed at the end.
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

export function isModel(run: RunReference | MotionModel): run is MotionModel {
  return typeof run === 'object' && 'detect' in run
}
