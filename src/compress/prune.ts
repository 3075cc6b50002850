// Prunes the detector of a run: some channels go, the detector learns from the original, and so on, until as much is gone as
// is wanted.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listClips } from '../clips/source.ts'
import { formatCrop } from '../faces/box.ts'
import type { CropOptions } from '../faces/node.ts'
import { assertNoInput } from '../files/folders.ts'
import { countParameters, parametersOf } from '../graph/ops/leaf.ts'
import type { LoadedRun } from '../model/loaded-run.ts'
import { loadRun } from '../model/open-model.ts'
import { detectorGraph } from '../motion/model.ts'
import { createSession } from '../runtime/node.ts'
import { distil } from '../train/train.ts'
import { GraphError } from '../util/errors.ts'
import { assertUsable, defined, type OptionTable } from '../util/options.ts'
import { openPlanned } from './calibration.ts'
import {
  batchOf,
  type ClipFrames,
  type Difference,
  differenceOf,
  referenceOf,
  takeFrames,
  withoutGenerator,
  writeRun,
} from './measure.ts'
import { compressOptions, type PruneCriterion } from './options.ts'
import { importanceOf, Prunable, scalesOf, silenced } from './prunable.ts'

/** What `prune` has of the options of a compression, by its own names. */
const pruneOptions = {
  part: compressOptions.prune,
  by: compressOptions.pruneBy,
  steps: compressOptions.pruneSteps,
  frames: compressOptions.frames,
  holdout: compressOptions.holdout,
} satisfies OptionTable

/** What is removed, and how the rest learns. */
export interface Pruning {
  /** Part of the detector's multiply-adds to remove, 0 to 1. */
  readonly part: number
  /** How channels are ranked (default `taylor`). */
  readonly by?: PruneCriterion | undefined
  /** Steps of distillation in all (default 0: none). */
  readonly steps?: number | undefined
  /** Frames of a step (default 8). */
  readonly batch?: number | undefined
  /** Of the distillation, at its peak (default 2e-3). */
  readonly learningRate?: number | undefined
  /** Of all that is random (default 42). */
  readonly seed?: number | undefined
}

/** How `prune` works. */
export interface PruneOptions extends Pruning, CropOptions {
  /** The folder that is made. */
  readonly out: string
  /** Replaces a run that is in the folder (default false). */
  readonly force?: boolean
  /** Frames that channels are ranked by (default 32). */
  readonly frames?: number
  /** End of each clip that is only measured on (default 0.3). */
  readonly holdout?: number
  /** Called when something else is done. */
  onProgress?(what: string): void
}

/** Numbers of the detector before and after. */
export interface PrunedNumbers {
  /** Multiply-adds for one frame. */
  readonly macs: readonly [before: number, after: number]
  /** Trained numbers. */
  readonly parameters: readonly [before: number, after: number]
}

/** What `prune` did. */
export interface PruneReport extends PrunedNumbers {
  /** The run that was pruned. */
  readonly run: string
  /** The folder that was written. */
  readonly path: string
  /** How far keypoints are from those of the original, on frames that nothing was learned from. */
  readonly difference: Difference
}

/**
 * Removes whole channels of a run's detector, and writes the smaller run to a folder of its own. It is opened, animated
 * with, exported and trained further as any run. In between, the detector learns from the original on the videos.
 *
 * @param run a run folder, or the name of a starter
 * @param videos clips, folders of them, or series such as `puppet:1..3`; at least one
 * @throws InputError if the run or a clip cannot serve, if so much cannot be removed, or if something is in the folder.
 * TrainingError if numbers stop being finite. The signal's reason, if it is aborted.
 */
export async function prune(
  run: string,
  videos: readonly string[],
  options: PruneOptions,
): Promise<PruneReport> {
  const { out, force = false, signal, fit, crop, face } = options
  const { frames = compressOptions.frames.default, holdout = compressOptions.holdout.default } = options
  const { part, by, steps } = options
  assertUsable(pruneOptions, defined({ part, by, steps, frames, holdout }))
  await assertNoInput([out], [run, ...videos])
  const original = { ...(await loadRun(run, { signal })), eightBits: undefined }
  const clips = await listClips(videos)
  const sets = await takeFrames(clips, original, { frames, holdout, ...defined({ fit, crop, face }), signal })
  const pruned = await pruneRun(original, { clips, frames: sets.calibration, holdout }, options)
  await using whole = await openPlanned(withoutGenerator(original), {})
  await using smaller = await openPlanned(withoutGenerator(pruned.run), {})
  const reference = await referenceOf(whole, sets.measured, signal)
  const difference = await differenceOf(smaller, reference, 'keypoints', Number.POSITIVE_INFINITY, signal)
  const path = await writeRun({ run: pruned.run, plans: {}, halfKept: false, halves: false }, 'cpu', {
    out,
    force,
  })
  const { macs, parameters } = pruned
  return { run: original.path, path, macs, parameters, difference }
}

