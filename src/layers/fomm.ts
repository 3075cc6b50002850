// What the First Order Motion Model (Siarohin et al. 2019) is made of: reduction of pictures, blocks, and the coordinates
// that keypoints are measured in.
import type { Builder, Value } from '../graph/graph.ts'
import { add, reduceMean } from '../graph/ops/arithmetic.ts'
import { conv } from '../graph/ops/conv.ts'
import { constant } from '../graph/ops/leaf.ts'
import { averagePool } from '../graph/ops/pool.ts'
import { reshape } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { floats, type Tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import { batchNorm2d, conv2d } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'
import { doubledConv2d } from './upsampling.ts'

/**
 * Anti-alias interpolation (Siarohin et al. 2019, as their code has it): a Gaussian filter, of which every
 * 1 / scale-th pixel is kept. Filter and choice are one strided depthwise convolution, which gives the same
 * numbers for 1 / scale² of the work. The kernel is the buffer `weight` [C, 1, n, n], n = 13 at a scale of
 * 0.25.
 *
 * ```
 * x ── Gaussian n x n, depthwise, stride 1 / scale ──
 * ```
 *
 * Parameters: 0 (the kernel is not trained). Multiply-adds: n² C H W scale².
 *
 * @param x [N, C, H, W]
 * @param scale of the result, in (0, 1]; at 1 nothing is done and nothing is asked of the scope
 * @returns [N, C, ceil(H s), ceil(W s)] for s = 1 / floor(1 / scale)
 * @throws InputError for a scale outside of (0, 1].
 */
export function antiAlias(scope: Scope, x: Value, scale: number): Value {
  if (!(scale > 0 && scale <= 1)) {
    throw new InputError({ what: 'a scale factor is out of range', got: String(scale), expected: '(0, 1]' })
  }
  if (scale === 1) return x
  const channels = x.shape[1]!
  const kernel = antiAliasKernel(scale)
  const n = kernel.shape[0]!
  const values = floats(Array.from({ length: channels }, () => [...kernel.data]).flat(), [channels, 1, n, n])
  const weight = scope.buffer('weight', values.shape, { kind: 'values', values })
  const stride = timesSmaller(scale)
  const side = (n - 1) / 2
  return conv(x, weight, undefined, {
    strides: [stride, stride],
    pads: [side, side, side, side],
    group: channels,
  })
}

/** How many times smaller a picture is at a scale: 4 at 0.25. */
export const timesSmaller = (scale: number): number => Math.max(1, Math.floor(1 / scale))

/**
 * The mean of each square of 1 / scale x 1 / scale pixels: what an area-true reduction is. A third of the time
 * of the Gaussian, for networks that are trained with it.
 *
 * @param x [N, C, H, W], H and W multiples of 1 / scale
 * @param scale of the result: 1 over a whole number
 * @returns [N, C, H s, W s]
 */
export function boxFilter(x: Value, scale: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const side = Math.round(1 / scale)
  if (side === 1) return x
  if (h % side !== 0 || w % side !== 0) {
    throw new InputError({
      what: 'a picture does not divide into the squares that are averaged',
      got: `${w}x${h} (width x height)`,
      expected: `multiples of ${side}`,
    })
  }
  return reduceMean(reshape(x, [n, c, h / side, side, w / side, side]), [3, 5])
}

/**
 * The Gaussian of sigma = (1 / scale - 1) / 2 pixels on n x n points, n = 2 round(4 sigma) + 1 with halves
 * rounded to even (as Python does), of sum 1.
 */
export function antiAliasKernel(scale: number): Tensor<'float32'> {
  const sigma = (1 / scale - 1) / 2
  const n = 2 * roundHalfToEven(4 * sigma) + 1
  const line = Array.from({ length: n }, (_, i) => Math.exp(-((i - (n - 1) / 2) ** 2) / (2 * sigma ** 2)))
  const sum = line.reduce((a, b) => a + b)
  return floats(
    line.flatMap((a) => line.map((b) => (a * b) / sum ** 2)),
    [n, n],
  )
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x)
  if (x - floor !== 0.5) return Math.round(x)
  return floor % 2 === 0 ? floor : floor + 1
}

export const antiAliasBlock: Block = {
  name: 'anti-alias',
  title: 'Anti-alias interpolation',
  examples: [
    {
      label: '3 channels, a quarter of the size',
      input: [1, 3, 64, 64],
      build: (scope, x) => antiAlias(scope, x, 0.25),
      cost: { params: 0, macs: 13 ** 2 * 3 * 64 * 64 * 0.25 ** 2 },
    },
  ],
}

/**
 * Same block (Siarohin et al. 2019, First Order Motion Model, as their code has it): convolution, norm and
 * ReLU at one resolution. The generator begins with one.
 *
 * ```
 * x ── n x n ─ norm ─ ReLU ──
 * ```
 *
 * Parameters, from C to D channels: n² C D + 3 D. Multiply-adds: n² C D H W.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H, W]
 */
export function sameBlock(scope: Scope, x: Value, outputs: number, { kernel = 3 } = {}): Value {
  return relu(batchNorm2d(scope.child('norm'), conv2d(scope.child('conv'), x, outputs, { kernel })))
}

