// ONNX nodes that make pictures of any size into the square that a network sees, as pantin itself does in media/fit.ts and
// media/resample.ts. A graph has fixed shapes; these nodes stand before it in a file and read the shape of what they get.
import type { OnnxAttribute, OnnxEmitter } from '../graph/op.ts'
import { floats, ints, onnxTypeOf, type Tensor } from '../graph/tensor.ts'
import type { Ahead } from './export.ts'

/** Which pictures come, and what they become. */
export interface PictureOptions {
  /** Pictures at a time. */
  readonly batch: number
  /** Side of the square in pixels. */
  readonly size: number
  /** `crop` keeps the largest square in the middle; `letterbox` keeps the whole picture between grey bars. */
  readonly fit: 'crop' | 'letterbox'
  /** Height and width of the pictures in pixels (default: any). */
  readonly from?: readonly [height: number, width: number] | undefined
}

/**
 * Makes the input of a network, float32 [N, 3, size, size] in [0, 1], of an input `frame`, uint8 [N, height, width, 3],
 * red first.
 *
 * Shrinking takes the mean over the area that each pixel covers; enlarging is bilinear. ONNX's own Resize has no such mean:
 * with antialias it weighs by a triangle of twice the width. So each pixel's neighbours are gathered, row by row and then
 * column by column, and summed with weights that nodes compute from the size. Results are whole levels of 255, as pantin's
 * are; a sum that lies on the border of two levels may fall to the other one.
 *
 * @param input name of the network's input
 */
export function picturesAhead(input: string, { batch, size, fit, from }: PictureOptions): Ahead {
  const [height, width] = from ?? ['height', 'width']
  return {
    input,
    takes: { name: 'frame', dtype: 'uint8', shape: [batch, height, width, 3] },
    emit(onnx) {
      const nodes = new Nodes(onnx)
      const shape = nodes.make('Shape', ['frame'])
      const [h, w] = [1, 2].map((axis) => nodes.make('Gather', [shape, nodes.whole(axis)])) as [
        string,
        string,
      ]
      const square = fit === 'crop' ? cropped(nodes, [h, w], batch, size) : whole(nodes, [h, w], batch, size)
      const planes = nodes.make('Transpose', [square], { perm: [0, 3, 1, 2] })
      return nodes.make('Div', [planes, nodes.float(255)])
    },
  }
}

/** Writes nodes; numbers are constants. */
class Nodes {
  constructor(private readonly onnx: OnnxEmitter) {}

  make(type: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}) {
    return this.onnx.node(type, inputs, attributes)[0]!
  }

  constant(value: Tensor): string {
    return this.onnx.constant(value)
  }

  whole(value: number): string {
    return this.constant(ints([value], []))
  }

  wholes(...values: readonly number[]): string {
    return this.constant(ints(values))
  }

  float(value: number): string {
    return this.constant(floats([value], []))
  }

  toFloat(of: string): string {
    return this.make('Cast', [of], { to: onnxTypeOf.float32 })
  }

  toWhole(of: string): string {
    return this.make('Cast', [of], { to: onnxTypeOf.int64 })
  }

  /** A scalar as a list of one. */
  listed(of: string): string {
    return this.make('Reshape', [of, this.wholes(1)])
  }

  /** `a` column [n, 1] of positions 0 to count - 1, as float. */
  column(count: string): string {
    const numbers = this.make('Range', [this.whole(0), count, this.whole(1)])
    return this.make('Reshape', [this.toFloat(numbers), this.wholes(-1, 1)])
  }
}

/** Part of one axis: the pixels from `start`, `length` of them, of `count`; and the pixels of the result. All are scalars. */
interface Axis {
  readonly count: string
  readonly start: string
  readonly length: string
  readonly outputs: string
}

function cropped(nodes: Nodes, [h, w]: readonly [string, string], batch: number, size: number): string {
  const length = nodes.make('Min', [h, w])
  const outputs = nodes.whole(size)
  const axis = (count: string): Axis => {
    const start = nodes.make('Div', [nodes.make('Sub', [count, length]), nodes.whole(2)])
    return { count, start, length, outputs }
  }
  return resampled(nodes, axis(h), axis(w), batch)
}

