/**
 * ficelle: a U-shaped network of few calls and few channels, for keypoints of small pictures on a CPU. It is pantin's
 * own and was published nowhere; the name is French for a puppet's string.
 *
 * It is one point of a space of designs (`design.ts`): stem, stages of blocks, and a decoder as in feature pyramid
 * networks (Lin et al. 2017, section 3), where a doubled map and the encoder's, each after a 1x1 convolution, are
 * summed and smoothed by a 3x3. Another design can be given in its place. Why each part is there:
 *
 * - Squares of 2x2 pixels become channels, and one convolution reads them: at full size a map costs most and says least.
 * - Each stage begins with a RepVGG block (Ding et al. 2021), three branches in training that are one 3x3 convolution
 *   afterwards, which halves the map. Halving early leaves 8x8 and 4x4 maps for most of the blocks.
 * - Blocks are inverted residuals (Sandler et al. 2018) with ReLU: of the kinds that were tried they came nearest to a
 *   teacher in as many steps, at a third of the parameters of plain 3x3 convolutions.
 * - At 1/16 a pixel sees 170 pixels, more than the picture: no dilation is needed, and none of its taps is lost.
 * - The decoder goes back to 1/4 and joins the encoder's maps as sums, which convolutions take in; a detector's head
 *   joins that of 1/2. Heatmaps of half the picture's size are enough, for their mean is finer than a pixel.
 * - Widths are multiples of the sixteen channels that ONNX Runtime computes at once.
 *
 * `pantin search` drew a design of this kind, and it was the best of the designs that it tried; ficelle is that design, made smaller
 * by hand until none of ENet, ERFNet, EDANet, ESNet and LEDNet has fewer parameters or multiply-adds. docs/results.md
 * has the figures.
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
  stem: { kind: 'space-to-depth', side: 2, kernel: 3, width: 32 },
  stages: [
    { stride: 2, width: 32, block: 'inverted-residual', depth: 1, dilations: [] },
    { stride: 2, width: 48, block: 'inverted-residual', depth: 2, dilations: [] },
    { stride: 2, width: 80, block: 'inverted-residual', depth: 2, dilations: [] },
  ],
  decoder: { widths: [48, 32], depth: 1, upsampling: 'nearest', skips: 'sum' },
}

const strideOf = (design: Design = ficelleDesign) => stridesOf(design).coarsest

export const ficelle: Net<Design> = {
  name: 'ficelle',
  title: 'ficelle',
  paper: {
    title:
      'MobileNetV2: Inverted Residuals and Linear Bottlenecks (for its blocks; the network is pantin’s own)',
    authors: 'Sandler, Howard, Zhu, Zhmoginov, Chen',
    url: 'https://arxiv.org/abs/1801.04381',
  },
  year: 2018,
  options: { key: 'design', default: ficelleDesign, parse: parseDesign },
  skips: 'maps',
  outputStride: strideOf,
  multiple: strideOf,
  build(scope, x, { outputs, options = ficelleDesign }) {
    const { deep } = designFeatures('ficelle', scope, x, options, 'none')
    const [h, w] = x.shape.slice(2) as [number, number]
    return resize(
      scope.within('head', (inner) => conv2d(inner, deep.value, outputs, { kernel: 1 })),
      [h, w],
      'bilinear',
    )
  },
  features: (scope, x, { skip, options = ficelleDesign }) =>
    designFeatures('ficelle', scope, x, options, skip),
}
