/**
 * LAEDNet: a lightweight EfficientNet as encoder, and a decoder of residual squeeze-and-excitation blocks. A
 * reconstruction.
 *
 * Paper: Q. Zhou, Q. Wang, Y. Bao, L. Kong, X. Jin, W. Ou (authors as recalled): LAEDNet: A Lightweight Attention
 * Encoder-Decoder Network for ultrasound medical image segmentation, Computers and Electrical Engineering 99,
 * 2022. No code was published, and only abstracts were read. They say: the encoder is a lightweight version of
 * EfficientNet; the decoder has a Lightweight Residual Squeeze-and-Excitation (LRSE) block; three models from
 * light to heavy, S, M and L, differ in the lightweight EfficientNet; on the data sets BP, BUSI and HCUS it is
 * better than U-Net, M-Net, U-Net++ and TransUNet in Dice coefficient and in speed. That maps of the encoder
 * join the decoder is said by the survey that this project follows (AIOZ, Model Compression, part 5).
 *
 * Published figures: none that are known here.
 *
 * Inferred:
 * - "lightweight version of EfficientNet" is EfficientNet-Lite; S, M and L are Lite0, Lite1 and Lite2. The
 *   trunks themselves are not inferred: without the classifier's 1x1 they have the 2,958,848 parameters of
 *   Lite0 (and Lite1's and Lite2's in turn), and timm's names.
 * - The whole trunk is used, down to stride 32. Pictures have multiples of 32; of 64x64 the last map has 2x2.
 * - The decoder doubles four times, to stride 2: bilinear, joined by the encoder's last map of that stride, then
 *   one LRSE block. It is as wide as the map that joins: 112, 40, 24 and 16 channels in S and M, 120, 48, 24 and
 *   16 in L.
 * - What is inside the LRSE block (`layers/gates.ts`).
 * - The output is a 1x1 convolution at stride 2, resized bilinearly to the picture.
 *
 * Deviations from the trunks' references: paddings are symmetric and norms have an epsilon of 1e-5, as in timm's
 * own Lite0. The TensorFlow models, of which Lite1's and Lite2's published weights are, pad one pixel less at the
 * left and top where the stride is 2, and have an epsilon of 1e-3. No stochastic depth and no dropout: keypoint
 * training sees every frame once. The last norm of a block that adds to its input starts at a scale of 0.1.
 */
import type { Value } from '../graph/graph.ts'
import { resize } from '../graph/ops/pool.ts'
import { concat } from '../graph/ops/shape.ts'
import { batchNorm2d, conv2d, relu6 } from '../layers/conv2d.ts'
import { lrse } from '../layers/gates.ts'
import { invertedResidual } from '../layers/mobilenet.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize, type FeatureMap, type Net } from './net.ts'

// EfficientNet-Lite without its classifier: an encoder for networks of the zoo.
//
// EfficientNet is of M. Tan, Q. V. Le (ICML 2019, arXiv:1905.11946); the Lite models of 2020 leave out its
// squeeze-and-excitation and use ReLU6 (tensorflow/tpu, models/official/efficientnet/lite, Apache-2.0).
// Parameters are named as in timm's `efficientnet_lite0` (huggingface/pytorch-image-models, Apache-2.0), so
// that a pretrained encoder loads by name; its `conv_head`, `bn2` and `classifier` are not asked for.

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

/** Stride of the encoder's last map. */
const coarsest = 32

/** Joins the encoder's maps, from the coarsest on, each at twice the size of what there is: [N, 16, H / 2, W / 2]. */
function decoder(scope: Scope, maps: readonly FeatureMap[]): FeatureMap {
  const [deepest, ...sides] = [...maps].reverse() as [FeatureMap, ...FeatureMap[]]
  return sides.reduce<FeatureMap>(
    (deep, side, i) =>
      scope.within(`decoder.${i}`, (inner) => {
        const [, width, h, w] = side.value.shape as [number, number, number, number]
        const doubled = resize(deep.value, [h, w], 'bilinear')
        return { value: lrse(inner, concat([doubled, side.value], 1), width), stride: side.stride }
      }),
    deepest,
  )
}

function laednet(size: 's' | 'm' | 'l', scaling: LiteScaling): Net {
  const name = `laednet-${size}`
  const encoder = (scope: Scope, x: Value) => {
    checkSize(name, x, coarsest)
    return efficientnetLite(scope, x, scaling)
  }
  return {
    name,
    title: `LAEDNet-${size.toUpperCase()}`,
    paper: {
      title:
        'LAEDNet: A Lightweight Attention Encoder-Decoder Network for ultrasound medical image segmentation',
      authors: 'Zhou, Wang, Bao, Kong, Jin, Ou',
      url: 'https://www.sciencedirect.com/science/article/pii/S0045790622000799',
    },
    year: 2022,
    reconstruction: true,
    skips: 'maps',
    outputStride: () => coarsest,
    multiple: () => coarsest,
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
}

export const laednetS = laednet('s', liteScalings.lite0)
export const laednetM = laednet('m', liteScalings.lite1)
export const laednetL = laednet('l', liteScalings.lite2)
