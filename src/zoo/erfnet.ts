/**
 * ERFNet: an encoder and a decoder of residual blocks whose 3x3 convolutions are factorised into columns and
 * rows.
 *
 * Paper: E. Romera, J. M. Álvarez, L. M. Bergasa, R. Arroyo: ERFNet: Efficient Residual Factorized ConvNet for
 * Real-Time Semantic Segmentation, IEEE Transactions on Intelligent Transportation Systems 19(1), 2018 (first
 * at the Intelligent Vehicles Symposium 2017). It is not on arXiv.
 *
 * Published figures: 2.06 M parameters, 68.0% mIoU on Cityscapes' test set (as recalled, 69.7% with a
 * pretrained encoder); 83 frames a second on a Titan X and 7 on a TX1 (as recalled, at 640x360).
 *
 * Reference: xiaoyufenfei/Efficient-Segmentation-Networks, model/ERFNet.py (MIT): 2,064,896 parameters with 10
 * outputs, 2,066,642 with 19. Of these 129 an output belong to `encoder.output_conv`, the classifier that the
 * encoder is pretrained with; the whole network does not read it: it is counted and not built.
 *
 * Deviations: no dropout (2-D dropout of 0.03 at 1/4 and of 0.3 at 1/8 before each sum in the encoder): keypoint
 * training sees every frame once and needs no regulariser. Sizes must be multiples of 8. The last norm of each
 * residual block starts at a scale of 0.1: deep residual networks learn sooner so. As a backbone it can take a
 * skip at 1/4, which the paper does not have.
 */
import type { Value } from '../graph/graph.ts'
import { convTranspose2d } from '../layers/conv2d.ts'
import { downsampler, nonBottleneck1d, upsampler } from '../layers/erfnet.ts'
import { joinSkip, type Skip } from '../layers/gates.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize, type FeatureMap, type Net } from './net.ts'

/** The encoder: each stage halves the picture, then runs blocks of these dilations. */
const stages = [
  { channels: 16, dilations: [] },
  { channels: 64, dilations: [1, 1, 1, 1, 1] },
  { channels: 128, dilations: [2, 4, 8, 16, 2, 4, 8, 16] },
] as const

/** The maps after each stage, at strides 2, 4 and 8. */
function encode(scope: Scope, x: Value): [FeatureMap, FeatureMap, FeatureMap] {
  checkSize('erfnet', x, 8)
  let value = x
  let layer = 0
  const maps = stages.map(({ channels, dilations }, stage) => {
    // The checkpoint has the first downsampler on its own and all that follows in one list.
    const down = stage === 0 ? 'encoder.initial_block' : `encoder.layers.${layer++}`
    value = scope.within(down, (inner) => downsampler(inner, value, channels))
    for (const dilation of dilations) {
      value = scope.within(`encoder.layers.${layer++}`, (inner) =>
        nonBottleneck1d(inner, value, { dilation }),
      )
    }
    return { value, stride: 2 ** (stage + 1) }
  })
  return maps as [FeatureMap, FeatureMap, FeatureMap]
}

/** The decoder without its last convolution: [N, 16, H / 2, W / 2]. */
function decode(scope: Scope, deepest: Value, quarter: Value, skip: Skip): Value {
  const up = (layer: number, value: Value, channels: number) =>
    scope.within(`decoder.layers.${layer}`, (inner) => upsampler(inner, value, channels))
  const block = (layer: number, value: Value) =>
    scope.within(`decoder.layers.${layer}`, (inner) => nonBottleneck1d(inner, value))
  const joined = joinSkip(scope.child('decoder'), up(0, deepest, 64), quarter, skip)
  return block(5, block(4, up(3, block(2, block(1, joined)), 16)))
}

export const erfnet: Net = {
  name: 'erfnet',
  title: 'ERFNet',
  paper: {
    title: 'ERFNet: Efficient Residual Factorized ConvNet for Real-Time Semantic Segmentation',
    authors: 'Romera, Álvarez, Bergasa, Arroyo',
    url: 'https://doi.org/10.1109/TITS.2017.2750080',
  },
  year: 2017,
  licence: 'MIT',
  skips: 'none',
  outputStride: () => 8,
  multiple: () => 8,
  unused: ({ outputs }) => [
    { name: 'encoder.output_conv.weight', shape: [outputs, 128, 1, 1] },
    { name: 'encoder.output_conv.bias', shape: [outputs] },
  ],
  build(scope, x, { outputs }) {
    const [, quarter, deepest] = encode(scope, x)
    const decoded = decode(scope, deepest.value, quarter.value, 'none')
    return convTranspose2d(scope.child('decoder.output_conv'), decoded, outputs, { kernel: 2, stride: 2 })
  },
  features(scope, x, { skip }) {
    const [half, quarter, deepest] = encode(scope, x)
    const value = decode(scope, deepest.value, quarter.value, skip)
    return { deep: { value, stride: 2 }, shallow: [half, quarter] }
  },
}
