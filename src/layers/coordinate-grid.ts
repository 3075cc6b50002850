import { floats, type Tensor } from '../graph/tensor.ts'

/**
 * Coordinates (x, y) of every pixel, in [-1, 1]: -1 and 1 are the centres of the first and last pixel of an
 * axis, as keypoints are measured. An axis of one pixel has it at 0.
 *
 * @returns [height * width, 2], row by row
 */
export function coordinateGrid(height: number, width: number): Tensor<'float32'> {
  const xs = axisCoordinates(width)
  const points = axisCoordinates(height).flatMap((y) => xs.flatMap((x) => [x, y]))
  return floats(points, [height * width, 2])
}

/** Coordinates in [-1, 1] of the pixels along one axis. */
export function axisCoordinates(size: number): number[] {
  return Array.from({ length: size }, (_, i) => (size === 1 ? 0 : (2 * i) / (size - 1) - 1))
}
