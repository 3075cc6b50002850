import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { resize } from '../graph/ops/resize.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from '../layers/batch-norm.ts'
import { conv2d } from '../layers/conv2d.ts'
import type { Scope } from '../layers/scope.ts'
import type { Features } from '../zoo/net.ts'

export interface UpsamplingOptions {
  readonly channels: number
  /** The stride to reach; features that are as fine already are only projected. */
  readonly stride: number
  readonly skip: boolean
}

/**
 * Learned upsampling of a backbone's features: at each doubling nearest neighbour, plus the encoder's map of
 * that stride through a 1x1 convolution (adding costs less than joining, whose 3x3 would be twice as deep),
 * then 3x3, norm and ReLU. Resizing before a convolution leaves no checkerboard, as a transposed one does.
 *
 * @returns [N, channels, H / stride, W / stride]
 */
export function upsampled(scope: Scope, { deep, shallow }: Features, options: UpsamplingOptions): Value {
  const { channels, skip } = options
  let { value, stride } = deep
  // A decoder with a width of its own (the hourglass's) is brought to the head's.
  if (value.shape[1] !== channels) value = conv2d(scope.child('project'), value, channels, { kernel: 1 })
  for (let i = 0; stride > options.stride; i++) {
    stride /= 2
    const inner = scope.child(i)
    const [h, w] = value.shape.slice(2) as [number, number]
    value = resize(value, [2 * h, 2 * w], 'nearest')
    const side = skip ? shallow.find((map) => map.stride === stride) : undefined
    if (side !== undefined) {
      value = add(value, conv2d(inner.child('skip'), side.value, channels, { kernel: 1 }))
    }
    const convolved = conv2d(inner.child('conv'), value, channels, { kernel: 3, bias: false })
    value = relu(batchNorm2d(inner.child('norm'), convolved))
  }
  return value
}
