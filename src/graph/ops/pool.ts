// Maps [N, C, H, W] of another height and width: pooling over windows, and resizing.

import type { TensorType, Value } from '../graph.ts'
import { type OpDef, type OpUse, type Plain, type Reach, refuse } from '../op.ts'
import { allocate, floats, ints, sizeOf, tensor } from '../tensor.ts'
import { mul } from './arithmetic.ts'
import { convTranspose } from './conv.ts'
import { scatterAdd } from './gather.ts'
import { constant } from './leaf.ts'
import { matmul } from './linear.ts'
import { reshape } from './shape.ts'
import { describe, expectInputs, expectRank } from './support.ts'

/** How a window walks over its input. */
export type PoolGeometry = {
  readonly kernel: readonly [number, number]
  readonly strides: readonly [number, number]
  /** Rows and columns added at the top, left, bottom and right. */
  readonly pads: readonly [number, number, number, number]
}

/** Windows of a pooling. */
export interface PoolOptions {
  /** Default: the kernel, so that windows do not overlap. */
  readonly strides?: readonly [number, number]
  /** Rows and columns added at the top, left, bottom and right (default: none). */
  readonly pads?: readonly [number, number, number, number]
}

function pooledType(inputs: readonly TensorType[], { kernel, strides, pads }: PoolGeometry): TensorType {
  expectInputs(inputs, 1)
  const x = inputs[0]!
  expectRank(x, 4, '[N, C, H, W]')
  const [n, c, height, width] = x.shape as [number, number, number, number]
  if (
    ![...kernel, ...strides].every((side) => Number.isInteger(side) && side >= 1) ||
    !pads.every(Number.isInteger)
  ) {
    refuse('the geometry of a window is not in whole numbers', {
      got: `a window of ${kernel.join('x')}, strides [${strides}], pads [${pads}]`,
      expected: 'sides and strides of 1 or more, and whole pads',
    })
  }
  const h = Math.floor((height + pads[0] + pads[2] - kernel[0]) / strides[0]) + 1
  const w = Math.floor((width + pads[1] + pads[3] - kernel[1]) / strides[1]) + 1
  if (h < 1 || w < 1) {
    refuse('the window is larger than its input', {
      got: `${describe([x])} under a window of ${kernel.join('x')}`,
      remedy: 'give a larger input',
    })
  }
  return { dtype: 'float32', shape: [n, c, h, w] }
}

const poolReach = ({ attrs: { kernel, strides } }: OpUse<PoolGeometry>): Reach => ({
  by: 'pool',
  kernel,
  strides,
})

/** Visits every pixel of every window: indices into the result and the input. Padding is left out. */
function forWindows(
  shape: readonly number[],
  result: readonly number[],
  { kernel, strides, pads }: PoolGeometry,
  visit: (out: number, at: number) => void,
): void {
  const [n, c, height, width] = shape as [number, number, number, number]
  const [, , h, w] = result as [number, number, number, number]
  for (let plane = 0; plane < n * c; plane++) {
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        for (let i = 0; i < kernel[0] * kernel[1]; i++) {
          const row = y * strides[0] + Math.floor(i / kernel[1]) - pads[0]
          const column = x * strides[1] + (i % kernel[1]) - pads[1]
          if (row < 0 || row >= height || column < 0 || column >= width) continue
          visit((plane * h + y) * w + x, (plane * height + row) * width + column)
        }
      }
    }
  }
}

/** Largest element of each window, and its flat index in the whole input (the first of equal ones). */
export const maxPoolOp: OpDef<PoolGeometry> = {
  name: 'maxPool',
  infer(inputs, geometry) {
    const type = pooledType(inputs, geometry)
    return [type, { dtype: 'int64', shape: type.shape }]
  },
  emit: (onnx, inputs, { kernel, strides, pads }, node) =>
    onnx.node(
      'MaxPool',
      inputs,
      { kernel_shape: kernel, strides, pads },
      onnx.used(node.outputs[1]!) ? 2 : 1,
    ),
  gradient: ({ grad, inputs: [x], outputs: [, index] }) => {
    const flat = scatterAdd(reshape(index!, [-1]), reshape(grad, [-1]), 0, sizeOf(x!.shape))
    return [reshape(flat, x!.shape)]
  },
  cost: 'results',
  reach: poolReach,
  words: 'max pool',
  reference([x], geometry, [type]) {
    const best = new Float64Array(sizeOf(type!.shape)).fill(Number.NEGATIVE_INFINITY)
    const index = new Float64Array(best.length)
    forWindows(x!.shape, type!.shape, geometry, (out, at) => {
      if (x!.data[at]! > best[out]!) {
        best[out] = x!.data[at]!
        index[out] = at
      }
    })
    return [best, index]
  },
}

