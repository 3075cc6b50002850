import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { type ConvGeometry, type ConvOptions, conv } from '../graph/ops/conv.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { reshape, transpose } from '../graph/ops/shape.ts'
import { floats, type Tensor } from '../graph/tensor.ts'
import type { Scope } from './scope.ts'

/**
 * A convolution, in training in the form that is fastest with its gradients. ONNX Runtime computes one picture
 * after the other: where maps are small and kernels large it reads megabytes of weights for a few pixels, and the
 * gradients need those weights turned around. There, the columns of all pictures are written and multiplied
 * once; the gradients are then two more products, with the weights as they stand.
 *
 * @param x [N, C, H, W]
 * @param weight [O, C / group, kh, kw]
 * @param bias [O], optional
 */
export function convolution(
  scope: Scope,
  x: Value,
  weight: Value,
  bias: Value | undefined,
  options: ConvOptions,
): Value {
  const direct = conv(x, weight, bias, options)
  const { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1 } = options
  if (!scope.training || group !== 1 || !hasMoreWeights(direct)) return direct
  return byColumns(x, weight, bias, direct.shape, { strides, pads, dilations, group })
}

/** Whether columns are smaller than half of the weights: C kh kw · N H' W' against O · C kh kw. */
function hasMoreWeights({ shape: [n, outputs, h, w] }: Value): boolean {
  return n! * h! * w! < 2 * outputs!
}

function byColumns(
  x: Value,
  weight: Value,
  bias: Value | undefined,
  shape: readonly number[],
  geometry: ConvGeometry,
): Value {
  const [outputs, c, kh, kw] = weight.shape as [number, number, number, number]
  const [n, , h, w] = shape as [number, number, number, number]
  const [pixels, rows] = [x.shape[2]! * x.shape[3]!, c * kh * kw]
  const taken = matmul(reshape(x, [n * c, pixels]), constant(x.graph, selection(x, weight, shape, geometry)))
  const columns = transpose(reshape(taken, [n, rows, h * w]), [1, 0, 2])
  const product = matmul(reshape(weight, [outputs, rows]), reshape(columns, [rows, n * h * w]))
  const y = transpose(reshape(product, [outputs, n, h, w]), [1, 0, 2, 3])
  return bias === undefined ? y : add(y, reshape(bias, [1, outputs, 1, 1]))
}

/**
 * Which pixel each tap reads for each result, as a matrix of 0 and 1, [H W, kh kw H' W']: on small maps a product
 * with it costs less than the slices and padding that it stands for, forwards and backwards.
 */
function selection(
  x: Value,
  weight: Value,
  [, , h, w]: readonly number[],
  { strides, pads, dilations }: ConvGeometry,
): Tensor<'float32'> {
  const [height, width] = x.shape.slice(2) as [number, number]
  const [kh, kw] = weight.shape.slice(2) as [number, number]
  const columns = kh * kw * h! * w!
  const matrix = new Float32Array(height * width * columns)
  for (let column = 0; column < columns; column++) {
    const tap = Math.floor(column / (h! * w!))
    const [i, j] = [Math.floor(column / w!) % h!, column % w!]
    const row = i * strides[0] + Math.floor(tap / kw) * dilations[0] - pads[0]
    const place = j * strides[1] + (tap % kw) * dilations[1] - pads[1]
    const inside = row >= 0 && row < height && place >= 0 && place < width
    if (inside) matrix[(row * width + place) * columns + column] = 1
  }
  return floats(matrix, [height * width, columns])
}
