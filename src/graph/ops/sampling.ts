// Sampling of images at given points, bilinearly: the warp of the motion model.
import type { Graph, Value } from '../graph.ts'
import { type OpDef, type Plain, refuse, type TensorType } from '../op.ts'
import { rewrite } from '../rewrite.ts'
import { floats, sizeOf } from '../tensor.ts'
import { add, mul, neg, sub } from './arithmetic.ts'
import { cast, clip, greaterOrEqual, maximum, minimum, where } from './compare.ts'
import { gatherRows, scatterAddRows } from './gather.ts'
import { constant } from './leaf.ts'
import { matmul } from './linear.ts'
import { concat, pad, reshape, reverse, sliceAxis, transpose } from './shape.ts'
import { describe, expectInputs, expectRank, type NoAttrs } from './support.ts'
import { abs, floor } from './unary.ts'

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
    const [height, width] = x!.shape.slice(2) as [number, number]
    return [
      sampled(x!, type!, (b, p, places) => {
        const at = (b * places + p) * 2
        return [
          toPixel(grid!.data[at + 1]!, height, alignCorners),
          toPixel(grid!.data[at]!, width, alignCorners),
        ]
      }),
    ]
  },
}

/** The plain samples of images at a place (row, column) in pixels for each pixel of the result. */
function sampled(
  { shape, data }: Plain,
  type: TensorType,
  placeOf: (image: number, pixel: number, pixels: number) => readonly [row: number, column: number],
): Float64Array {
  const [n, c, height, width] = shape as [number, number, number, number]
  const places = sizeOf(type.shape.slice(2))
  const out = new Float64Array(sizeOf(type.shape))
  for (let b = 0; b < n; b++) {
    for (let p = 0; p < places; p++) {
      const [y, x] = placeOf(b, p, places)
      for (let corner = 0; corner < 4; corner++) {
        const column = Math.floor(x) + (corner % 2)
        const row = Math.floor(y) + (corner >> 1)
        if (row < 0 || row >= height || column < 0 || column >= width) continue
        const weight = (1 - Math.abs(x - column)) * (1 - Math.abs(y - row))
        for (let k = b * c; k < (b + 1) * c; k++) {
          out[k * places + p]! += weight * data[(k * height + row) * width + column]!
        }
      }
    }
  }
  return out
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

export const sampleShiftedOp: OpDef<NoAttrs> = {
  name: 'sampleShifted',
  infer(inputs) {
    expectInputs(inputs, 2)
    const [x, shifts] = [inputs[0]!, inputs[1]!]
    expectRank(x, 4, '[N, C, H, W]')
    const [n, , height, width] = x.shape as [number, number, number, number]
    const [m, axes, tall, wide] = shifts.shape
    if (shifts.shape.length !== 4 || m !== n || axes !== 2 || tall! < height || wide! < width) {
      refuse('there are two shifts for each pixel of the result, which is not smaller than the image', {
        got: describe(inputs),
        expected: `[${n}, 2, H' >= ${height}, W' >= ${width}]`,
      })
    }
    return [{ dtype: 'float32', shape: [n, x.shape[1]!, tall!, wide!] }]
  },
  // A deformable convolution whose kernel is one pixel of weight 1 for each channel. It computes each place once for all channels.
  emit(onnx, [x, shifts], _attrs, { inputs, outputs }) {
    const [, c, height, width] = inputs[0]!.shape as [number, number, number, number]
    const [tall, wide] = outputs[0]!.shape.slice(2) as [number, number]
    const kernel = onnx.constant(floats(new Float32Array(c).fill(1), [c, 1, 1, 1]))
    return onnx.node('DeformConv', [x!, kernel, shifts!], {
      ...{ kernel_shape: [1, 1], pads: [0, 0, tall - height, wide - width] },
      ...{ group: c, offset_group: 1 },
    })
  },
  gradient({ grad, inputs: [x, shifts], wanted }) {
    const [height, width] = x!.shape.slice(2) as [number, number]
    const units = constant(grad.graph, floats([2 / height, 2 / width], [1, 2, 1, 1]))
    const grid = gridOf(x!, shifts!, units)
    // The grid has (x, y), and shifts have (y, x).
    const ofShifts = () =>
      mul(transpose(reverse(gridGradient(grad, x!, grid, false), [3]), [0, 3, 1, 2]), units)
    return [wanted[0] ? imageGradient(grad, x!, grid, false) : undefined, wanted[1] ? ofShifts() : undefined]
  },
  cost: 'results',
  reach: 'samples',
  words: 'sample',
  reference([x, shifts], _attrs, [type]) {
    const wide = type!.shape[3]!
    return [
      sampled(x!, type!, (b, p, places) => {
        const at = 2 * b * places + p
        return [Math.floor(p / wide) + shifts!.data[at]!, (p % wide) + shifts!.data[at + places]!]
      }),
    ]
  },
}

/**
 * Samples images bilinearly, each pixel of the result at its own place and a shift. Outside of an image is 0.
 * @param x [N, C, H, W]
 * @param shifts [N, 2, H', W'], down and to the right, in pixels; H' >= H, W' >= W
 * @returns [N, C, H', W']
 */
export const sampleShifted = (x: Value, shifts: Value): Value =>
  x.graph.apply(sampleShiftedOp, [x, shifts], {})[0]!

/** A function of row and of column of each pixel, as [1, 2, height, width]. */
export const pixelPlaces = (
  graph: Value['graph'],
  [height, width]: readonly [number, number],
  of: (axis: 0 | 1, at: number) => number,
): Value =>
  constant(
    graph,
    floats(
      Float32Array.from({ length: 2 * height * width }, (_, i) =>
        i < height * width ? of(0, Math.floor(i / width)) : of(1, i % width),
      ),
      [1, 2, height, width],
    ),
  )

/** The grid, without `alignCorners`, of shifts. */
function gridOf(x: Value, shifts: Value, units: Value): Value {
  const sizes = x.shape.slice(2)
  const start = pixelPlaces(
    shifts.graph,
    shifts.shape.slice(2) as [number, number],
    (axis, at) => (2 * at + 1) / sizes[axis]! - 1,
  )
  return transpose(reverse(add(mul(shifts, units), start), [1]), [0, 2, 3, 1])
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
