/**
 * ResNet encoder-decoder: a residual network that halves the picture five times, and three transposed
 * convolutions that bring it back to a quarter. Nothing goes over from the encoder to the decoder.
 *
 * Paper: B. Xiao, H. Wu, Y. Wei: Simple Baselines for Human Pose Estimation and Tracking, ECCV 2018,
 * arXiv:1804.06208, which finds keypoints with it. The encoder is from K. He, X. Zhang, S. Ren, J. Sun: Deep
 * Residual Learning for Image Recognition, CVPR 2016, arXiv:1512.03385.
 *
 * Published figures, `resnet50` with 17 keypoints at 192x256: 70.4 AP on COCO val2017 with detected people; as
 * recalled from the tables of HRNet, 34.0 M parameters and 8.9 GFLOPs. Their counter takes a transposed
 * convolution at every pixel of its result, though three quarters of those products are with zeros, and
 * divides by 2^30; we count 5.43 G multiply-adds. Nothing was published of `resnet18`, which the same code
 * builds.
 *
 * Reference: microsoft/human-pose-estimation.pytorch, lib/models/pose_resnet.py (MIT); the encoder's names are
 * torchvision's. With 17 outputs 33,999,697 parameters for `resnet50` and 15,376,721 for `resnet18`.
 *
 * Deviations: the plain network resizes its maps from a quarter to the picture's size, where the reference
 * ends. The last norm of each residual block starts at a scale of 0.1: deep residual networks learn sooner so.
 * Convolutions start as PyTorch's do by default, where the reference starts the encoder trained and the
 * decoder from a normal distribution of deviation 0.001. As a backbone it can take a skip at 1/4 from the
 * first stage, which the paper does not have. Sizes must be multiples of 32.
 */
import type { Value } from '../graph/graph.ts'
import { maxPool, resize } from '../graph/ops/pool.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d, conv2d, convTranspose2d } from '../layers/conv2d.ts'
import { joinSkip } from '../layers/gates.ts'
import { bottleneck, nonBottleneck } from '../layers/resnet.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize, type FeatureMap, type Net } from './net.ts'

interface ResnetSize {
  readonly name: string
  readonly title: string
  readonly block: typeof nonBottleneck
  /** Blocks of each stage. */
  readonly depths: readonly number[]
  /** Channels of the first stage's result; each stage doubles them. */
  readonly width: number
}

/** Channels of the decoder. */
const decoderWidth = 256

interface Encoded {
  /** Strides 2 and 4: before the first pool, and after the first stage. */
  readonly shallow: readonly [FeatureMap, FeatureMap]
  /** Stride 32. */
  readonly deepest: Value
}

/** @throws InputError where height or width is no multiple of 32. */
function encoder(scope: Scope, x: Value, { name, block, depths, width }: ResnetSize): Encoded {
  checkSize(name, x, 32)
  const half = scope.graph.within('conv1', () => {
    const convolved = conv2d(scope.child('conv1'), x, 64, { kernel: 7, stride: 2, bias: false })
    return relu(batchNorm2d(scope.child('bn1'), convolved))
  })
  let value = maxPool(half, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }).value
  const stages = depths.map((depth, stage) => {
    for (let i = 0; i < depth; i++) {
      const options = { outputs: width * 2 ** stage, stride: stage > 0 && i === 0 ? 2 : 1 }
      value = scope.within(`layer${stage + 1}.${i}`, (inner) => block(inner, value, options))
    }
    return value
  })
  return {
    shallow: [
      { value: half, stride: 2 },
      { value: stages[0]!, stride: 4 },
    ],
    deepest: value,
  }
}

/** From stride 32 to 4. The checkpoint has convolutions, norms and ReLUs in one list. */
function decoder(scope: Scope, x: Value): Value {
  let value = x
  for (let layer = 0; layer < 9; layer += 3) {
    value = scope.within(`deconv_layers.${layer}`, (inner) =>
      convTranspose2d(inner, value, decoderWidth, { kernel: 4, stride: 2, padding: 1, bias: false }),
    )
    value = scope.within(`deconv_layers.${layer + 1}`, (inner) => relu(batchNorm2d(inner, value)))
  }
  return value
}

function resnet(size: ResnetSize): Net {
  return {
    name: size.name,
    title: size.title,
    paper: {
      title: 'Simple Baselines for Human Pose Estimation and Tracking',
      authors: 'Xiao, Wu, Wei',
      url: 'https://arxiv.org/abs/1804.06208',
    },
    year: 2018,
    licence: 'MIT',
    skips: 'none',
    outputStride: () => 32,
    multiple: () => 32,
    build(scope, x, { outputs }) {
      const decoded = decoder(scope, encoder(scope, x, size).deepest)
      const maps = scope.within('final_layer', (inner) => conv2d(inner, decoded, outputs, { kernel: 1 }))
      const [h, w] = x.shape.slice(2) as [number, number]
      return resize(maps, [h, w], 'bilinear-corners')
    },
    features(scope, x, { skip }) {
      const { shallow, deepest } = encoder(scope, x, size)
      const joined = joinSkip(scope, decoder(scope, deepest), shallow[1].value, skip)
      return { deep: { value: joined, stride: 4 }, shallow }
    },
  }
}

export const resnet18 = resnet({
  name: 'resnet18',
  title: 'ResNet-18 encoder-decoder',
  block: nonBottleneck,
  depths: [2, 2, 2, 2],
  width: 64,
})

export const resnet50 = resnet({
  name: 'resnet50',
  title: 'ResNet-50 encoder-decoder',
  block: bottleneck,
  depths: [3, 4, 6, 3],
  width: 256,
})
