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
import { resize } from '../graph/ops/resize.ts'
import { concat } from '../graph/ops/shape.ts'
import { conv2d } from '../layers/conv2d.ts'
import { lrse } from '../layers/gates.ts'
import type { Scope } from '../layers/scope.ts'
import { efficientnetLite, type LiteScaling, liteScalings } from './efficientnet-lite.ts'
import { checkSize, type FeatureMap, type Net } from './net.ts'

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