function pool(op: OpDef<PoolGeometry>, x: Value, kernel: readonly [number, number], options: PoolOptions) {
  const geometry = {
    kernel,
    strides: options.strides ?? kernel,
    pads: options.pads ?? ([0, 0, 0, 0] as const),
  }
  return x.graph.apply(op, [x], geometry)
}

/** Maximum over windows of [N, C, H, W]; `index` is int64, flat over the whole input. */
export function maxPool(
  x: Value,
  kernel: readonly [number, number],
  options: PoolOptions = {},
): {
  /** The maxima. */
  value: Value
  /** Their indices, for `maxUnpool`. */
  index: Value
} {
  const [value, index] = pool(maxPoolOp, x, kernel, options)
  return { value: value!, index: index! }
}

/** Mean of each window; padding counts as zeros. */
export const averagePoolOp: OpDef<PoolGeometry> = {
  name: 'averagePool',
  infer: (inputs, geometry) => [pooledType(inputs, geometry)],
  emit: (onnx, inputs, { kernel, strides, pads }) =>
    onnx.node('AveragePool', inputs, { kernel_shape: kernel, strides, pads, count_include_pad: 1 }),
  // Every pixel of a window gets an equal part: a depthwise transposed convolution with a flat kernel.
  gradient: ({ grad, inputs: [x], attrs: { kernel, strides, pads } }) => {
    const [, c, height, width] = x!.shape as [number, number, number, number]
    const ones = allocate('float32', c * kernel[0] * kernel[1]).fill(1 / (kernel[0] * kernel[1]))
    const flat = constant(x!.graph, tensor('float32', [c, 1, ...kernel], ones))
    const missing = (axis: 0 | 1, size: number) =>
      size - ((grad.shape[2 + axis]! - 1) * strides[axis] + kernel[axis] - pads[axis] - pads[axis + 2]!)
    const outputPadding = [missing(0, height), missing(1, width)] as const
    return [convTranspose(grad, flat, undefined, { strides, pads, group: c, outputPadding })]
  },
  cost: 'results',
  reach: poolReach,
  words: 'mean pool',
  reference([x]: readonly Plain[], geometry, [type]) {
    const out = new Float64Array(sizeOf(type!.shape))
    const count = geometry.kernel[0] * geometry.kernel[1]
    forWindows(x!.shape, type!.shape, geometry, (o, at) => {
      out[o]! += x!.data[at]! / count
    })
    return [out]
  },
}

/** Mean over windows of [N, C, H, W]; padding counts as zeros. */
export function averagePool(x: Value, kernel: readonly [number, number], options: PoolOptions = {}): Value {
  return pool(averagePoolOp, x, kernel, options)[0]!
}

/** Sum over windows: the mean times the window's size. */
export function sumPool(x: Value, kernel: readonly [number, number], options: PoolOptions = {}): Value {
  return mul(averagePool(x, kernel, options), kernel[0] * kernel[1])
}

/**
 * `nearest`: pixel i reads floor(i in / out). `bilinear`: pixel centres are matched (align_corners False).
 * `bilinear-corners`: the centres of the first and of the last pixels are matched (align_corners True).
 */
export type ResizeMode = 'nearest' | 'bilinear' | 'bilinear-corners'

type ResizeAttrs = { readonly size: readonly [number, number]; readonly mode: ResizeMode }

