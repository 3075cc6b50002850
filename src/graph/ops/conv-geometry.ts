import type { Shape } from '../tensor.ts'

/** How a convolution walks over its input. */
export type ConvGeometry = {
  readonly strides: readonly [number, number]
  /** Zeros added at the top, left, bottom and right. */
  readonly pads: readonly [number, number, number, number]
  readonly dilations: readonly [number, number]
  readonly group: number
}

/** Where a tap is inside of the image, along one axis: results `from` to `to`, of which the first reads `first`. */
export interface Overlap {
  readonly from: number
  readonly to: number
  readonly first: number
  readonly stride: number
}

/**
 * @param axis 0 for rows, 1 for columns
 * @param tap its place in the kernel along the axis
 * @param image [N, C, H, W]
 * @param result [N, O, H', W']
 */
export function overlap(
  axis: 0 | 1,
  tap: number,
  image: Shape,
  result: Shape,
  geometry: ConvGeometry,
): Overlap {
  const stride = geometry.strides[axis]
  const start = tap * geometry.dilations[axis] - geometry.pads[axis]!
  const from = Math.max(0, Math.ceil(-start / stride))
  const to = Math.min(result[2 + axis]!, Math.floor((image[2 + axis]! - 1 - start) / stride) + 1)
  return { from, to, first: start + from * stride, stride }
}

/** The index after the last that is read. */
export const endOf = ({ from, to, first, stride }: Overlap): number => first + (to - from - 1) * stride + 1
