// Moving maps by a deformation of any size, and fading them by an occlusion map of any size.
import type { Value } from '../graph/graph.ts'
import { add, mul, sub } from '../graph/ops/arithmetic.ts'
import { resize } from '../graph/ops/resize.ts'
import { gridSample } from '../graph/ops/sampling.ts'
import { transpose } from '../graph/ops/shape.ts'

const sizeOfMap = (x: Value) => x.shape.slice(2) as [number, number]

/**
 * Deformations and occlusion maps are resized by the convention that coordinates are read by, `alignCorners`: a
 * deformation that moves nothing then moves nothing after resizing too. The published model reads coordinates without
 * it. A still picture is then not sampled at its own pixels even at one size, since keypoints put -1 at the first
 * pixel's centre and sampling puts it at the pixel's edge.
 */
const resized = (x: Value, size: readonly [number, number], alignCorners: boolean) =>
  resize(x, size, alignCorners ? 'bilinear-corners' : 'bilinear')

/**
 * A map whose every pixel is read where the deformation says.
 *
 * @param x [N, C, H, W]
 * @param deformation [N, h, w, 2], (x, y) in [-1, 1]; resized bilinearly if h, w are not H, W
 * @returns [N, C, H, W]; zeros where the deformation points out of the picture
 */
export function deformed(x: Value, deformation: Value, alignCorners: boolean): Value {
  const [h, w] = sizeOfMap(x)
  if (deformation.shape[1] === h && deformation.shape[2] === w) {
    return gridSample(x, deformation, { alignCorners })
  }
  const planes = resized(transpose(deformation, [0, 3, 1, 2]), [h, w], alignCorners)
  return gridSample(x, transpose(planes, [0, 2, 3, 1]), { alignCorners })
}

/** x where the occlusion map [N, 1, h, w] is 1, zeros where it is 0; without a map, x. */
export function occluded(x: Value, occlusionMap: Value | undefined, alignCorners: boolean): Value {
  return occlusionMap === undefined ? x : mul(x, resized(occlusionMap, sizeOfMap(x), alignCorners))
}

/**
 * `moved` where the occlusion map is 1, `made` where it is 0; without a map, their mean.
 *
 * @param moved [N, C, H, W]
 * @param made [N, C, H, W]
 */
export function overlaid(
  moved: Value,
  made: Value,
  occlusionMap: Value | undefined,
  alignCorners: boolean,
): Value {
  const visible = occlusionMap === undefined ? 0.5 : resized(occlusionMap, sizeOfMap(moved), alignCorners)
  return add(made, mul(sub(moved, made), visible))
}
