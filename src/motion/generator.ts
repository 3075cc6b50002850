import type { Value } from '../graph/graph.ts'
import { sigmoid } from '../graph/ops/unary.ts'
import { conv2d } from '../layers/conv2d.ts'
import { downBlock, residualBlock, sameBlock, upBlock } from '../layers/fomm-blocks.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize } from '../zoo/net.ts'
import { type DenseMotion, type DenseMotionOptions, denseMotion } from './dense-motion.ts'
import type { Keypoints } from './keypoints.ts'
import { deformed, occluded, overlaid } from './warp.ts'

export interface GeneratorOptions {
  /** Channels at full resolution; each halving doubles them. */
  readonly blockExpansion: number
  readonly maxFeatures: number
  readonly downBlocks: number
  readonly bottleneckBlocks: number
  /** Side of the first and last kernel, odd; published: 7. */
  readonly kernel: number
  /**
   * Carry the deformed maps of the encoder, and the deformed source itself, over to the decoder, blended by
   * the occlusion map (Siarohin et al. 2021, Motion Representations for Articulated Animation, whose
   * generator does so). Off in the published First Order Motion Model. It keeps detail that would be lost in
   * the bottleneck, and a model that is new starts from the deformed source in place of grey.
   * `coarse` leaves out the maps at full resolution, whose gradient costs as much as all the others.
   */
  readonly skips: 'none' | 'coarse' | 'all'
  readonly denseMotion: DenseMotionOptions
}

export interface Generation extends DenseMotion {
  /** [N, 3, H, W] in [0, 1] */
  readonly prediction: Value
  /** The source moved by the dense motion, [N, 3, H, W]. */
  readonly deformed: Value
}

/**
 * Occlusion-aware generator (Siarohin et al. 2019, section 3.2): encodes the source, moves its features by
 * the dense motion, fades what is occluded, and decodes. Names are those of the published checkpoints.
 *
 * @param source [N, 3, H, W] in [0, 1], H and W multiples of 2^downBlocks
 * @throws InputError where a size does not fit.
 */
export function generate(
  scope: Scope,
  source: Value,
  kpSource: Keypoints,
  kpDriving: Keypoints,
  options: GeneratorOptions,
): Generation {
  const { blockExpansion, maxFeatures, downBlocks, kernel, skips } = options
  checkSize('the generator', source, 2 ** downBlocks)
  const { alignCorners } = options.denseMotion
  const width = (scale: number) => Math.min(maxFeatures, blockExpansion * 2 ** scale)
  const motion = scope.within('dense_motion_network', (inner) =>
    denseMotion(inner, source, kpSource, kpDriving, options.denseMotion),
  )
  const { deformation, occlusionMap } = motion
  const moved = (map: Value) => deformed(map, deformation, alignCorners)

  const scales = [scope.within('first', (inner) => sameBlock(inner, source, blockExpansion, { kernel }))]
  for (let i = 0; i < downBlocks; i++) {
    scales.push(scope.within(`down_blocks.${i}`, (inner) => downBlock(inner, scales[i]!, width(i + 1))))
  }

  let y = occluded(moved(scales[downBlocks]!), occlusionMap, alignCorners)
  for (let i = 0; i < options.bottleneckBlocks; i++) {
    y = scope.within(`bottleneck.r${i}`, (inner) => residualBlock(inner, y))
  }
  for (let i = 0; i < downBlocks; i++) {
    const scale = downBlocks - 1 - i
    y = scope.within(`up_blocks.${i}`, (inner) => upBlock(inner, y, width(scale)))
    const carried = skips === 'all' || (skips === 'coarse' && scale > 0)
    if (carried) y = overlaid(moved(scales[scale]!), y, occlusionMap, alignCorners)
  }
  const made = sigmoid(conv2d(scope.child('final'), y, source.shape[1]!, { kernel }))
  const whole = moved(source)
  const prediction = skips === 'none' ? made : overlaid(whole, made, occlusionMap, alignCorners)
  return { ...motion, prediction, deformed: whole }
}
