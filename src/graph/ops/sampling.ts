// Sampling of images: at given points, bilinearly, which is the warp of the motion model; and resizing.
import type { Graph, Value } from '../graph.ts'
import { type OpDef, type OpUse, type Reach, refuse } from '../op.ts'
import { rewrite } from '../rewrite.ts'
import { floats, ints, sizeOf } from '../tensor.ts'
import { add, mul, neg, sub } from './arithmetic.ts'
import { cast, clip, greaterOrEqual, maximum, minimum, where } from './compare.ts'
import { gatherRows, scatterAddRows } from './gather.ts'
import { constant } from './leaf.ts'
import { matmul } from './linear.ts'
import { sumPool } from './pool.ts'
import { concat, pad, reshape, sliceAxis, transpose } from './shape.ts'
import { describe, expectInputs, expectRank } from './support.ts'
import { abs, floor } from './unary.ts'

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

/** What a point outside of the image reads: zeros, or the image mirrored at its border. */
export type SamplePadding = 'zeros' | 'reflection'

type GridSampleAttrs = { readonly alignCorners: boolean }

export const gridSampleOp: OpDef<GridSampleAttrs> = {
  name: 'gridSample',
  infer(inputs) {
    expectInputs(inputs, 2)
    const [x, grid] = [inputs[0]!, inputs[1]!]
    expectRank(x, 4, '[N, C, H, W]')
    if (grid.shape.length !== 4 || grid.shape[3] !== 2 || grid.shape[0] !== x.shape[0]) {
      refuse('a grid has one point (x, y) for each pixel of the result', {
        got: describe(inputs),
        expected: `[${x.shape[0]}, H', W', 2]`,
      })
    }
    return [{ dtype: 'float32', shape: [x.shape[0]!, x.shape[1]!, grid.shape[1]!, grid.shape[2]!] }]
  },
  emit: (onnx, inputs, { alignCorners }) =>
    onnx.node('GridSample', inputs, {
      mode: 'linear',
      padding_mode: 'zeros',
      align_corners: alignCorners ? 1 : 0,
    }),
  gradient: ({ grad, inputs: [x, grid], attrs, wanted }) => [
    wanted[0] ? imageGradient(grad, x!, grid!, attrs.alignCorners) : undefined,
    wanted[1] ? gridGradient(grad, x!, grid!, attrs.alignCorners) : undefined,
  ],
  cost: 'results',
  reach: 'samples',
  words: 'sample',
  reference([x, grid], { alignCorners }, [type]) {
    const [n, c, height, width] = x!.shape as [number, number, number, number]
    const points = sizeOf(type!.shape.slice(2))
    const out = new Float64Array(sizeOf(type!.shape))
    for (let b = 0; b < n; b++) {
      for (let p = 0; p < points; p++) {
        const px = toPixel(grid!.data[(b * points + p) * 2]!, width, alignCorners)
        const py = toPixel(grid!.data[(b * points + p) * 2 + 1]!, height, alignCorners)
        for (let corner = 0; corner < 4; corner++) {
          const column = Math.floor(px) + (corner % 2)
          const row = Math.floor(py) + (corner >> 1)
          if (row < 0 || row >= height || column < 0 || column >= width) continue
          const weight = (1 - Math.abs(px - column)) * (1 - Math.abs(py - row))
          for (let k = 0; k < c; k++) {
            out[(b * c + k) * points + p]! += weight * x!.data[((b * c + k) * height + row) * width + column]!
          }
        }
      }
    }
    return [out]
  },
}

/**
 * Samples images at points, bilinearly.
 *
 * @param x [N, C, H, W]
 * @param grid [N, H', W', 2], (x, y) in [-1, 1]. With `alignCorners`, -1 and 1 are the centres of the first
 *   and last pixel; without, their outer edges.
 * @returns [N, C, H', W']
 */
export function gridSample(
  x: Value,
  grid: Value,
  { alignCorners, padding = 'zeros' }: { alignCorners: boolean; padding?: SamplePadding },
): Value {
  const points = padding === 'zeros' ? grid : reflected(x, grid, alignCorners)
  return x.graph.apply(gridSampleOp, [x, points], { alignCorners })[0]!
}

function toPixel(at: number, size: number, alignCorners: boolean): number {
  return alignCorners ? ((at + 1) / 2) * (size - 1) : ((at + 1) * size - 1) / 2
}

/**
 * Points outside of the image, folded back into it: at the centres of its first and last pixels with `alignCorners`, without it at
 * their outer edges. ONNX's own padding by reflection takes twice the time.
 */
function reflected(x: Value, grid: Value, alignCorners: boolean): Value {
  const turns = mul(add(grid, 1), 1 / 4)
  const folded = sub(1, abs(sub(mul(sub(turns, floor(turns)), 4), 2)))
  if (alignCorners) return folded
  // Between an outer edge and a centre, the image goes on as its first or last pixel is.
  const [height, width] = x.shape.slice(2) as [number, number]
  const last = constant(x.graph, floats([1 - 1 / width, 1 - 1 / height], [1, 1, 1, 2]))
  return maximum(minimum(folded, last), neg(last))
}