/** The clips that a detector learns from, and frames of these that channels are ranked by. */
export interface PruningClips {
  readonly clips: readonly string[]
  readonly frames: readonly ClipFrames[]
  /** End of each clip that is not learned from. */
  readonly holdout: number
}

/** Turns of removing and learning. Each removes the same part of what is left; the last one learns longest. */
const turns = 3
/** Part of all steps that each turn but the last one has. */
const stepsOfTurn = 0.2

/** Prunes the detector of a run in memory. @throws as `prune` */
export async function pruneRun(
  original: LoadedRun,
  { clips, frames, holdout }: PruningClips,
  options: Pruning & CropOptions & { onProgress?(what: string): void },
): Promise<PrunedNumbers & { readonly run: LoadedRun }> {
  const { part, by = 'taylor', steps = 0, seed = 42, signal, onProgress } = options
  const count = Math.floor(stepsOfTurn * steps) > 0 ? turns : 1
  const folder = await mkdtemp(join(tmpdir(), 'pantin-prune-'))
  try {
    let run = original
    const whole = Prunable.of(original.config)
    for (let turn = 1; turn <= count; turn++) {
      onProgress?.(`pruning ${turn} of ${count}: ranking channels`)
      const prunable = turn === 1 ? whole : Prunable.of(run.config)
      const importance =
        by === 'norms'
          ? scalesOf(prunable, run.weights)
          : await importanceOf(prunable, run.weights, frames, { seed: seed + turn, signal })
      const { groups, config } = prunable.choose(importance, whole.macs * (1 - part) ** (turn / count))
      const smaller = { ...run, config, weights: prunable.weightsWithout(run.weights, groups) }
      await assertSame({ ...run, weights: silenced(run.weights, groups) }, smaller, frames)
      run = smaller
      const own =
        turn < count ? Math.floor(stepsOfTurn * steps) : steps - (count - 1) * Math.floor(stepsOfTurn * steps)
      if (own === 0) continue
      const start = join(folder, `start-${turn}`)
      await writeRun({ run, plans: {}, halfKept: false, halves: false }, 'cpu', { out: start, force: false })
      const taught = await distil(clips, {
        ...{ teacher: original.path, model: config, init: start, out: join(folder, `taught-${turn}`) },
        ...{ steps: own, seed, holdout, cache: join(folder, 'labels') },
        ...{ fit: options.fit ?? original.fit, crop: options.crop ?? formatCrop(original.crop) },
        ...defined({ face: options.face, batch: options.batch, learningRate: options.learningRate, signal }),
        onEvent(event) {
          if (event.kind !== 'step') return
          onProgress?.(
            `pruning ${turn} of ${count}: step ${event.step} of ${own}, loss ${event.loss.toPrecision(3)}`,
          )
        },
      })
      signal?.throwIfAborted()
      const { weights } = await loadRun(taught.path)
      run = { ...run, weights: new Map([...run.weights, ...weights]) }
    }
    const numbers = (of: Prunable, { config }: LoadedRun) =>
      [of.macs, countParameters(parametersOf(detectorGraph(config)))] as const
    const [before, after] = [numbers(whole, original), numbers(Prunable.of(run.config), run)]
    return { run, macs: [before[0], after[0]], parameters: [before[1], after[1]] }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A pruned detector computes what the whole one does with zeros where it read the channels that are gone. */
async function assertSame(
  whole: LoadedRun,
  smaller: LoadedRun,
  [clip]: readonly ClipFrames[],
): Promise<void> {
  const frame = batchOf([clip!.source], whole.config.size)
  const [a, b] = await Promise.all(
    [whole, smaller].map(async ({ config, weights }) => {
      await using session = await createSession(detectorGraph(config), { device: 'cpu', weights })
      return (await session.run({ frame })).value!.data as Float32Array
    }),
  )
  const far = Math.max(...a!.map((x, i) => Math.abs(x - b![i]!)))
  if (far < 1e-3) return
  throw new GraphError({
    what: 'the network without some channels is another one than the network with zeros in them',
    got: `keypoints that are ${far.toPrecision(2)} apart`,
    remedy: `${whole.config.net} cannot be pruned: its layers depend on the number of their channels`,
  })
}
