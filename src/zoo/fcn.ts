/**
 * FCN: VGG-16 turned into a network of convolutions alone, whose coarse scores are upsampled by learned
 * kernels and refined by the scores of two finer maps (FCN-8s).
 *
 * Paper: J. Long, E. Shelhamer, T. Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR 2015,
 * arXiv:1411.4038.
 *
 * Published figures: 62.2% mean IU on PASCAL VOC 2012's test set, less than a fifth of a second a picture; as
 * recalled, 134 M parameters, and 65.3% mIoU on Cityscapes' test set.
 *
 * Reference: wkentaro/pytorch-fcn, torchfcn/models/fcn8s.py, class FCN8s (MIT): 134,338,014 parameters with 10
 * outputs, 134,489,759 with 21; it gives 65.5% mean IU for the authors' weights on its VOC validation set.
 * Under one fill of all weights, and with its padding changed to ours, both compute the same.
 *
 * Deviations: every layer keeps the picture's borders where they are: 1 pixel of padding in the first
 * convolution, 3 in the 7x7 of fc6, and transposed convolutions that multiply the size by exactly 2 or 8. The
 * reference pads the picture by 100 pixels and crops its maps; at 64x64 that is 17 times the picture. Weights
 * and places are the same: away from the borders, a picture moved by 3 pixels, so that its pool windows stand
 * as ours, gives the same numbers. Sizes must be multiples of 32, where the reference takes any. No dropout
 * (2-D dropout of 0.5 after fc6 and fc7): keypoint training sees every frame once. Convolutions start as
 * PyTorch's do by default, where the reference starts from a trained VGG-16. All three upsamplings are trained,
 * as in the reference; the paper keeps the last one bilinear. As a backbone its scores have the head's width.
 *
 * Published weights expect pictures in blue, green, red, from 0 to 255 less a mean; the network leaves that to
 * its caller. It has no norms, so that it wants a small learning rate: towards one picture, 20 steps of Adam
 * descended at 0.0001; at 0.002, the default of `train`, the loss jumped by factors of hundreds.
 */
import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { maxPool } from '../graph/ops/pool.ts'
import { relu } from '../graph/ops/unary.ts'
import { conv2d } from '../layers/conv2d.ts'
import type { Scope } from '../layers/scope.ts'
import { bilinearUpsampling } from '../layers/upsampling.ts'
import { checkSize, type FeatureMap, type Net } from './net.ts'

/** VGG-16: each stage is 3x3 convolutions to these channels, then a pool that halves. */
const stages = [
  { channels: 64, depth: 2 },
  { channels: 128, depth: 2 },
  { channels: 256, depth: 3 },
  { channels: 512, depth: 3 },
  { channels: 512, depth: 3 },
] as const

/** Channels of what were VGG's fully connected layers. */
const fullWidth = 4096

/**
 * The maps after each pool, at strides 2 to 32.
 *
 * @throws InputError where height or width is no multiple of 32.
 */
function encoder(scope: Scope, x: Value): FeatureMap[] {
  checkSize('fcn', x, 32)
  let value = x
  return stages.map(({ channels, depth }, stage) => {
    for (let i = 1; i <= depth; i++) {
      value = scope.within(`conv${stage + 1}_${i}`, (inner) =>
        relu(conv2d(inner, value, channels, { kernel: 3 })),
      )
    }
    value = maxPool(value, [2, 2]).value
    return { value, stride: 2 ** (stage + 1) }
  })
}

/** Scores [N, outputs, H / 8, W / 8]: the deepest map's, refined by those of the two before it. */
function scores(scope: Scope, maps: readonly FeatureMap[], outputs: number): Value {
  const [, , pool3, pool4, pool5] = maps.map(({ value }) => value) as [Value, Value, Value, Value, Value]
  const score = (name: string, x: Value) =>
    scope.within(name, (inner) => conv2d(inner, x, outputs, { kernel: 1 }))
  const twice = (name: string, x: Value) => scope.within(name, (inner) => bilinearUpsampling(inner, x, 2))

  const wide = scope.within('fc6', (inner) => relu(conv2d(inner, pool5, fullWidth, { kernel: 7 })))
  const deep = scope.within('fc7', (inner) => relu(conv2d(inner, wide, fullWidth, { kernel: 1 })))
  const at16 = add(twice('upscore2', score('score_fr', deep)), score('score_pool4', pool4))
  return add(twice('upscore_pool4', at16), score('score_pool3', pool3))
}

export const fcn: Net = {
  name: 'fcn',
  title: 'FCN-8s',
  paper: {
    title: 'Fully Convolutional Networks for Semantic Segmentation',
    authors: 'Long, Shelhamer, Darrell',
    url: 'https://arxiv.org/abs/1411.4038',
  },
  year: 2015,
  licence: 'MIT',
  skips: 'maps',
  outputStride: () => 32,
  multiple: () => 32,
  build(scope, x, { outputs }) {
    const at8 = scores(scope, encoder(scope, x), outputs)
    return scope.within('upscore8', (inner) => bilinearUpsampling(inner, at8, 8))
  },
  features(scope, x, { channels }) {
    const maps = encoder(scope, x)
    const value = scores(scope, maps, channels)
    return { deep: { value, stride: 8 }, shallow: maps.slice(0, 2) }
  },
}
