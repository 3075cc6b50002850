// Resizing of [N, C, H, W]: nearest neighbour and bilinear, with PyTorch's coordinates.

import type { Value } from '../graph.ts'
import { type OpDef, type OpUse, type Reach, refuse } from '../op.ts'
import { ints, type Shape, sizeOf, tensor } from '../tensor.ts'
import { constant } from './leaf.ts'
import { matmul } from './linear.ts'
import { sumPool } from './pool.ts'
import { describe, expectInputs, expectRank } from './support.ts'

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

const floats = (data: Float64Array, shape: Shape) => tensor('float32', shape, Float32Array.from(data))

function transposed(matrix: Float64Array, [rows, columns]: readonly [number, number]) {
  const out = new Float64Array(matrix.length)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[i * columns + j] = matrix[j * rows + i]!
  }
  return floats(out, [rows, columns])
}
