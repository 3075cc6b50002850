/**
 * LRDNet: an encoder of residual asymmetric modules, and a decoder of refined dual attention. A reconstruction.
 *
 * Paper: M. Zhuang, X. Zhong, D. Gu, L. Feng, X. Zhong, H. Hu: LRDNet: A lightweight and efficient network with
 * refined dual attention decorder for real-time semantic segmentation, Neurocomputing 459, 2021, pages 349-360
 * (the title's spelling is the paper's). No code was published, and only the abstract was read. It says: the
 * encoder's module is asymmetric, based on the residual network, and combines decomposed (factorised) with
 * depthwise convolution; the decoder uses a refined dual attention mechanism, to reduce the complexity of the
 * whole network. That maps of the encoder join the decoder is said by the survey that this project follows
 * (AIOZ, Model Compression, part 5). A network for LiDAR roads of the same name has nothing to do with it.
 *
 * Published figures, as recalled: 0.66 M parameters, 70.1% mIoU on Cityscapes' test set, 77 frames a second.
 *
 * Inferred:
 * - What is inside the two blocks (`residualAsymmetric`, `dualAttention`).
 * - The encoder: ERFNet's downsamplers to strides 2, 4 and 8 with 32, 64 and 128 channels, as LEDNet has them.
 * - Its depth, 2, 3 and 12 modules. The criterion was the published count: with 19 outputs the network has
 *   662,737 parameters, and 12 modules are as many as that leaves room for.
 * - The dilations, LEDNet's: 1, 2, 5, 9, 2, 5, 9, 17, and its second half again.
 * - The decoder: dual attention at stride 8; 1x1, norm and ReLU to 64 channels, resized bilinearly and summed
 *   with the encoder's map of stride 4; dual attention there. A sum needs no wider convolution after it.
 * - The output is a 1x1 convolution at stride 4, resized bilinearly to the picture.
 *
 * Deviations: none that can be known. Keypoint training needs no dropout, so there is none. The last norm of
 * each module starts at a scale of 0.1.
 */
import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { resize } from '../graph/ops/pool.ts'
import { relu } from '../graph/ops/unary.ts'
import { residualAsymmetric } from '../layers/asymmetric.ts'
import { batchNorm2d, conv2d, pointwise } from '../layers/conv2d.ts'
import { downsampler } from '../layers/erfnet.ts'
import { dualAttention } from '../layers/gates.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize, type FeatureMap, type Net } from './net.ts'

/** Each stage halves the picture, then runs residual asymmetric modules of these dilations. */
const stages = [
  { channels: 32, dilations: [1, 1] },
  { channels: 64, dilations: [1, 1, 1] },
  { channels: 128, dilations: [1, 2, 5, 9, 2, 5, 9, 17, 2, 5, 9, 17] },
] as const

type Maps = readonly [half: FeatureMap, quarter: FeatureMap, eighth: FeatureMap]

function encoder(scope: Scope, x: Value): Maps {
  checkSize('lrdnet', x, 8)
  let value = x
  const maps = stages.map(({ channels, dilations }, i) => {
    value = scope.within(`encoder.${i}.down`, (inner) => downsampler(inner, value, channels))
    dilations.forEach((dilation, k) => {
      value = scope.within(`encoder.${i}.${k}`, (inner) => residualAsymmetric(inner, value, { dilation }))
    })
    return { value, stride: 2 ** (i + 1) }
  })
  return maps as [FeatureMap, FeatureMap, FeatureMap]
}

/** [N, 64, H / 4, W / 4] */
function decoder(scope: Scope, [, quarter, eighth]: Maps): FeatureMap {
  const [, channels, h, w] = quarter.value.shape as [number, number, number, number]
  const value = scope.within('decoder', (inner) => {
    const deep = dualAttention(inner.child('attention8'), eighth.value)
    const projected = pointwise(inner.child('project'), deep, channels)
    const narrow = relu(batchNorm2d(inner.child('norm'), projected, { epsilon: 1e-3 }))
    return dualAttention(inner.child('attention4'), add(resize(narrow, [h, w], 'bilinear'), quarter.value))
  })
  return { value, stride: quarter.stride }
}

export const lrdnet: Net = {
  name: 'lrdnet',
  title: 'LRDNet',
  paper: {
    title:
      'LRDNet: A lightweight and efficient network with refined dual attention decorder for real-time semantic segmentation',
    authors: 'Zhuang, Zhong, Gu, Feng, Zhong, Hu',
    url: 'https://www.sciencedirect.com/science/article/pii/S0925231221010535',
  },
  year: 2021,
  reconstruction: true,
  skips: 'maps',
  outputStride: () => 8,
  multiple: () => 8,
  build(scope, x, { outputs }) {
    const { value } = decoder(scope, encoder(scope, x))
    const [h, w] = x.shape.slice(2) as [number, number]
    return resize(conv2d(scope.child('head'), value, outputs, { kernel: 1 }), [h, w], 'bilinear')
  },
  // The decoder joins the map of 1/4 by itself, so `skip` has nothing to do.
  features(scope, x) {
    const maps = encoder(scope, x)
    return { deep: decoder(scope, maps), shallow: maps.slice(0, -1) }
  },
}
