import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { resize } from '../graph/ops/resize.ts'
import { relu, sigmoid } from '../graph/ops/unary.ts'
import { conv2d, depthwise, pointwise } from '../layers/conv2d.ts'
import { batchNorm2d, residualGain } from '../layers/norm.ts'
import type { Scope } from '../layers/scope.ts'
import { channelsToPixels, pixelsToChannels } from './pixel-blocks.ts'

/**
 * Encoder and decoder of the light generator. On a CPU the time of the published one goes to convolutions at
 * full resolution, so here none is: the encoder halves at once, the middle is of separable residual blocks, and
 * the last convolution makes four pixels of each. What is fine comes from the source, moved at full
 * resolution, which the decoder both sees (as channels of a coarser map) and is overlaid with.
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
