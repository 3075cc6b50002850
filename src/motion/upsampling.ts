import type { Value } from '../graph/graph.ts'
import { resize } from '../graph/ops/resize.ts'
import { relu } from '../graph/ops/unary.ts'
import { conv2d } from '../layers/conv2d.ts'
import { doubledConv2d } from '../layers/doubled-conv2d.ts'
import { joinSkip, type Skip } from '../layers/gates.ts'
import { batchNorm2d } from '../layers/norm.ts'
import type { Scope } from '../layers/scope.ts'
import type { Features } from '../zoo/net.ts'
import type { SkipChoice } from './heads.ts'

export interface UpsamplingOptions {
  readonly channels: number
  /** The stride to reach; features that are as fine already are only projected. */
  readonly stride: number
  readonly skip: SkipChoice
}

/**
 * Learned upsampling of a backbone's features: at each doubling nearest neighbour, plus the encoder's map of
 * that stride where `skip` says so (adding costs less than joining channels, whose 3x3 would be twice as
 * deep), then 3x3, norm and ReLU. Resizing before a convolution leaves no checkerboard, as a transposed one
 * does.
 *
 * @returns [N, channels, H / stride, W / stride]
 */
export function upsampled(scope: Scope, { deep, shallow }: Features, options: UpsamplingOptions): Value {
  const { channels } = options
  let { value, stride } = deep
  // A decoder with a width of its own (the hourglass's) is brought to the head's.
  if (value.shape[1] !== channels) value = conv2d(scope.child('project'), value, channels, { kernel: 1 })
  for (let i = 0; stride > options.stride; i++) {
    stride /= 2
    const inner = scope.child(i)
    const join = skipAt(stride, options.skip)
    const side = join === 'none' ? undefined : shallow.find((map) => map.stride === stride)
    value = relu(batchNorm2d(inner.child('norm'), doubled(inner, value, side?.value, join, channels)))
  }
  return value
}

function doubled(scope: Scope, x: Value, side: Value | undefined, join: Skip, channels: number): Value {
  if (side === undefined) return doubledConv2d(scope.child('conv'), x, channels, { bias: false })
  const [h, w] = x.shape.slice(2) as [number, number]
  const joined = joinSkip(scope, resize(x, [2 * h, 2 * w], 'nearest'), side, join)
  return conv2d(scope.child('conv'), joined, channels, { kernel: 3, bias: false })
}

/**
 * Features for FOMM's head: those of a coarser stride than 4 are resized to it and joined by the encoder's
 * map there. A finer decoder has joined it already.
 */
export function atQuarter(scope: Scope, { deep, shallow }: Features, skip: SkipChoice): Value {
  const side = shallow.find((map) => map.stride === 4)
  const join = skipAt(4, skip)
  if (deep.stride <= 4 || side === undefined || join === 'none') return deep.value
  const [h, w] = side.value.shape.slice(2) as [number, number]
  return joinSkip(scope.child('up'), resize(deep.value, [h, w], 'bilinear-corners'), side.value, join)
}

function skipAt(stride: number, skip: SkipChoice): Skip {
  if (skip === 'all') return 'sum'
  return stride === 4 ? skip : 'none'
}
