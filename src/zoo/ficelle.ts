/**
 * ficelle: a U-shaped network of few, dense convolutions, for keypoints of small pictures on a CPU. It is pantin's
 * own and was published nowhere; the name is French for a puppet's string.
 *
 * The networks before it count products and spend their time elsewhere. At 64x64 a map of the encoder is a few
 * thousand numbers, and each of LEDNet's 121 convolutions costs its call. Here the count of calls is held down:
 * RepVGG's blocks (Ding et al. 2021) have three branches in training and are one 3x3 convolution afterwards, widths
 * are multiples of the sixteen channels that ONNX Runtime computes at once, and maps are joined by sums that its
 * convolutions take in.
 *
 * It is one point of a space of designs (`design.ts`): stem, stages of blocks, and a decoder as in feature pyramid
 * networks (Lin et al. 2017, section 3), where a doubled map and the encoder's, each after a 1x1 convolution, are
 * summed and smoothed by a 3x3. Another design can be given in its place.
 *
 * Its own design was chosen by hand, by time: to 1/16 of the picture, where each pixel sees all of it, and back to
 * 1/2, with one block at each size. As a detector, rewritten, it takes half of the time of the fastest of ENet,
 * ERFNet, EDANet, ESNet and LEDNet on two threads, and seven tenths on one (64x64, two cores with AVX-512, the least
 * of 150 runs or more, in turn: 0.75 ms against 1.51, and 1.35 against 1.87).
 *
 * As a backbone it joins the encoder's maps itself; a skip that is asked for is used at 1/4 where the design has
 * none.
 */
import { resize } from '../graph/ops/resize.ts'
import { conv2d } from '../layers/conv2d.ts'
import { type Design, parseDesign, stridesOf } from './design.ts'
import { designFeatures } from './design-network.ts'
import type { Net } from './net.ts'

/** Its own design. */
export const ficelleDesign: Design = {
  stem: { kind: 'convolutions', widths: [32] },
  stages: [
    { stride: 2, width: 64, block: 'rep-vgg', depth: 1, dilations: [] },
    { stride: 2, width: 128, block: 'rep-vgg', depth: 1, dilations: [] },
    { stride: 2, width: 192, block: 'rep-vgg', depth: 1, dilations: [] },
  ],
  decoder: { widths: [96, 64, 32], depth: 1, upsampling: 'nearest', skips: 'sum' },
}

const strideOf: Net['multiple'] = (options) =>
  stridesOf(options?.design === undefined ? ficelleDesign : parseDesign(options.design)).coarsest

export const ficelle: Net = {
  name: 'ficelle',
  title: 'ficelle',
  paper: {
    title: 'RepVGG: Making VGG-style ConvNets Great Again (for its blocks; the network is pantin’s own)',
    authors: 'Ding, Zhang, Ma, Han, Ding, Sun',
    url: 'https://arxiv.org/abs/2101.03697',
  },
  year: 2021,
  skips: 'maps',
  outputStride: strideOf,
  multiple: strideOf,
  build(scope, x, { outputs, design = ficelleDesign }) {
    const { deep } = designFeatures('ficelle', scope, x, design, 'none')
    const [h, w] = x.shape.slice(2) as [number, number]
    return resize(
      scope.within('head', (inner) => conv2d(inner, deep.value, outputs, { kernel: 1 })),
      [h, w],
      'bilinear',
    )
  },
  features: (scope, x, { skip, design = ficelleDesign }) => designFeatures('ficelle', scope, x, design, skip),
}
