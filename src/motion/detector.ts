// The keypoint detector: any network as its backbone, learned upsampling, and a head.
import type { Value } from '../graph/graph.ts'
import { resize } from '../graph/ops/pool.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d, conv2d } from '../layers/conv2d.ts'
import { antiAlias, boxFilter, timesSmaller } from '../layers/fomm.ts'
import { joinSkip, type Skip } from '../layers/gates.ts'
import type { Dilations, Scope } from '../layers/scope.ts'
import { doubledConv2d } from '../layers/upsampling.ts'
import { checkSize, type Features, ownOptions, type RecordedNetOptions } from '../zoo/net.ts'
import { findNet } from '../zoo/registry.ts'
import {
  fommHead,
  type Head,
  type HeadResult,
  type Keypoints,
  lightHead,
  type SkipChoice,
  softArgmax,
} from './keypoints.ts'

export interface DetectorOptions extends RecordedNetOptions {
  /** Name of the network. */
  readonly net: string
  /** K, the number of keypoints. */
  readonly keypoints: number
  readonly jacobian: boolean
  /** Of the softmax over each map; published: 0.1. */
  readonly temperature: number
  /** Size of the backbone's picture over that of the input's, 1 / a whole number; published: 0.25. */
  readonly scaleFactor: number
  /** What scales the picture down (default: FOMM's Gaussian). */
  readonly filter?: 'gaussian' | 'box'
  readonly head: Head
  readonly dilations: Dilations
  /** Numbers of results of all convolutions by name, of a detector that was pruned. */
  readonly widths?: Readonly<Record<string, number>> | undefined
}

export interface Detection extends HeadResult {
  readonly keypoints: Keypoints
  /** The anti-aliased picture that the backbone sees. */
  readonly down: Value
  /** The features that the head reads. */
  readonly predictor: Value
}

/**
 * Keypoints and local affine maps of pictures, by any backbone of the zoo. With `hourglass`, the head `fomm`
 * and the published sizes this is the published detector, under its checkpoint's names (`down.weight`,
 * `predictor.*`, `kp.*`, `jacobian.*`); the light head adds `up.*`.
 *
 * @param image [N, 3, H, W] in [0, 1]
 * @throws InputError for an unknown network or a size that it does not take.
 */
export function detectKeypoints(whole: Scope, image: Value, options: DetectorOptions): Detection {
  const { head, widths } = options
  const scope = widths === undefined ? whole : whole.withWidths(widths)
  const { scaleFactor, filter = 'gaussian' } = options
  const net = findNet(options.net)
  const own = ownOptions(net, options)
  checkSize(net.name, image, net.multiple(own), timesSmaller(scaleFactor))
  const down =
    filter === 'box' ? boxFilter(image, scaleFactor) : antiAlias(scope.child('down'), image, scaleFactor)
  const features = scope.within('predictor', (inner) =>
    net.features(inner.withDilations(options.dilations), down, {
      channels: head.kind === 'light' ? head.channels : 32,
      skip: head.skip === 'all' ? 'sum' : head.skip,
      options: own,
    }),
  )
  const { predictor, result } = scope.graph.within('head', () => {
    if (head.kind === 'light') {
      const finer = upsampled(scope.child('up'), features, head)
      return { predictor: finer, result: lightHead(scope, finer, options) }
    }
    const [h, w] = down.shape.slice(2) as [number, number]
    const full = resize(atQuarter(scope, features, head.skip), [h, w], 'bilinear-corners')
    return { predictor: full, result: fommHead(scope, full, options) }
  })
  const keypoints = { value: softArgmax(result.heatmap), jacobian: result.jacobian }
  return { ...result, keypoints, down, predictor }
}

export interface UpsamplingOptions {
  readonly channels: number
  /** The stride to reach. Features that are as fine already are only projected. */
  readonly stride: number
  readonly skip: SkipChoice
}

/**
 * Learned upsampling of a backbone's features: at each doubling nearest neighbour, plus the encoder's map of
 * that stride if `skip` says so (adding costs less than joining channels, whose 3x3 would be twice as
 * deep), then 3x3, norm and ReLU. Resizing before a convolution leaves no checkerboard, as a transposed one
 * does.
 *
 * @returns [N, channels, H / stride, W / stride]
 */
export function upsampled(scope: Scope, { deep, shallow }: Features, options: UpsamplingOptions): Value {
  const { channels } = options
  let { value, stride } = deep
  // A decoder with a width of its own (the hourglass's) is brought to the head's.
  const project = scope.child('project')
  if (project.has(value.shape[1] !== channels)) value = conv2d(project, value, channels, { kernel: 1 })
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
 * Features for FOMM's head. Features of a coarser stride than 4 are resized to it and joined with the encoder's map
 * there; a finer decoder has joined it already.
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