const onnxModes: Readonly<Record<ResizeMode, Readonly<Record<string, string>>>> = {
  nearest: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  bilinear: { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
  'bilinear-corners': { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
}

function resizeReach({ inputs: [x], attrs: { size, mode } }: OpUse<ResizeAttrs>): Reach {
  const [height, width] = x!.shape.slice(2) as [number, number]
  return { by: 'resize', factors: [height / size[0], width / size[1]], bilinear: mode !== 'nearest' }
}

export const resizeOp: OpDef<ResizeAttrs> = {
  name: 'resize',
  infer(inputs, { size }) {
    expectInputs(inputs, 1)
    expectRank(inputs[0]!, 4, '[N, C, H, W]')
    if (!size.every((n) => Number.isInteger(n) && n > 0)) {
      refuse('a size is two whole numbers above 0', { got: `${describe(inputs)} to [${size}]` })
    }
    return [{ dtype: 'float32', shape: [...inputs[0]!.shape.slice(0, 2), ...size] }]
  },
  emit: (onnx, [x], { mode }, node) =>
    onnx.node('Resize', [x!, '', '', onnx.constant(ints(node.outputs[0]!.shape))], onnxModes[mode]),
  // y = A x Bᵀ for two interpolation matrices, so dx = Aᵀ dy B; for whole factors of `nearest` that is a
  // sum over windows.
  gradient: ({ grad, inputs: [x], attrs: { size, mode } }) => {
    const [height, width] = x!.shape.slice(2) as [number, number]
    const factors = [size[0] / height, size[1] / width] as const
    if (mode === 'nearest' && factors.every(Number.isInteger)) return [sumPool(grad, factors)]
    const a = constant(grad.graph, transposed(interpolation(height, size[0], mode), [height, size[0]]))
    const b = constant(grad.graph, floats(interpolation(width, size[1], mode), [size[1], width]))
    return [matmul(a, matmul(grad, b))]
  },
  cost: 'results',
  reach: resizeReach,
  words: 'resize',
  reference([x], { size, mode }, [type]) {
    const [n, c, height, width] = x!.shape as [number, number, number, number]
    const rows = interpolation(height, size[0], mode)
    const columns = interpolation(width, size[1], mode)
    const out = new Float64Array(sizeOf(type!.shape))
    for (let plane = 0; plane < n * c; plane++) {
      for (let i = 0; i < size[0]; i++) {
        for (let y = 0; y < height; y++) {
          const weight = rows[i * height + y]!
          if (weight === 0) continue
          for (let j = 0; j < size[1]; j++) {
            for (let z = 0; z < width; z++) {
              out[(plane * size[0] + i) * size[1] + j]! +=
                weight * columns[j * width + z]! * x!.data[(plane * height + y) * width + z]!
            }
          }
        }
      }
    }
    return [out]
  },
}

/** Resizes [N, C, H, W] to [N, C, size[0], size[1]]. */
export function resize(x: Value, size: readonly [number, number], mode: ResizeMode): Value {
  if (size[0] === x.shape[2] && size[1] === x.shape[3]) return x
  return x.graph.apply(resizeOp, [x], { size, mode })[0]!
}

/** The matrix [to, from] that resizes one axis. */
function interpolation(from: number, to: number, mode: ResizeMode): Float64Array {
  const matrix = new Float64Array(to * from)
  for (let i = 0; i < to; i++) {
    if (mode === 'nearest') {
      matrix[i * from + Math.min(from - 1, Math.floor((i * from) / to))] = 1
      continue
    }
    const centre =
      mode === 'bilinear' ? ((i + 0.5) * from) / to - 0.5 : to === 1 ? 0 : (i * (from - 1)) / (to - 1)
    const at = Math.min(Math.max(centre, 0), from - 1)
    const first = Math.min(Math.floor(at), from - 1)
    const second = Math.min(first + 1, from - 1)
    matrix[i * from + first]! += 1 - (at - first)
    matrix[i * from + second]! += at - first
  }
  return matrix
}

function transposed(matrix: Float64Array, [rows, columns]: readonly [number, number]) {
  const out = new Float64Array(matrix.length)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[i * columns + j] = matrix[j * rows + i]!
  }
  return floats(out, [rows, columns])
}