/** Pixel coordinate of each point along one axis of the grid, as [N, 1, P], and pixels per grid unit. */
function pixels(grid: Value, axis: 0 | 1, size: number, alignCorners: boolean): [Value, number] {
  const at = reshape(sliceAxis(grid, 3, axis, axis + 1), [grid.shape[0]!, 1, -1])
  const scale = (alignCorners ? size - 1 : size) / 2
  return [add(mul(at, scale), alignCorners ? scale : scale - 0.5), scale]
}

/** The four pixels around each point of a grid: upper left, upper right, lower left and lower right. */
interface Corners {
  /** Their rows of channels in `framed`, int64 [N, 4 P]. */
  readonly index: Value
  /** The row of all four among the squares of four pixels, int64 [N, P]. */
  readonly first: Value
  /** How far the point is beyond the left column and the upper row, each [N, 1, P]. */
  readonly beyond: readonly [x: Value, y: Value]
  /** Pixels per unit of the grid. */
  readonly scale: readonly [x: number, y: number]
}

/** Zeros on each side of a framed image: a point that is outside reads zeros alone. */
const frame = 2

function cornersOf(grid: Value, [height, width]: readonly [number, number], alignCorners: boolean): Corners {
  const [px, scaleX] = pixels(grid, 0, width, alignCorners)
  const [py, scaleY] = pixels(grid, 1, height, alignCorners)
  const [left, top] = [floor(px), floor(py)]
  const n = grid.shape[0]!
  const [column, row] = [withinFrame(left, width), withinFrame(top, height)]
  /** Number of the pixel at the upper left, if lines have this many. */
  const numbered = (wide: number) => reshape(add(add(mul(row, wide), column), frame * wide + frame), [n, -1])
  const wide = width + 2 * frame
  const corners = constant(grid.graph, floats([0, 1, wide, wide + 1], [1, 1, 4]))
  return {
    index: cast(reshape(add(reshape(numbered(wide), [n, -1, 1]), corners), [n, -1]), 'int64'),
    first: cast(numbered(wide - 1), 'int64'),
    beyond: [sub(px, left), sub(py, top)],
    scale: [scaleX, scaleY],
  }
}

/** The pixels of images [N, C, H, W] and of the frame around them as rows of channels, [N, (H + 4) (W + 4), C]. */
const framed = (x: Value): Value =>
  reshape(transpose(pad(x, [0, 0, frame, frame], [0, 0, frame, frame]), [0, 2, 3, 1]), [
    x.shape[0]!,
    -1,
    x.shape[1]!,
  ])

/** Numbers of each point [N, C, H', W'] as rows of channels, [N, P, C]. */
const byPoint = (x: Value): Value => transpose(reshape(x, [x.shape[0]!, x.shape[1]!, -1]), [0, 2, 1])

/** The share of each of the four pixels in the sample, [N, P, 4]. */
function sharesOf({ beyond: [right, down] }: Corners): Value {
  const [left, up] = [sub(1, right), sub(1, down)]
  const shares = [mul(left, up), mul(right, up), mul(left, down), mul(right, down)]
  return transpose(concat(shares, 1), [0, 2, 1])
}

/** The number of channels from which a loop over channels is long enough. */
const manyChannels = 16

/**
 * The graph with samples read as rows: of each point, the four pixels around it by their shares. For many channels this takes a
 * fourth of GridSample's time, because GridSample computes each point once for each channel.
 *
 * @param isRead whether a sample of this many channels at this grid is read so, if there are fewer than 16 channels: if the grid
 * has a gradient, which reads the rows too, or if the image is the same for many samples
 */
export const samplesAsRows = (graph: Graph, isRead: (grid: Value, channels: number) => boolean): Graph =>
  rewrite(graph, (node, [x, grid], target) => {
    if (node.op !== gridSampleOp) return undefined
    const channels = x!.shape[1]!
    if (channels < manyChannels && !isRead(node.inputs[1]!, channels)) return undefined
    const { alignCorners } = node.attrs as GridSampleAttrs
    return target.within(node.scope, () => [rowsAt(x!, grid!, alignCorners)])
  })

function rowsAt(x: Value, grid: Value, alignCorners: boolean): Value {
  const [n, c, height, width] = x.shape as [number, number, number, number]
  const corners = cornersOf(grid, [height, width], alignCorners)
  const [read, shares] = [readCorners(x, corners), sharesOf(corners)]
  const sums =
    c >= manyChannels
      ? matmul(reshape(shares, [-1, 1, 4]), read)
      : matmul(
          mul(reshape(read, [-1, 4 * c]), spread(reshape(shares, [-1, 4]), c, 'each')),
          zerosAndOnes(x.graph, [4 * c, c], (row, column) => row % c === column),
        )
  const [tall, wide] = grid.shape.slice(1) as [number, number]
  return reshape(transpose(reshape(sums, [n, tall * wide, c]), [0, 2, 1]), [n, c, tall, wide])
}

