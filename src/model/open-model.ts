// Opens a trained run in Node, for animation and tracking.
import { join } from 'node:path'
import { rewriteExactly } from '../optimise/rewrite-exactly.ts'
import { sessionsOn } from '../runtime/node.ts'
import type { Device } from '../runtime/session.ts'
import { loadRun } from './load-run.ts'
import { type MotionModel, openSessionModel } from './motion-model.ts'

export type { EncodedPicture, MotionModel } from './motion-model.ts'

/** A run, named by its folder or by the object that `train` returned. */
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
  /** Stops the work, which then fails with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Opens a run for animation and tracking: `await using model = await openModel('runs/mine')`.
 *
 * @throws InputError if there is no run, FormatError if its files do not fit each other, EnvironmentError if the
 * device is not available. The signal's reason, if it is aborted.
 */
export async function openModel(
  run: RunReference,
  { device = 'auto', rewrite = true, signal }: ModelOptions = {},
): Promise<MotionModel> {
  const loaded = await loadRun(typeof run === 'string' ? run : run.path, { signal })
  const model = await openSessionModel(loaded, {
    openSession: sessionsOn(device),
    where: join(loaded.path, 'weights.safetensors'),
    rewrite: rewrite ? (network) => rewriteExactly(network) : undefined,
  })
  if (signal?.aborted !== true) return model
  await model.close()
  throw signal.reason
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
