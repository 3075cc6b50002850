/**
 * EfficientNet-Lite without its classifier: an encoder for networks of the zoo.
 *
 * EfficientNet is of M. Tan, Q. V. Le (ICML 2019, arXiv:1905.11946); the Lite models of 2020 leave out its
 * squeeze-and-excitation and use ReLU6 (tensorflow/tpu, models/official/efficientnet/lite, Apache-2.0).
 * Parameters are named as in timm's `efficientnet_lite0` (huggingface/pytorch-image-models, Apache-2.0), so
 * that a pretrained encoder loads by name; its `conv_head`, `bn2` and `classifier` are not asked for.
 */
import type { Value } from '../graph/graph.ts'
import { conv2d } from '../layers/conv2d.ts'
import { invertedResidual } from '../layers/mobilenet.ts'
import { batchNorm2d, relu6 } from '../layers/norm.ts'
import type { Scope } from '../layers/scope.ts'
import type { FeatureMap } from './net.ts'

/** How much wider and deeper than Lite0. */
export interface LiteScaling {
  readonly width: number
  readonly depth: number
}

export const liteScalings = {
  lite0: { width: 1, depth: 1 },
  lite1: { width: 1, depth: 1.1 },
  lite2: { width: 1.1, depth: 1.2 },
} as const satisfies Record<string, LiteScaling>

/** Width of the first convolution, which is not scaled. */
const stem = 32

/** The stages of Lite0: inverted residuals, of which the first of a stage has the stride. */
const stages = [
  { expansion: 1, channels: 16, repeats: 1, stride: 1, kernel: 3 },
  { expansion: 6, channels: 24, repeats: 2, stride: 2, kernel: 3 },
  { expansion: 6, channels: 40, repeats: 2, stride: 2, kernel: 5 },
  { expansion: 6, channels: 80, repeats: 3, stride: 2, kernel: 3 },
  { expansion: 6, channels: 112, repeats: 3, stride: 1, kernel: 5 },
  { expansion: 6, channels: 192, repeats: 4, stride: 2, kernel: 5 },
  { expansion: 6, channels: 320, repeats: 1, stride: 1, kernel: 3 },
] as const

/**
 * The last map of each scale, at strides 2, 4, 8, 16 and 32: with 16, 24, 40, 112 and 320 channels in Lite0,
 * 2,958,848 parameters in all.
 *
 * @param x [N, 3, H, W], H and W multiples of 32
 */
export function efficientnetLite(scope: Scope, x: Value, { width, depth }: LiteScaling): FeatureMap[] {
  let value = scope.within('conv_stem', (inner) =>
    relu6(batchNorm2d(scope.child('bn1'), conv2d(inner, x, stem, { kernel: 3, stride: 2, bias: false }))),
  )
  let reached = 2
  const maps = new Map<number, FeatureMap>()
  stages.forEach(({ expansion, channels, repeats, stride, kernel }, i) => {
    // Lite models deepen neither the first stage nor the last.
    const ends = i === 0 || i === stages.length - 1
    const count = ends ? repeats : Math.ceil(repeats * depth)
    reached *= stride
    for (let k = 0; k < count; k++) {
      value = scope.within(`blocks.${i}.${k}`, (inner) =>
        invertedResidual(inner, value, {
          outputs: scaledWidth(channels, width),
          expansion,
          kernel,
          stride: k === 0 ? stride : 1,
        }),
      )
    }
    maps.set(reached, { value, stride: reached })
  })
  return [...maps.values()]
}

/** Channels times `width`, to the nearest multiple of 8, or the next one where that takes away over a tenth. */
function scaledWidth(channels: number, width: number): number {
  const wanted = channels * width
  const nearest = Math.floor((wanted + 4) / 8) * 8
  return nearest < 0.9 * wanted ? nearest + 8 : nearest
}
