// Resizing with precomputed weights: the mean over the covered area when shrinking, bilinear when enlarging.
// sharp does the same, but its start-up cost per call is more than the whole work at these sizes.

/** Maps pixels [sourceHeight, sourceWidth, 3] to [height, width, 3]. */
export type Resampler = (source: Uint8Array) => Uint8Array

/** A part of the source in pixels, which may be fractions. */
export interface Window {
  /** Left edge. */
  readonly left: number
  /** Top edge. */
  readonly top: number
  /** Width. */
  readonly width: number
  /** Height. */
  readonly height: number
}

/** For each output pixel: source pixels `first` to `first + count - 1` and weights that sum to 1. */
interface AxisWeights {
  readonly first: Int32Array
  readonly count: number
  /** [outputs, count] */
  readonly weights: Float64Array
}

/**
 * @param source size of the pictures to come, in pixels.
 * @param window the part of them to show, within the source.
 * @param target size of the result, in pixels.
 */
export function createResampler(
  source: { readonly width: number; readonly height: number },
  window: Window,
  target: { readonly width: number; readonly height: number },
): Resampler {
  const across = axisWeights(source.width, window.left, window.width, target.width)
  const down = axisWeights(source.height, window.top, window.height, target.height)
  // Only the columns that have a weight are summed vertically.
  const firstColumn = across.first[0]!
  const columns = across.first[target.width - 1]! + across.count - firstColumn
  const sameColumns = across.count === 1 && columns === target.width
  const row = new Float64Array(columns * 3)
  const stride = source.width * 3

  return (pixels) => {
    const out = new Uint8Array(target.width * target.height * 3)
    for (let y = 0; y < target.height; y++) {
      sumRows(pixels, down.first[y]! * stride + firstColumn * 3, stride, down, y, row)
      const to = y * target.width * 3
      if (!sameColumns) sumColumns(row, firstColumn, across, out, to)
      else for (let i = 0; i < row.length; i++) out[to + i] = row[i]! + 0.5
    }
    return out
  }
}

/** The weighted sum of the rows that output row `y` covers. */
function sumRows(
  pixels: Uint8Array,
  start: number,
  stride: number,
  { weights, count }: AxisWeights,
  y: number,
  row: Float64Array,
): void {
  const [first, second] = [weights[y * count]!, count > 1 ? weights[y * count + 1]! : 0]
  const next = count > 1 ? start + stride : start
  for (let i = 0; i < row.length; i++) row[i] = first * pixels[start + i]! + second * pixels[next + i]!
  for (let k = 2; k < count; k++) {
    const weight = weights[y * count + k]!
    const from = start + k * stride
    if (weight !== 0) for (let i = 0; i < row.length; i++) row[i]! += weight * pixels[from + i]!
  }
}

function sumColumns(
  row: Float64Array,
  firstColumn: number,
  axis: AxisWeights,
  out: Uint8Array,
  to: number,
): void {
  const { first, count, weights } = axis
  for (let x = 0, at = to; x < first.length; x++, at += 3) {
    let from = (first[x]! - firstColumn) * 3
    let r = 0.5
    let g = 0.5
    let b = 0.5
    for (let k = x * count; k < (x + 1) * count; k++, from += 3) {
      const weight = weights[k]!
      r += weight * row[from]!
      g += weight * row[from + 1]!
      b += weight * row[from + 2]!
    }
    out[at] = r
    out[at + 1] = g
    out[at + 2] = b
  }
}

function axisWeights(sourceSize: number, offset: number, length: number, outputs: number): AxisWeights {
  const scale = length / outputs
  const width = Math.max(scale, 1)
  const lists = Array.from({ length: outputs }, (_, i) =>
    weightsOf(offset + (i + 0.5) * scale, width, sourceSize),
  )
  const count = lists.reduce((most, { weights }) => Math.max(most, weights.length), 0)
  const first = new Int32Array(outputs)
  const weights = new Float64Array(outputs * count)
  lists.forEach((list, i) => {
    // Near the end the window of `count` pixels moves left, and the weights move right within it.
    first[i] = Math.min(list.first, sourceSize - count)
    weights.set(list.weights, i * count + list.first - first[i]!)
  })
  return { first, count, weights }
}

/** The weights of one output pixel: a box of `width` when shrinking, a triangle at width 1 (bilinear). */
function weightsOf(centre: number, width: number, sourceSize: number): { first: number; weights: number[] } {
  const start = Math.floor(centre - width / 2)
  const byPixel = new Map<number, number>()
  let sum = 0
  for (let p = start; p <= start + Math.ceil(width); p++) {
    const box = Math.min(p + 1, centre + width / 2) - Math.max(p, centre - width / 2)
    const weight = width > 1 ? box : 1 - Math.abs(p + 0.5 - centre)
    if (weight <= 1e-9) continue
    // Weights beyond the edge go to the edge pixel.
    const pixel = Math.min(Math.max(p, 0), sourceSize - 1)
    byPixel.set(pixel, (byPixel.get(pixel) ?? 0) + weight)
    sum += weight
  }
  // The pixels come in their order.
  const [first = 0] = byPixel.keys()
  return { first, weights: [...byPixel.values()].map((weight) => weight / sum) }
}
