import type { Value } from '../graph/graph.ts'
import { resize } from '../graph/ops/resize.ts'
import { antiAlias, boxFilter } from '../layers/fomm.ts'
import type { Dilations, Scope } from '../layers/scope.ts'
import { ownOptions, type RecordedNetOptions } from '../zoo/net.ts'
import { findNet } from '../zoo/registry.ts'
import { fommHead, type Head, type HeadResult, lightHead } from './heads.ts'
import { type Keypoints, softArgmax } from './keypoints.ts'
import { atQuarter, upsampled } from './upsampling.ts'

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
export function detectKeypoints(scope: Scope, image: Value, options: DetectorOptions): Detection {
  const { head } = options
  const { scaleFactor, filter = 'gaussian' } = options
  const down =
    filter === 'box' ? boxFilter(image, scaleFactor) : antiAlias(scope.child('down'), image, scaleFactor)
  const net = findNet(options.net)
  const features = scope.within('predictor', (inner) =>
    net.features(inner.withDilations(options.dilations), down, {
      channels: head.kind === 'light' ? head.channels : 32,
      skip: head.skip === 'all' ? 'sum' : head.skip,
      options: ownOptions(net, options),
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
