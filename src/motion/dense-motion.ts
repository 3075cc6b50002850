import type { Value } from '../graph/graph.ts'
import { sub } from '../graph/ops/arithmetic.ts'
import { like } from '../graph/ops/leaf.ts'
import { concat, reshape, sliceAxis } from '../graph/ops/shape.ts'
import { sigmoid, softmax } from '../graph/ops/unary.ts'
import { conv2d } from '../layers/conv2d.ts'
import { antiAlias } from '../layers/fomm.ts'
import type { Scope } from '../layers/scope.ts'
import type { HourglassSize } from '../zoo/hourglass.ts'
import { hourglassFeatures } from '../zoo/hourglass.ts'
import { type Keypoints, kp2gaussian } from './keypoints.ts'
import { affineMotions, meanDeformation, sparseDeformations } from './sparse-motion.ts'

export interface DenseMotionOptions extends HourglassSize {
  /** Size of the picture that motion is estimated on over the source's, 1 / a whole number. */
  readonly scaleFactor: number
  /** Of the Gaussians around keypoints, in squared units of [-1, 1]; published: 0.01. */
  readonly kpVariance: number
  /** Side of the kernels that make mask and occlusion map, odd; published: 7. */
  readonly kernel: number
  /** Whether an occlusion map is estimated. */
  readonly occlusion: boolean
  /** How sampling coordinates are read: see gridSample. The published weights were trained without. */
  readonly alignCorners: boolean
}

export interface DenseMotion {
  /** Share of each motion at each pixel, [N, K + 1, h, w], the background first. */
  readonly mask: Value
  /** Where each pixel comes from in the source, [N, h, w, 2], (x, y) in [-1, 1]. */
  readonly deformation: Value
  /** 1 where the source shows what is needed, 0 where it must be made up, [N, 1, h, w]. */
  readonly occlusionMap: Value | undefined
  /** The source moved by each motion alone, [N, K + 1, 3, h, w]. */
  readonly sparseDeformed: Value
}

/**
 * The source at the size that motion is estimated on: the same for all frames that it is driven by.
 *
 * @param source [N, 3, H, W] in [0, 1]
 */
export function motionPicture(scope: Scope, source: Value, scaleFactor: number): Value {
  return antiAlias(scope.child('down'), source, scaleFactor)
}

/**
 * Dense motion network (Siarohin et al. 2019, section 3.1, equations 5 to 8): from K local motions to one
 * for each pixel. It sees, for every motion, where its keypoint goes from and to and the source moved by it.
 *
 * @param small the source as `motionPicture` scales it, [N, 3, h, w]
 * @throws InputError where the scaled picture does not fit the hourglass.
 */
export function denseMotion(
  scope: Scope,
  small: Value,
  kpSource: Keypoints,
  kpDriving: Keypoints,
  options: DenseMotionOptions,
): DenseMotion {
  const { kpVariance, kernel, alignCorners } = options
  const [n, c, h, w] = small.shape as [number, number, number, number]
  const motions = affineMotions(kpSource, kpDriving)
  const k = motions.shape[1]!
  const sparseDeformed = sparseDeformations(small, motions, alignCorners)

  const heat = sub(
    kp2gaussian(kpDriving.value, [h, w], kpVariance),
    kp2gaussian(kpSource.value, [h, w], kpVariance),
  )
  const background = like(sliceAxis(heat, 1, 0, 1), 0)
  const heatmaps = reshape(concat([background, heat], 1), [n, k, 1, h, w])
  const seen = reshape(concat([heatmaps, sparseDeformed], 2), [n, k * (c + 1), h, w])

  const features = scope.within('hourglass', (inner) => hourglassFeatures(inner, seen, options))
  const mask = softmax(conv2d(scope.child('mask'), features, k, { kernel }), 1)
  const occlusionMap = options.occlusion
    ? sigmoid(conv2d(scope.child('occlusion'), features, 1, { kernel }))
    : undefined
  return { mask, deformation: meanDeformation(mask, motions), occlusionMap, sparseDeformed }
}
