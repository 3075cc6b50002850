/**
 * LEDNet: a residual encoder of split-shuffle blocks and an attention pyramid as decoder.
 *
 * Paper: Y. Wang, Q. Zhou, J. Liu, J. Xiong, G. Gao, X. Wu, L. J. Latecki: LEDNet: A Lightweight
 * Encoder-Decoder Network for Real-Time Semantic Segmentation, ICIP 2019, arXiv:1905.02423.
 * Published: 0.94 M parameters, 11.5 GFLOPs at 1024x512 (as recalled), 69.2% mIoU on Cityscapes' test set and
 * 70.6% with its coarse annotations, 71 frames a second on a GTX 1080 Ti at 1024x512.
 *
 * Three networks, since the paper leaves the pyramid open and public code reads it in three ways
 * (attention-pyramid.ts has them):
 * - `lednet`: one channel wide, kernels in two lines. Reference for names and numbers:
 *   xiaoyufenfei/Efficient-Segmentation-Networks, model/LEDNet.py (MIT): 915,029 parameters with 10 outputs,
 *   917,387 with 19.
 * - `lednet-official`: one channel wide, whole kernels, as the authors' code is trained by default:
 *   xiaoyufenfei/LEDNet, train/lednet.py (MIT). 920,463 parameters with 10 outputs, 922,821 with 19, and the
 *   unused 129 for each output.
 * - `lednet-figure`: 128 channels wide, as the paper's figure draws it: there, train/lednet_1.py. 2,279,010
 *   parameters with 10 outputs, 2,284,905 with 19, and the unused 129 for each output.
 *
 * The authors' encoder has a classifier of its own, to train it alone before the whole. The network's result
 * does not depend on it, so it is not built, and listed as unused.
 *
 * Deviations:
 * - No dropout (2-D dropout of 0.03 and 0.3 before each sum in the references): keypoint training sees every
 *   frame once and needs no regulariser.
 * - The last norm of each block starts at a scale of 0.1, so that a block starts near the identity.
 * - Sizes must be multiples of 8, where the references pad what they pool of odd sizes.
 * - The authors' code is written for 20 classes and enlarges its result to 1024x512, whatever is asked for or
 *   put in. Here those are the wanted outputs and the picture's size.
 * - The authors' pyramid halves sizes rounding down on its way up, and so fails where the coarsest map is no
 *   multiple of 4. Here a level has the size of the one that it is added to.
 */
import type { Value } from '../graph/graph.ts'
import { resize } from '../graph/ops/pool.ts'
import { downsampler } from '../layers/erfnet.ts'
import { attentionPyramid, type PyramidForm, ssNbt } from '../layers/lednet.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize, type FeatureMap, type Net, type UnusedParameter } from './net.ts'

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
 * @param net the name to complain under
 * @throws InputError where H or W does not fit.
 */
export function lednetEncoder(scope: Scope, x: Value, net = 'lednet'): FeatureMap[] {
  checkSize(net, x, 8)
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

interface Variant {
  readonly name: string
  readonly title: string
  readonly form: PyramidForm
}

function variant({ name, title, form }: Variant): Net {
  // The authors' code has encoder and decoder as parts of their own.
  const authors = form !== 'factorised'
  const encoder = (scope: Scope, x: Value) =>
    (authors
      ? scope.within('encoder', (inner) => lednetEncoder(inner, x, name))
      : lednetEncoder(scope, x, name)) as [FeatureMap, FeatureMap, FeatureMap]
  const decoder = (scope: Scope, x: Value, outputs: number) =>
    scope.within(authors ? 'decoder.apn' : 'apn', (inner) => attentionPyramid(inner, x, outputs, form))
  return {
    name,
    title,
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
    ...(authors && { unused: ({ outputs }) => encoderHead(outputs) }),
    build(scope, x, { outputs }) {
      const [, , deepest] = encoder(scope, x)
      const [h, w] = x.shape.slice(2) as [number, number]
      return resize(decoder(scope, deepest.value, outputs), [h, w], 'bilinear-corners')
    },
    features(scope, x, { channels }) {
      const [half, quarter, deepest] = encoder(scope, x)
      const value = decoder(scope, deepest.value, channels)
      return { deep: { value, stride: deepest.stride }, shallow: [half, quarter] }
    },
  }
}

const encoderHead = (outputs: number): readonly UnusedParameter[] => [
  { name: 'encoder.output_conv.weight', shape: [outputs, 128, 1, 1] },
  { name: 'encoder.output_conv.bias', shape: [outputs] },
]

export const lednet = variant({ name: 'lednet', title: 'LEDNet', form: 'factorised' })

export const lednetOfficial = variant({
  name: 'lednet-official',
  title: 'LEDNet, the authors’ code',
  form: 'full',
})

export const lednetFigure = variant({
  name: 'lednet-figure',
  title: 'LEDNet, the paper’s figure',
  form: 'wide',
})
