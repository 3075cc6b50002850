// Learned upsampling of FCN (Long, Shelhamer, Darrell 2015).

import type { Value } from '../graph/graph.ts'
import { convTranspose } from '../graph/ops/conv.ts'
import { allocate, type Tensor, tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import type { Block } from './block.ts'
import type { Scope } from './scope.ts'

/**
 * Learned upsampling (Long, Shelhamer, Darrell 2015, FCN, section 3.3): a transposed convolution without
 * bias, whose kernel of 2f x 2f pixels starts as bilinear interpolation of each channel by itself and is then
 * trained.
 *
 * ```
 * x ── 2f x 2f transposed, stride f ──
 * ```
 *
 * Parameters, at C channels and a factor f: 4 f² C². Multiply-adds: 4 f² C² h w at the input's h x w.
 *
 * @param x [N, C, H, W]
 * @param factor f: even
 * @returns [N, C, f H, f W]
 * @throws InputError for a factor that is not even.
 */
export function bilinearUpsampling(scope: Scope, x: Value, factor: number): Value {
  if (!(factor > 0 && factor % 2 === 0)) {
    throw new InputError({
      what: 'a factor of learned upsampling is not even',
      got: String(factor),
      expected: '2, 4, 6 and so on, so that the kernel reaches as far on both sides',
    })
  }
  const values = bilinearKernel(x.shape[1]!, factor)
  const weight = scope.weight('weight', values.shape, { kind: 'values', values })
  // What the kernel reaches beyond factor pixels is half on each side.
  const pad = factor / 2
  return convTranspose(x, weight, undefined, { strides: [factor, factor], pads: [pad, pad, pad, pad] })
}

/** The kernel [C, C, 2f, 2f] under which a transposed convolution of stride f interpolates channel by channel. */
function bilinearKernel(channels: number, factor: number): Tensor<'float32'> {
  const side = 2 * factor
  const line = Array.from({ length: side }, (_, i) => 1 - Math.abs(i - (side - 1) / 2) / factor)
  const plane = line.flatMap((a) => line.map((b) => a * b))
  const data = allocate('float32', channels ** 2 * plane.length)
  for (let c = 0; c < channels; c++) data.set(plane, c * (channels + 1) * plane.length)
  return tensor('float32', [channels, channels, side, side], data)
}

export const bilinearUpsamplingBlock: Block = {
  name: 'bilinear-upsampling',
  title: 'Learned bilinear upsampling',
  examples: [
    {
      label: '21 channels, twice',
      input: [1, 21, 8, 8],
      build: (scope, x) => bilinearUpsampling(scope, x, 2),
      cost: { params: 16 * 21 ** 2, macs: 16 * 21 ** 2 * 8 * 8 },
    },
    {
      label: '10 channels, eight times',
      input: [1, 10, 8, 8],
      build: (scope, x) => bilinearUpsampling(scope, x, 8),
      cost: { params: 256 * 10 ** 2, macs: 256 * 10 ** 2 * 8 * 8 },
    },
  ],
}
