import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { type ConvGeometry, type ConvOptions, conv } from '../graph/ops/conv.ts'
import { matmul } from '../graph/ops/linear.ts'
import { pad, reshape, slice, stack, transpose } from '../graph/ops/shape.ts'
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
  { strides, pads, dilations }: ConvGeometry,
): Value {
  const [outputs, c, kh, kw] = weight.shape as [number, number, number, number]
  const [n, , h, w] = shape as [number, number, number, number]
  const padded = pad(x, [0, 0, pads[0], pads[1]], [0, 0, pads[2], pads[3]])
  const taps = Array.from({ length: kh * kw }, (_, i) => {
    const [top, left] = [Math.floor(i / kw) * dilations[0], (i % kw) * dilations[1]]
    const [bottom, right] = [top + (h - 1) * strides[0] + 1, left + (w - 1) * strides[1] + 1]
    return slice(padded, [0, 0, top, left], [n, c, bottom, right], [1, 1, ...strides])
  })
  const columns = reshape(transpose(stack(taps, 2), [1, 2, 0, 3, 4]), [c * kh * kw, n * h * w])
  const product = matmul(reshape(weight, [outputs, c * kh * kw]), columns)
  const y = transpose(reshape(product, [outputs, n, h, w]), [1, 0, 2, 3])
  return bias === undefined ? y : add(y, reshape(bias, [1, outputs, 1, 1]))
}