/** Numbers [P, M] as rows of 4 C: each repeated C times, or all repeated. Products with 0 and 1 are faster than short loops. */
function spread(x: Value, c: number, how: 'each' | 'all'): Value {
  const from = (column: number) => (how === 'each' ? Math.floor(column / c) : column % c)
  return matmul(
    x,
    zerosAndOnes(x.graph, [x.shape[1]!, 4 * c], (row, column) => row === from(column)),
  )
}

const zerosAndOnes = (
  graph: Value['graph'],
  [rows, columns]: readonly [number, number],
  isOne: (row: number, column: number) => boolean,
): Value =>
  constant(
    graph,
    floats(
      Float32Array.from({ length: rows * columns }, (_, i) =>
        isOne(Math.floor(i / columns), i % columns) ? 1 : 0,
      ),
      [rows, columns],
    ),
  )

/**
 * Gradient to the grid. Between pixels the sample is linear in x, with a slope between those of the pixels above and below, and
 * likewise in y. So all that is needed are the products of the gradient with the four pixels around each point. They are
 * read as rows of channels: GridSample would compute each point once for each channel.
 */
function gridGradient(grad: Value, x: Value, grid: Value, alignCorners: boolean): Value {
  const [, c, height, width] = x.shape as [number, number, number, number]
  const corners = cornersOf(grid, [height, width], alignCorners)
  const slopes = slopesAtCorners(readCorners(x, corners), reshape(byPoint(grad), [-1, c]), corners.scale)
  const [right, down] = corners.beyond
  const beyond = reshape(transpose(concat([down, right], 1), [0, 2, 1]), [-1, 2])
  return reshape(add(sliceAxis(slopes, 1, 0, 2), mul(beyond, sliceAxis(slopes, 1, 2, 4))), grid.shape)
}

/** The four pixels around each point, [P, 4, C]. */
function readCorners(x: Value, { first, index }: Corners): Value {
  const [n, c, height, width] = x.shape as [number, number, number, number]
  if (c >= manyChannels) return reshape(gatherRows(framed(x), index), [-1, 4, c])
  // A few numbers are read at once or not at all: each row has all four pixels.
  const around = pad(x, [0, 0, frame, frame], [0, 0, frame, frame])
  const [tall, wide] = [height + 2 * frame, width + 2 * frame]
  const shifted = [0, 1].flatMap((down) =>
    [0, 1].map((right) => sliceAxis(sliceAxis(around, 2, down, down + tall - 1), 3, right, right + wide - 1)),
  )
  const squares = transpose(reshape(concat(shifted, 1), [n, 4 * c, -1]), [0, 2, 1])
  return reshape(gatherRows(squares, first), [-1, 4, c])
}

/** First pixel of the four around a point, held to the frame. A coordinate that is not a number must have a valid index. */
function withinFrame(at: Value, size: number): Value {
  const held = clip(at, -frame, size)
  return where(greaterOrEqual(held, -frame), held, -frame)
}

/**
 * Of each point, the slope along the upper row, the slope along the left column, and the growth of each towards the other side.
 *
 * @param read the pixels upper left, upper right, lower left and lower right, [P, 4, C]
 * @param given the gradient, [P, C]
 * @param scale pixels per unit of the grid along x and y
 * @returns [P, 4]
 */
function slopesAtCorners(read: Value, given: Value, [scaleX, scaleY]: Corners['scale']): Value {
  const c = read.shape[2]!
  const along = [
    [-1, 1, 0, 0].map((sign) => sign * scaleX),
    [-1, 0, 1, 0].map((sign) => sign * scaleY),
    ...[scaleX, scaleY].map((scale) => [1, -1, -1, 1].map((sign) => sign * scale)),
  ]
  const signs = [0, 1, 2, 3].flatMap((corner) => along.map((line) => line[corner]!))
  if (c >= manyChannels) {
    const products = reshape(matmul(read, reshape(given, [-1, c, 1])), [-1, 4])
    return matmul(products, constant(read.graph, floats(signs, [4, 4])))
  }
  const summed = Float32Array.from(
    { length: 4 * c * 4 },
    (_, i) => signs[Math.floor(i / (4 * c)) * 4 + (i % 4)]!,
  )
  const products = mul(reshape(read, [-1, 4 * c]), spread(given, c, 'all'))
  return matmul(products, constant(read.graph, floats(summed, [4 * c, 4])))
}

/** Gradient to the image: each point adds its gradient to the four pixels around it, by their shares. */
function imageGradient(grad: Value, x: Value, grid: Value, alignCorners: boolean): Value {
  const [n, c, height, width] = x.shape as [number, number, number, number]
  const corners = cornersOf(grid, [height, width], alignCorners)
  const given = reshape(byPoint(grad), [n, -1, 1, c])
  const updates = mul(given, reshape(sharesOf(corners), [n, -1, 4, 1]))
  const [tall, wide] = [height + 2 * frame, width + 2 * frame]
  const sums = scatterAddRows(corners.index, reshape(updates, [n, -1, c]), tall * wide)
  const inner = sliceAxis(
    sliceAxis(reshape(sums, [n, tall, wide, c]), 1, frame, frame + height),
    2,
    frame,
    frame + width,
  )
  return transpose(inner, [0, 3, 1, 2])
}
