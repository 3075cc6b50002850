/**
 * ESNet: ERFNet made symmetric, with long kernels at fine scales and parallel dilated ones at the coarsest.
 *
 * Paper: Y. Wang, Q. Zhou, X. Wu: ESNet: An Efficient Symmetric Network for Real-time Semantic Segmentation,
 * PRCV 2019, arXiv:1906.09826.
 * Published: 1.66 M parameters, 70.7% mIoU on Cityscapes' test set, 63 frames a second on a GTX 1080 Ti at
 * 1024x512.
 * Reference for names and numbers: xiaoyufenfei/Efficient-Segmentation-Networks, model/ESNet.py (MIT):
 * 1,658,486 parameters with 10 outputs, 1,659,071 with 19.
 *
 * Deviations:
 * - No dropout (2-D dropout of 0.03 in the encoder's factorised units and 0.3 in its parallel ones, before
 *   each sum): keypoint training sees every frame once and needs no regulariser.
 * - The last norm of each block starts at a scale of 0.1, so that a block starts near the identity.
 * - Sizes must be multiples of 8, where the reference pads what it pools of odd sizes.
 *
 * As in the reference, the three branches of a parallel unit share one norm; the paper's figure draws three,
 * which would be 1,536 parameters more.
 *
 * As a detector's backbone it ends before its last transposed convolution: 16 channels at half of the
 * picture's size. A skip from 1/4 joins after the decoder's first upsampling.
 */
import type { Value } from '../graph/graph.ts'
import { convTranspose2d } from '../layers/conv2d.ts'
import { downsampler, fcu, pfcu, upsampler } from '../layers/erfnet.ts'
import { joinSkip, type Skip } from '../layers/gates.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize, type Features, type Net } from './net.ts'

/** All but the last transposed convolution. */
function trunk(scope: Scope, x: Value, skip: Skip): Features {
  checkSize('esnet', x, 8)
  let layer = 0
  let value = scope.within('initial_block', (inner) => downsampler(inner, x, 16))
  const then = (block: (inner: Scope, input: Value) => Value, times = 1) => {
    for (let i = 0; i < times; i++) {
      value = scope.within(`layers.${layer++}`, (inner) => block(inner, value))
    }
    return value
  }
  const units = (length: number) => (inner: Scope, input: Value) => fcu(inner, input, length)

  const half = then(units(3), 3)
  then((inner, input) => downsampler(inner, input, 64))
  const quarter = then(units(5), 2)
  then((inner, input) => downsampler(inner, input, 128))
  then(pfcu, 3)
  then((inner, input) => upsampler(inner, input, 64))
  value = joinSkip(scope, value, quarter, skip)
  then(units(5), 2)
  then((inner, input) => upsampler(inner, input, 16))
  const deep = then(units(3), 2)
  return {
    deep: { value: deep, stride: 2 },
    shallow: [
      { value: half, stride: 2 },
      { value: quarter, stride: 4 },
    ],
  }
}

export const esnet: Net = {
  name: 'esnet',
  title: 'ESNet',
  paper: {
    title: 'ESNet: An Efficient Symmetric Network for Real-time Semantic Segmentation',
    authors: 'Wang, Zhou, Wu',
    url: 'https://arxiv.org/abs/1906.09826',
  },
  year: 2019,
  licence: 'MIT',
  skips: 'none',
  outputStride: () => 8,
  multiple: () => 8,
  build(scope, x, { outputs }) {
    const { deep } = trunk(scope, x, 'none')
    return scope.within('output_conv', (inner) =>
      convTranspose2d(inner, deep.value, outputs, { kernel: 2, stride: 2 }),
    )
  },
  features: (scope, x, { skip }) => trunk(scope, x, skip),
}
