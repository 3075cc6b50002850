// The convolution of a map that nearest neighbour doubled, in the form that trains fastest.

import type { Value } from '../graph/graph.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { resize } from '../graph/ops/resize.ts'
import { concat, reshape } from '../graph/ops/shape.ts'
import { floats, type Tensor } from '../graph/tensor.ts'
import { conv2d, conv2dParameters, convolution } from './conv2d.ts'
import type { Scope } from './scope.ts'

/**
 * 3x3 convolution of a map that nearest neighbour doubled, with the parameters and results of `conv2d`. Each
 * small pixel is read up to four times, so results at even and odd rows and columns are four 2x2 convolutions of
 * the small map, whose kernels are sums of the 3x3's taps: 16 products per small pixel instead of 36, and as many
 * in both gradients. Networks are written as published; a training step computes it this way.
 *
 * ```
 * rows of the doubled map   a a b b c c       taps w0 w1 w2
 * at the first b            a [a b b] c c     w0 a + (w1 + w2) b
 * at the second b           a a [b b c] c     (w0 + w1) b + w2 c
 * ```
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, 2 H, 2 W]
 */
export function doubledConv2d(
  scope: Scope,
  x: Value,
  outputs: number,
  { bias: withBias = true }: { readonly bias?: boolean } = {},
): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const options = { kernel: 3, bias: withBias } as const
  if (!scope.training) return conv2d(scope, resize(x, [2 * h, 2 * w], 'nearest'), outputs, options)

  const { weight, bias } = conv2dParameters(scope, c, outputs, options)
  const places = bits.flatMap((row) => bits.map((column) => [row, column] as const))
  const parts = places.map(([row, column]) => {
    const pads = [1 - row, 1 - column, row, column] as const
    return convolution(scope, x, sharedTaps(weight, row, column), bias, { pads })
  })
  // Rows of even and of odd results stand one after the other: even columns, then odd ones, to be put in turn.
  const rows = reshape(concat(parts, 3), [n * outputs * 2 * h, 2 * w])
  return reshape(matmul(rows, constant(x.graph, inTurn(w))), [n, outputs, 2 * h, 2 * w])
}

/** [2 W, 2 W]: sends two halves of a row to even and to odd places. ONNX Runtime transposes at a third of the rate. */
function inTurn(width: number): Tensor<'float32'> {
  const matrix = new Float32Array(4 * width * width)
  for (let i = 0; i < width; i++) {
    matrix[i * 2 * width + 2 * i] = 1
    matrix[(width + i) * 2 * width + 2 * i + 1] = 1
  }
  return floats(matrix, [2 * width, 2 * width])
}

const bits = [0, 1] as const

/** Whether a tap of three falls on a tap of two, at even places and at odd ones: [even or odd][of two][of three]. */
const falls = [
  [
    [1, 0, 0],
    [0, 1, 1],
  ],
  [
    [1, 1, 0],
    [0, 0, 1],
  ],
] as const

/**
 * The 2x2 kernel of the results at even or odd rows and columns.
 *
 * @param weight [O, C, 3, 3]
 * @returns [O, C, 2, 2]
 */
export function sharedTaps(weight: Value, row: 0 | 1, column: 0 | 1): Value {
  const [outputs, c] = weight.shape as [number, number]
  const sums = constant(weight.graph, floats(sharing(row, column), [9, 4]))
  return reshape(matmul(reshape(weight, [outputs * c, 9]), sums), [outputs, c, 2, 2])
}

/** [9, 4]: which taps of the 3x3 are summed to which of the 2x2, at these rows and columns. */
function sharing(row: 0 | 1, column: 0 | 1): number[] {
  return [0, 1, 2].flatMap((down) =>
    [0, 1, 2].flatMap((across) =>
      bits.flatMap((i) => bits.map((j) => falls[row][i][down]! * falls[column][j][across]!)),
    ),
  )
}
