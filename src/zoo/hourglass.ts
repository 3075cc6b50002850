/**
 * Hourglass: the U-Net of the First Order Motion Model.
 *
 * Paper: A. Siarohin, S. Lathuilière, S. Tulyakov, E. Ricci, N. Sebe: First Order Motion Model for Image
 * Animation, NeurIPS 2019, arXiv:2003.00196. The shape is that of Ronneberger et al. 2015 (U-Net) with one
 * convolution a scale. Reference: AliaksandrSiarohin/first-order-model, modules/util.py (MIT).
 *
 * Published as the keypoint detector's backbone: block expansion 32, at most 1024 features, 5 blocks, on
 * 64x64; 14,129,568 parameters and 0.99 GMAC there. Two widths:
 *
 * - `hourglass`, as published.
 * - `hourglass-small`: block expansion 16, at most 128 features, 4 blocks. Ours, for training from nothing in
 *   minutes on a CPU.
 *
 * Deviation: the plain network ends in a 1x1 convolution, `head`, to the wanted outputs; the reference has
 * no network of its own, only a detector and a dense motion network that put 7x7 convolutions there.
 */
import { z } from 'zod'
import type { Value } from '../graph/graph.ts'
import { concat } from '../graph/ops/shape.ts'
import { conv2d } from '../layers/conv2d.ts'
import { downBlock, upBlock } from '../layers/fomm.ts'
import type { Scope } from '../layers/scope.ts'
import { checkedOptions } from '../util/option-schema.ts'
import { checkSize, type Net } from './net.ts'

/** Widths of an hourglass. The upper limits are far above what anybody trains. */
export const hourglassSchema = z.strictObject({
  /** Channels of the first scale; each scale doubles them. */
  blockExpansion: z.int().positive().max(8192),
  /** The most channels of a scale. */
  maxFeatures: z.int().positive().max(8192),
  /** Number of halvings. */
  blocks: z.int().positive().max(64),
})
/** Widths of an hourglass. */
export type HourglassSize = z.infer<typeof hourglassSchema>

/** The widths of the published detector. */
export const publishedHourglass: HourglassSize = { blockExpansion: 32, maxFeatures: 1024, blocks: 5 }

/**
 * Encoder that halves `blocks` times, decoder that doubles as often and joins the encoder's map of its scale.
 *
 * @param x [N, C, H, W], H and W multiples of 2^blocks
 * @returns [N, blockExpansion + C, H, W]: the last skip is the input itself
 * @throws InputError where H or W does not fit.
 */
export function hourglassFeatures(
  scope: Scope,
  x: Value,
  { blockExpansion, maxFeatures, blocks }: HourglassSize,
): Value {
  checkSize('hourglass', x, 2 ** blocks)
  const width = (scale: number) => Math.min(maxFeatures, blockExpansion * 2 ** scale)
  const scales = [x]
  for (let i = 0; i < blocks; i++) {
    const down = (inner: Scope) => downBlock(inner, scales[i]!, width(i + 1))
    scales.push(scope.within(`encoder.down_blocks.${i}`, down))
  }
  let y = scales[blocks]!
  for (let i = 0; i < blocks; i++) {
    const scale = blocks - 1 - i
    const up = scope.within(`decoder.up_blocks.${i}`, (inner) => upBlock(inner, y, width(scale)))
    y = concat([up, scales[scale]!], 1)
  }
  return y
}

/** Widths that train in minutes on a CPU. */
export const smallHourglass: HourglassSize = { blockExpansion: 16, maxFeatures: 128, blocks: 4 }

export const hourglass = ofWidth('hourglass', 'FOMM hourglass', publishedHourglass)
export const hourglassSmall = ofWidth('hourglass-small', 'FOMM hourglass, small', smallHourglass)

function ofWidth(name: string, title: string, own: HourglassSize): Net<HourglassSize> {
  const strideOf = ({ blocks }: HourglassSize = own) => 2 ** blocks
  return {
    name,
    title,
    paper: {
      title: 'First Order Motion Model for Image Animation',
      authors: 'Siarohin, Lathuilière, Tulyakov, Ricci, Sebe',
      url: 'https://arxiv.org/abs/2003.00196',
    },
    year: 2019,
    licence: 'MIT',
    options: {
      key: 'hourglass',
      default: own,
      parse: (value) => checkedOptions(hourglassSchema, value),
    },
    skips: 'maps',
    outputStride: strideOf,
    multiple: strideOf,
    build(scope, x, { outputs, options = own }) {
      return conv2d(scope.child('head'), hourglassFeatures(scope, x, options), outputs, { kernel: 1 })
    },
    features: (scope, x, { options = own }) => ({
      deep: { value: hourglassFeatures(scope, x, options), stride: 1 },
      shallow: [],
    }),
  }
}