export const fommSameBlock: Block = {
  name: 'fomm-same',
  title: 'Same block',
  examples: [
    {
      label: '3 to 64 channels, kernel of 7',
      input: [1, 3, 32, 32],
      build: (scope, x) => sameBlock(scope, x, 64, { kernel: 7 }),
      cost: { params: 49 * 3 * 64 + 3 * 64, macs: 49 * 3 * 64 * 32 * 32 },
    },
  ],
}

/**
 * Down block (Siarohin et al. 2019, as their code has it): the hourglass's halving. Convolution, norm and
 * ReLU at the full size, then the mean of each 2x2 window.
 *
 * ```
 * x ── 3x3 ─ norm ─ ReLU ─ mean 2x2 ──
 * ```
 *
 * Parameters, from C to D channels: 9 C D + 3 D. Multiply-adds: 9 C D H W at the input's H x W, four times
 * those of a convolution of stride 2.
 *
 * @param x [N, C, H, W], H and W even
 * @returns [N, outputs, H / 2, W / 2]
 */
export function downBlock(scope: Scope, x: Value, outputs: number): Value {
  return averagePool(sameBlock(scope, x, outputs), [2, 2])
}

export const fommDownBlock: Block = {
  name: 'fomm-down',
  title: 'Down block',
  examples: [
    {
      label: '64 to 128 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => downBlock(scope, x, 128),
      cost: { params: 9 * 64 * 128 + 3 * 128, macs: 9 * 64 * 128 * 16 * 16 },
    },
  ],
}

/**
 * Up block (Siarohin et al. 2019, as their code has it): the hourglass's doubling. Each pixel becomes four,
 * then convolution, norm and ReLU at the doubled size.
 *
 * ```
 * x ── nearest, twice the size ─ 3x3 ─ norm ─ ReLU ──
 * ```
 *
 * Parameters, from C to D channels: 9 C D + 3 D. Multiply-adds: 36 C D H W at the input's H x W.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, 2 H, 2 W]
 */
export function upBlock(scope: Scope, x: Value, outputs: number): Value {
  return relu(batchNorm2d(scope.child('norm'), doubledConv2d(scope.child('conv'), x, outputs)))
}

export const fommUpBlock: Block = {
  name: 'fomm-up',
  title: 'Up block',
  examples: [
    {
      label: '128 to 64 channels',
      input: [1, 128, 8, 8],
      build: (scope, x) => upBlock(scope, x, 64),
      cost: { params: 9 * 128 * 64 + 3 * 64, macs: 36 * 128 * 64 * 8 * 8 },
    },
  ],
}

/**
 * Residual block with norms first (He et al. 2016, Identity Mappings; FOMM's generator has six in its
 * middle): twice norm, ReLU and 3x3, added to the input.
 *
 * ```
 * x ── norm ─ ReLU ─ 3x3 ── norm ─ ReLU ─ 3x3 ── + ──
 * └───────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 18 C² + 6 C. Multiply-adds: 18 C² H W.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function residualBlock(scope: Scope, x: Value): Value {
  const channels = x.shape[1]!
  let y = relu(batchNorm2d(scope.child('norm1'), x))
  y = conv2d(scope.child('conv1'), y, channels, { kernel: 3 })
  y = relu(batchNorm2d(scope.child('norm2'), y))
  return add(conv2d(scope.child('conv2'), y, channels, { kernel: 3 }), x)
}

export const fommResidualBlock: Block = {
  name: 'fomm-residual',
  title: 'Residual block',
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => residualBlock(scope, x),
      cost: { params: 18 * 64 ** 2 + 6 * 64, macs: 18 * 64 ** 2 * 16 * 16 },
    },
  ],
}

/**
 * Coordinates (x, y) of every pixel, in [-1, 1]: -1 and 1 are the centres of the first and last pixel of an
 * axis, as keypoints are measured. An axis of one pixel has it at 0.
 *
 * @returns [height * width, 2], row by row
 */
export function coordinateGrid(height: number, width: number): Tensor<'float32'> {
  const [xs, ys] = [axisCoordinates(width), axisCoordinates(height)]
  const points = new Float32Array(height * width * 2)
  for (let i = 0; i < height * width; i++) {
    points[2 * i] = xs[i % width]!
    points[2 * i + 1] = ys[Math.floor(i / width)]!
  }
  return floats(points, [height * width, 2])
}

/** Coordinates in [-1, 1] of the pixels along one axis. */
export function axisCoordinates(size: number): number[] {
  return Array.from({ length: size }, (_, i) => (size === 1 ? 0 : (2 * i) / (size - 1) - 1))
}

/** (x, y, 1) of every pixel, row by row, to be multiplied by affine maps: [height * width, 3]. */
export function homogeneousGrid(graph: Builder, [height, width]: readonly [number, number]): Value {
  const points = coordinateGrid(height, width).data
  const rows = new Float32Array(height * width * 3).fill(1)
  for (let i = 0; i < height * width; i++) {
    rows[3 * i] = points[2 * i]!
    rows[3 * i + 1] = points[2 * i + 1]!
  }
  return constant(graph, floats(rows, [height * width, 3]))
}
