import { type Clip, frameAt } from '../media/clip.ts'
import type { FitMode, Fitter } from '../media/fit.ts'
import { assertAtLeast } from '../media/frame.ts'
import { openClip } from '../media/source.ts'
import { InputError } from '../util/errors.ts'
import { Random } from '../util/random.ts'
import { type Equivariance, measureEquivariance } from './equivariance.ts'
import { fitClip } from './fit.ts'
import { type Likeness, likeness } from './metrics.ts'
import { type ModelOptions, type MotionModel, type RunReference, withModel } from './model.ts'
import { drawWarp } from './warp.ts'

export interface EvaluateOptions extends ModelOptions {
  /**
   * Where in each clip the driving frames begin, as a fraction: 0 (default) to under 1. After training with
   * a holdout of h, 1 - h begins at the first frame that was held out.
   */
  readonly from?: number
  /** How clips become square; default: as the model's training clips did. */
  readonly fit?: FitMode
  readonly signal?: AbortSignal
  /** After each frame. */
  onProgress?(done: number, total: number): void
}

/** Means over all driving frames of all clips. */
export interface Evaluation extends Likeness {
  /** Driving frames that were reconstructed. */
  readonly frames: number
  /** The same measures for the source picture as it is: what any animation has to beat. */
  readonly still: Likeness
  /** Under random warps of some of the frames, always the same ones. */
  readonly equivariance: Equivariance
}

/** Frames, spread over the clips, that equivariance is measured on, and the seed of their warps. */
const equivarianceFrames = 20
const equivarianceSeed = 0

/**
 * Reconstruction, the measure of the First Order Motion Model and of its pose-evaluation code: the first
 * frame of a clip is driven by its other frames with absolute keypoints, and compared with them.
 *
 * @param run a run folder, what `train` returned, or a model that is open (and stays so).
 * @param clips paths of videos, `puppet:SEED`, or clips that are open (and stay so); at least one.
 * @throws InputError for a run or clip that cannot serve. The signal's reason, if it is aborted.
 */
export async function evaluate(
  run: RunReference | MotionModel,
  clips: readonly (string | Clip)[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { from = 0 } = options
  if (!(from >= 0 && from < 1)) throw badFraction(from)
  if (clips.length === 0) throw new InputError({ what: 'there is no clip to evaluate on' })
  return withModel(run, options, async (model) => {
    const own: Clip[] = []
    try {
      const opened: Clip[] = []
      for (const clip of clips) {
        if (typeof clip !== 'string') opened.push(clip)
        else opened.push(own[own.push(await openClip(clip)) - 1]!)
      }
      for (const clip of opened) assertUsable(clip, model.config.size, from)
      return await measure(model, opened, { ...options, from })
    } finally {
      for (const clip of own) await clip.close()
    }
  })
}

/** Number of the first driving frame; the same rounding as training's, which ends right before it. */
export function firstDrivingFrame(frameCount: number, from: number): number {
  return Math.floor(frameCount * from + 1e-9)
}

async function measure(
  model: MotionModel,
  clips: readonly Clip[],
  options: EvaluateOptions & { readonly from: number },
): Promise<Evaluation> {
  const total = clips.reduce((sum, { frameCount }) => {
    return sum + frameCount - firstDrivingFrame(frameCount, options.from)
  }, 0)
  const every = Math.max(1, Math.floor(total / equivarianceFrames))
  const random = new Random(equivarianceSeed)
  const warped: Equivariance[] = []
  let sums = { made: zero, still: zero }
  let done = 0
  for (const clip of clips) {
    const fitter = await fitClip(clip, model.config.size, options.fit ?? model.fit)
    for await (const { source, driving, result } of reconstruct(model, clip, fitter, options)) {
      sums = {
        made: added(sums.made, likeness(driving, result)),
        still: added(sums.still, likeness(driving, source)),
      }
      if (done % every === 0) warped.push(await measureEquivariance(model, driving, drawWarp(random)))
      done++
      options.onProgress?.(done, total)
    }
  }
  return {
    frames: done,
    ...scaled(sums.made, 1 / done),
    still: scaled(sums.still, 1 / done),
    equivariance: {
      value: mean(warped.map(({ value }) => value)),
      jacobian: model.config.jacobian ? mean(warped.map(({ jacobian }) => jacobian ?? 0)) : undefined,
    },
  }
}

/** The clip's frames from `from` on as the model makes them of its first. All RGB [size, size, 3]. */
async function* reconstruct(
  model: MotionModel,
  clip: Clip,
  fitter: Fitter,
  { from, signal }: { readonly from: number; readonly signal?: AbortSignal },
) {
  signal?.throwIfAborted()
  const first = firstDrivingFrame(clip.frameCount, from)
  const source = fitter(await frameAt(clip, 0))
  const kpSource = await model.detect(source)
  const encoded = await model.encode(source)
  for await (const frame of clip.frames({ fromFrame: first })) {
    signal?.throwIfAborted()
    const driving = fitter(frame)
    const result = await model.generate(encoded, kpSource, await model.detect(driving))
    yield { source, driving, result }
  }
}

const zero: Likeness = { l1: 0, psnr: 0, ssim: 0 }

const added = (a: Likeness, b: Likeness): Likeness => ({
  l1: a.l1 + b.l1,
  psnr: a.psnr + b.psnr,
  ssim: a.ssim + b.ssim,
})

const scaled = ({ l1, psnr, ssim }: Likeness, by: number): Likeness => ({
  l1: l1 * by,
  psnr: psnr * by,
  ssim: ssim * by,
})

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length

function assertUsable(clip: Clip, size: number, from: number): void {
  assertAtLeast(clip, size, clip.name)
  if (clip.frameCount >= 2 && firstDrivingFrame(clip.frameCount, from) < clip.frameCount) return
  throw new InputError({
    what: 'the clip has too few frames to evaluate on',
    where: clip.name,
    got: `${clip.frameCount} frames`,
    expected: 'at least 2, and one of them after --from',
    remedy: 'use a longer clip',
  })
}

function badFraction(from: number): InputError {
  return new InputError({
    what: 'the place to evaluate from is not a fraction of the clip',
    got: String(from),
    expected: '0 to under 1',
    remedy: 'use --from 0.8 for the last fifth',
  })
}
