// Encoder and decoder of the light generator, which has no convolution at full resolution.
import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { resize } from '../graph/ops/pool.ts'
import { reshape, transpose } from '../graph/ops/shape.ts'
import { relu, sigmoid } from '../graph/ops/unary.ts'
import { batchNorm2d, conv2d, depthwise, pointwise, residualGain } from '../layers/conv2d.ts'
import type { Scope } from '../layers/scope.ts'

/**
 * Widths and depths of the light generator. On a CPU most of the published generator's time goes to convolutions at
 * full resolution, and the light one has none: its encoder halves at once, its middle is made of separable residual
 * blocks, and its last convolution makes four pixels of each. Fine detail comes from the source, which is moved at full
 * resolution. The decoder sees the moved source as channels of a coarser map, and its result is overlaid with it.
 */
export interface LightSize {
  /** Channels at half resolution are twice these; each halving doubles them. */
  readonly blockExpansion: number
  readonly maxFeatures: number
  /** Halvings on the way to the map that is moved, at least 1. */
  readonly downBlocks: number
  /** Residual blocks on that map. */
  readonly bottleneckBlocks: number
}

const widthAt = ({ maxFeatures, blockExpansion }: LightSize, scale: number) =>
  Math.min(maxFeatures, blockExpansion * 2 ** scale)

/**
 * Strided 3x3 convolutions, each with norm and ReLU. Names: `down_blocks.i`.
 *
 * @param source [N, 3, H, W]
 * @returns the map that is moved, [N, C, H / 2^downBlocks, W / 2^downBlocks]
 */
export function lightEncoder(scope: Scope, source: Value, size: LightSize): Value {
  let map = source
  for (let i = 0; i < size.downBlocks; i++) {
    const inner = scope.child(`down_blocks.${i}`)
    const width = widthAt(size, i + 1)
    const halved = conv2d(inner.child('conv'), map, width, { kernel: 3, stride: 2, bias: false })
    map = relu(batchNorm2d(inner.child('norm'), halved))
  }
  return map
}

/**
 * From the moved map to a picture. Names: `bottleneck.ri`, `up_blocks.i`, `final`.
 *
 * @param moved [N, C, H / 2^downBlocks, W / 2^downBlocks]
 * @param picture the source moved at full resolution, [N, 3, H, W]
 * @returns [N, 3, H, W] in [0, 1]
 */
export function lightDecoder(scope: Scope, moved: Value, picture: Value, size: LightSize): Value {
  const { downBlocks, bottleneckBlocks } = size
  let y = moved
  for (let i = 0; i < bottleneckBlocks; i++) y = separableResidual(scope.child(`bottleneck.r${i}`), y)
  for (let i = 0; i < downBlocks - 1; i++) {
    const inner = scope.child(`up_blocks.${i}`)
    // Before the doubling a 1x1 convolution costs a quarter.
    y = pointwise(inner.child('narrow'), y, widthAt(size, downBlocks - 1 - i))
    const [h, w] = y.shape.slice(2) as [number, number]
    y = resize(y, [2 * h, 2 * w], 'nearest')
    if (i === downBlocks - 2) y = withPicture(inner.child('picture'), y, picture)
    y = separableResidual(inner.child('block'), relu(batchNorm2d(inner.child('norm'), y)))
  }
  const quadruple = conv2d(scope.child('final'), y, 4 * picture.shape[1]!, { kernel: 3 })
  return sigmoid(channelsToPixels(quadruple, 2))
}

/**
 * Adds what a 1x1 convolution sees in the features of dense motion. A new model begins without it. Names: `guide`.
 *
 * @param moved [N, C, h, w]
 * @param features [N, F, h', w']
 */
export function guided(scope: Scope, moved: Value, features: Value): Value {
  const [, channels, h, w] = moved.shape as [number, number, number, number]
  const inner = scope.child('guide')
  const seen = conv2d(inner.child('conv'), features, channels, { kernel: 1, bias: false })
  const map = batchNorm2d(inner.child('norm'), seen, { gain: 0 })
  const same = map.shape[2] === h && map.shape[3] === w
  return add(moved, same ? map : resize(map, [h, w], 'nearest'))
}

/** Adds what a 1x1 convolution sees in the picture's 2x2 squares. */
function withPicture(scope: Scope, y: Value, picture: Value): Value {
  return add(y, pointwise(scope, pixelsToChannels(picture, 2), y.shape[1]!))
}

/**
 * Residual block of two depthwise-separable convolutions, every norm right after a convolution, where it folds
 * into it: relu(x + 1x1(3x3(relu(1x1(3x3(x))))).
 */
function separableResidual(scope: Scope, x: Value): Value {
  const half = (inner: Scope, y: Value, gain = 1) => {
    const around = depthwise(inner.child('depthwise'), y, { kernel: 3 })
    return batchNorm2d(inner.child('norm'), pointwise(inner.child('pointwise'), around, x.shape[1]!), {
      gain,
    })
  }
  return relu(add(x, half(scope.child('1'), relu(half(scope.child('0'), x)), residualGain)))
}

/**
 * Squares of pixels as channels (Shi et al. 2016, sub-pixel convolution): full resolution for the price of a coarse one.
 *
 * @param x [N, C, H, W], H and W multiples of `side`
 * @returns [N, C side², H / side, W / side]
 */
export function pixelsToChannels(x: Value, side: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  // Rows, then columns: ONNX Runtime moves numbers along several axes at once four times as slowly.
  const rows = transpose(reshape(x, [n * c, h / side, side, w]), [0, 2, 1, 3])
  const columns = transpose(reshape(rows, [n * c * side, (h * w) / side ** 2, side]), [0, 2, 1])
  return reshape(columns, [n, c * side ** 2, h / side, w / side])
}

/**
 * The inverse of `pixelsToChannels`.
 *
 * @param x [N, C side², h, w]
 * @returns [N, C, h side, w side]
 */
export function channelsToPixels(x: Value, side: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const columns = transpose(reshape(x, [(n * c) / side, side, h * w]), [0, 2, 1])
  const rows = transpose(reshape(columns, [(n * c) / side ** 2, side, h, w * side]), [0, 2, 1, 3])
  return reshape(rows, [n, c / side ** 2, h * side, w * side])
}
