/**
 * LEDNet: a residual encoder of split-shuffle blocks and an attention pyramid as decoder.
 *
 * Paper: Y. Wang, Q. Zhou, J. Liu, J. Xiong, G. Gao, X. Wu, L. J. Latecki: LEDNet: A Lightweight
 * Encoder-Decoder Network for Real-Time Semantic Segmentation, ICIP 2019, arXiv:1905.02423.
 * Published: 0.94 M parameters, 70.6% mIoU on Cityscapes' test set, 71 frames a second on a GTX 1080 Ti at
 * 1024x512. Reference for names and numbers: xiaoyufenfei/Efficient-Segmentation-Networks, model/LEDNet.py
 * (MIT): 915,029 parameters with 10 outputs.
 *
 * Deviations: no dropout (2-D dropout of 0.03 and 0.3 before each sum in the reference): keypoint training
 * sees every frame once and needs no regulariser. Sizes must be multiples of 8, where the reference pads.
 */
import type { Value } from '../graph/graph.ts'
import { resize } from '../graph/ops/resize.ts'
import { attentionPyramid } from '../layers/attention-pyramid.ts'
import { downsampler } from '../layers/downsampler.ts'
import type { Scope } from '../layers/scope.ts'
import { ssNbt } from '../layers/ss-nbt.ts'
import { checkSize, type FeatureMap, type Net } from './net.ts'

/** The encoder: each stage halves the picture, then runs split-shuffle blocks of these dilations. */
const stages = [
  { channels: 32, dilations: [1, 1, 1] },
  { channels: 64, dilations: [1, 1] },
  { channels: 128, dilations: [1, 2, 5, 9, 2, 5, 9, 17] },
] as const

/**
 * The encoder's maps after each stage, at strides 2, 4 and 8 with 32, 64 and 128 channels.
 *
 * @param x [N, C, H, W], H and W multiples of 8
 * @throws InputError where H or W does not fit.
 */
export function lednetEncoder(scope: Scope, x: Value): FeatureMap[] {
  checkSize('lednet', x, 8)
  let value = x
  let layer = 0
  return stages.map(({ channels, dilations }, stage) => {
    // The checkpoint has the first downsampler on its own and all that follows in one list.
    const down = stage === 0 ? 'initial_block' : `layers.${layer++}`
    value = scope.within(down, (inner) => downsampler(inner, value, channels))
    for (const dilation of dilations) {
      value = scope.within(`layers.${layer++}`, (inner) => ssNbt(inner, value, { dilation }))
    }
    return { value, stride: 2 ** (stage + 1) }
  })
}

const decoder = (scope: Scope, x: Value, outputs: number) =>
  scope.within('apn', (inner) => attentionPyramid(inner, x, outputs))

export const lednet: Net = {
  name: 'lednet',
  title: 'LEDNet',
  paper: {
    title: 'LEDNet: A Lightweight Encoder-Decoder Network for Real-Time Semantic Segmentation',
    authors: 'Wang, Zhou, Liu, Xiong, Gao, Wu, Latecki',
    url: 'https://arxiv.org/abs/1905.02423',
  },
  year: 2019,
  licence: 'MIT',
  skips: 'none',
  outputStride: () => 8,
  multiple: () => 8,
  build(scope, x, { outputs }) {
    const [, , deepest] = lednetEncoder(scope, x) as [FeatureMap, FeatureMap, FeatureMap]
    const [h, w] = x.shape.slice(2) as [number, number]
    return resize(decoder(scope, deepest.value, outputs), [h, w], 'bilinear-corners')
  },
  features(scope, x, { channels }) {
    const [half, quarter, deepest] = lednetEncoder(scope, x) as [FeatureMap, FeatureMap, FeatureMap]
    const value = decoder(scope, deepest.value, channels)
    return { deep: { value, stride: deepest.stride }, shallow: [half, quarter] }
  },
}
