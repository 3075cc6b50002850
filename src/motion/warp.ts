import type { Value } from '../graph/graph.ts'
import { add, mul, sub } from '../graph/ops/arithmetic.ts'
import { resize } from '../graph/ops/resize.ts'
import { gridSample } from '../graph/ops/sampling.ts'
import { transpose } from '../graph/ops/shape.ts'

/** Moving maps by a deformation of any size, and fading them by an occlusion map of any size. */

const sizeOfMap = (x: Value) => x.shape.slice(2) as [number, number]

/**
 * A map whose every pixel is read where the deformation says.
 *
 * @param x [N, C, H, W]
 * @param deformation [N, h, w, 2], (x, y) in [-1, 1]; resized bilinearly where h, w are not H, W
 * @returns [N, C, H, W]; zeros where the deformation points out of the picture
 */
export function deformed(x: Value, deformation: Value, alignCorners: boolean): Value {
  const planes = transpose(deformation, [0, 3, 1, 2])
  const [h, w] = sizeOfMap(x)
  if (planes.shape[2] === h && planes.shape[3] === w) return gridSample(x, deformation, { alignCorners })
  const grid = transpose(resize(planes, [h, w], 'bilinear'), [0, 2, 3, 1])
  return gridSample(x, grid, { alignCorners })
}

/** x where the occlusion map [N, 1, h, w] is 1, zeros where it is 0; without a map, x. */
export function occluded(x: Value, occlusionMap: Value | undefined): Value {
  return occlusionMap === undefined ? x : mul(x, resize(occlusionMap, sizeOfMap(x), 'bilinear'))
}

/**
 * `moved` where the occlusion map is 1, `made` where it is 0; without a map, their mean.
 *
 * @param moved [N, C, H, W]
 * @param made [N, C, H, W]
 */
export function overlaid(moved: Value, made: Value, occlusionMap: Value | undefined): Value {
  const visible = occlusionMap === undefined ? 0.5 : resize(occlusionMap, sizeOfMap(moved), 'bilinear')
  return add(made, mul(sub(moved, made), visible))
}
