/**
 * EDANet: densely joined modules of asymmetric convolutions, and hardly any decoder.
 *
 * Paper: S.-Y. Lo, H.-M. Hang, S.-W. Chan, J.-J. Lin: Efficient Dense Modules of Asymmetric Convolution for
 * Real-Time Semantic Segmentation, ACM Multimedia Asia 2019, arXiv:1809.06323.
 * Published: 0.68 M parameters, 8.97 GFLOPs at 1024x512 (as recalled), 67.3% mIoU on Cityscapes' test set, 108
 * frames a second on a GTX 1080 Ti and 81 on a Titan X at 1024x512.
 * Reference for names and numbers: xiaoyufenfei/Efficient-Segmentation-Networks, model/EDANet.py (MIT):
 * 685,426 parameters with 10 outputs, 689,485 with 19. The authors published no code, but tables of all
 * layers (shaoyuanlo/EDANet), which it follows.
 *
 * Two networks: `edanet` projects its last map to the outputs and enlarges them eight times, bilinearly.
 * `edanet-erfdec` is the learned decoder of the paper's ablation, EDA-ERFdec, in ERFNet's manner: 64 channels
 * at 1/4, 16 at 1/2, each with two modules, and the outputs, by transposed convolutions.
 *
 * Deviations:
 * - No dropout (2-D dropout of 0.02 at each module's end): keypoint training sees every frame once and needs
 *   no regulariser.
 * - Weights start as PyTorch's convolutions do, and scales at 1. The reference draws weights from a normal
 *   distribution of deviation 0.02, and scales from one of that deviation around 1.
 * - Sizes must be multiples of 8.
 *
 * Inferred in `edanet-erfdec`: the authors' table gives the decoder's widths and sizes, its transposed
 * convolutions of 2x2 and stride 2, and two modules after each of the first two. Not given are:
 * - what the modules are. The table calls them "EDA-non-asymmetric" and has them keep their channels, which a
 *   dense module does not; here they are ERFNet's non-bottleneck-1D, since the decoder is named after ERFNet.
 * - that norm and ReLU follow the first two transposed convolutions: as in ERFNet.
 * - the decoder's names, `decoder.*`: as in ERFNet.
 *
 * As a detector's backbone `edanet` gives its last map, projected to the wanted width, at 1/8;
 * `edanet-erfdec` ends before its last transposed convolution with 16 channels at 1/2, and a skip from 1/4
 * joins after the decoder's first upsampling.
 */
import type { Value } from '../graph/graph.ts'
import { resize } from '../graph/ops/pool.ts'
import { relu } from '../graph/ops/unary.ts'
import { edaModule } from '../layers/asymmetric.ts'
import { batchNorm2d, conv2d, convTranspose2d } from '../layers/conv2d.ts'
import { downsampler, nonBottleneck1d } from '../layers/erfnet.ts'
import { joinSkip, type Skip } from '../layers/gates.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize, type FeatureMap, type Features, type Net } from './net.ts'

/** The encoder's maps at strides 2, 4 and 8, with 15, 260 and 450 channels. */
function encoder(net: string, scope: Scope, x: Value): readonly [FeatureMap, FeatureMap, FeatureMap] {
  checkSize(net, x, 8)
  const halved = (layer: number, value: Value, outputs: number) =>
    scope.within(`layers.${layer}`, (inner) => downsampler(inner, value, outputs, { epsilon: 1e-5 }))
  const dense = (layer: number, value: Value, dilations: readonly number[]) =>
    dilations.reduce((input, dilation, i) => {
      const name = `layers.${layer}.residual_dense_layers.${i}`
      return scope.within(name, (inner) => edaModule(inner, input, { dilation }))
    }, value)

  const half = halved(0, x, 15)
  const quarter = dense(2, halved(1, half, 60), [1, 1, 1, 2, 2])
  const eighth = dense(4, halved(3, quarter, 130), [2, 2, 4, 4, 8, 8, 16, 16])
  return [
    { value: half, stride: 2 },
    { value: quarter, stride: 4 },
    { value: eighth, stride: 8 },
  ]
}

const about = {
  paper: {
    title: 'Efficient Dense Modules of Asymmetric Convolution for Real-Time Semantic Segmentation',
    authors: 'Lo, Hang, Chan, Lin',
    url: 'https://arxiv.org/abs/1809.06323',
  },
  year: 2018,
  licence: 'MIT',
  skips: 'none',
  outputStride: () => 8,
  multiple: () => 8,
} as const

const project = (scope: Scope, x: Value, outputs: number) =>
  scope.within('project_layer', (inner) => conv2d(inner, x, outputs, { kernel: 1 }))

export const edanet: Net = {
  ...about,
  name: 'edanet',
  title: 'EDANet',
  build(scope, x, { outputs }) {
    const [, , deepest] = encoder('edanet', scope, x)
    const [h, w] = x.shape.slice(2) as [number, number]
    return resize(project(scope, deepest.value, outputs), [h, w], 'bilinear-corners')
  },
  features(scope, x, { channels }) {
    const [half, quarter, deepest] = encoder('edanet', scope, x)
    const value = project(scope, deepest.value, channels)
    return { deep: { value, stride: deepest.stride }, shallow: [half, quarter] }
  },
}

/** The encoder, and the learned decoder but for its last transposed convolution. */
function withDecoder(scope: Scope, x: Value, skip: Skip): Features {
  const [half, quarter, deepest] = encoder('edanet-erfdec', scope, x)
  let layer = 0
  const doubled = (value: Value, outputs: number) =>
    scope.within(`decoder.layers.${layer++}`, (inner) => {
      const made = convTranspose2d(inner.child('conv'), value, outputs, { kernel: 2, stride: 2 })
      return relu(batchNorm2d(inner.child('bn'), made, { epsilon: 1e-3 }))
    })
  const refined = (value: Value) =>
    scope.within(`decoder.layers.${layer++}`, (inner) => nonBottleneck1d(inner, value))

  const fine = joinSkip(scope, doubled(deepest.value, 64), quarter.value, skip)
  const value = refined(refined(doubled(refined(refined(fine)), 16)))
  return { deep: { value, stride: 2 }, shallow: [half, quarter] }
}

export const edanetErfdec: Net = {
  ...about,
  name: 'edanet-erfdec',
  title: 'EDANet with ERFNet’s decoder',
  reconstruction: true,
  build(scope, x, { outputs }) {
    const { deep } = withDecoder(scope, x, 'none')
    return scope.within('decoder.output_conv', (inner) =>
      convTranspose2d(inner, deep.value, outputs, { kernel: 2, stride: 2 }),
    )
  },
  features: (scope, x, { skip }) => withDecoder(scope, x, skip),
}