function whole(nodes: Nodes, [h, w]: readonly [string, string], batch: number, size: number): string {
  const long = nodes.toFloat(nodes.make('Max', [h, w]))
  const axis = (count: string): Axis => {
    const scaled = nodes.make('Div', [nodes.make('Mul', [nodes.toFloat(count), nodes.float(size)]), long])
    const rounded = nodes.make('Floor', [nodes.make('Add', [scaled, nodes.float(0.5)])])
    const outputs = nodes.toWhole(nodes.make('Max', [rounded, nodes.float(1)]))
    return { count, start: nodes.whole(0), length: count, outputs }
  }
  const [down, across] = [axis(h), axis(w)]
  const shown = resampled(nodes, down, across, batch)
  // An odd pixel of the bars is at the bottom or at the right.
  const bars = [down, across].map(({ outputs }) => {
    const room = nodes.make('Sub', [nodes.whole(size), outputs])
    const first = nodes.make('Div', [room, nodes.whole(2)])
    return [nodes.listed(first), nodes.listed(nodes.make('Sub', [room, first]))] as const
  })
  const [[top, bottom], [left, right]] = bars as [readonly [string, string], readonly [string, string]]
  const none = nodes.wholes(0)
  const pads = nodes.make('Concat', [none, top, left, none, none, bottom, right, none], { axis: 0 })
  return nodes.make('Pad', [shown, pads, nodes.float(128)], { mode: 'constant' })
}

/** The frame at another size, float [N, rows, columns, 3] in whole numbers from 0 to 255. */
function resampled(nodes: Nodes, down: Axis, across: Axis, batch: number): string {
  const rows = neighbours(nodes, down)
  const columns = neighbours(nodes, across)
  const list = (...parts: readonly string[]) => nodes.make('Concat', [...parts], { axis: 0 })
  const flat = nodes.wholes(-1)

  // [N, rows * taps, width, 3] in bytes, then one product for each row of the result.
  const lines = nodes.make('Gather', ['frame', nodes.make('Reshape', [rows.index, flat])], { axis: 1 })
  const byRow = nodes.make('Reshape', [
    nodes.toFloat(lines),
    list(nodes.wholes(batch), nodes.listed(down.outputs), nodes.listed(rows.taps), flat),
  ])
  const weights = nodes.make('Unsqueeze', [rows.weights, nodes.wholes(1)])
  const summed = nodes.make('MatMul', [weights, byRow])
  const shrunk = nodes.make('Reshape', [
    summed,
    list(nodes.wholes(batch), nodes.listed(down.outputs), nodes.listed(across.count), nodes.wholes(3)),
  ])

  const picked = nodes.make('Gather', [shrunk, nodes.make('Reshape', [columns.index, flat])], { axis: 2 })
  const byColumn = nodes.make('Reshape', [
    picked,
    list(
      nodes.wholes(batch),
      nodes.listed(down.outputs),
      nodes.listed(across.outputs),
      nodes.listed(columns.taps),
      nodes.wholes(3),
    ),
  ])
  const shares = nodes.make('Unsqueeze', [columns.weights, nodes.wholes(2)])
  const levels = nodes.make('ReduceSum', [nodes.make('Mul', [byColumn, shares]), nodes.wholes(3)], {
    keepdims: 0,
  })
  return nodes.make('Floor', [nodes.make('Add', [levels, nodes.float(0.5)])])
}

/**
 * The pixels that each pixel of the result is a sum of: `index` int64 [outputs, taps], `weights` float [outputs, taps] with
 * sums of 1, and the scalar `taps`. These are the weights of `createResampler`.
 */
function neighbours(nodes: Nodes, { count, start, length, outputs }: Axis) {
  const { make } = nodes
  const op = (type: string, ...inputs: readonly string[]) => make.call(nodes, type, inputs)
  const [half, one, none] = [nodes.float(0.5), nodes.float(1), nodes.float(0)]
  const scale = op('Div', nodes.toFloat(length), nodes.toFloat(outputs))
  const reach = op('Max', scale, one)
  const places = op('Mul', op('Add', nodes.column(outputs), half), scale)
  const centre = op('Add', places, nodes.toFloat(start))
  const low = op('Sub', centre, op('Mul', reach, half))
  const high = op('Add', centre, op('Mul', reach, half))
  const first = op('Floor', low)
  const taps = nodes.toWhole(op('Add', op('Ceil', reach), one))
  const steps = op('Reshape', nodes.column(taps), nodes.wholes(1, -1))
  const pixel = op('Add', first, steps)

  const end = op('Add', pixel, one)
  const covered = op('Sub', op('Min', end, high), op('Max', pixel, low))
  const near = op('Sub', one, op('Abs', op('Sub', op('Add', pixel, half), centre)))
  const chosen = op('Where', op('Greater', scale, one), covered, near)
  const weights = op('Max', chosen, none)
  const total = make.call(nodes, 'ReduceSum', [weights, nodes.wholes(1)], { keepdims: 1 })

  // Beyond the edge, the edge's pixel counts.
  const last = op('Sub', count, nodes.whole(1))
  const index = op('Min', op('Max', nodes.toWhole(pixel), nodes.whole(0)), last)
  return { index, weights: op('Div', weights, total), taps }
}
