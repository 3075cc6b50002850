// The generator of the First Order Motion Model: moves the source's features and paints the frame.
import type { Value } from '../graph/graph.ts'
import { add, div, mul, reduceMean, reduceSum, sub } from '../graph/ops/arithmetic.ts'
import { reshape } from '../graph/ops/shape.ts'
import { sigmoid, square } from '../graph/ops/unary.ts'
import { conv2d } from '../layers/conv2d.ts'
import { downBlock, residualBlock, sameBlock, upBlock } from '../layers/fomm.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize } from '../zoo/net.ts'
import { type DenseMotion, type DenseMotionOptions, denseMotion, motionPicture } from './dense-motion.ts'
import type { Keypoints } from './keypoints.ts'
import { guided, lightDecoder, lightEncoder } from './light-generator.ts'
import { deformed, occluded, overlaid } from './warp.ts'

/** How a generator is built. */
export interface GeneratorOptions {
  /** The encoder and decoder: the published ones, or the light ones of `light-generator.ts` (default: published). */
  readonly kind?: 'fomm' | 'light'
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
   * the bottleneck, and a model that is new starts from the deformed source instead of grey.
   * `coarse` leaves out the maps at full resolution, whose gradient costs as much as all the others. The light
   * generator carries no map but the deformed source.
   */
  readonly skips: 'none' | 'coarse' | 'all'
  /**
   * What is shown where nothing moves: what the generator makes of it (`free`, default, as published), or the source
   * itself (`source`): with equal keypoints nothing is painted over the moved source.
   */
  readonly atRest?: 'free' | 'source' | undefined
  /**
   * Whether the light decoder sees the features of dense motion, and with them the keypoints of the driving frame (default:
   * no). The moved source alone cannot tell how far an eye opens that is closed in the source.
   */
  readonly guided?: boolean | undefined
  readonly denseMotion: DenseMotionOptions
}

/** What depends on the source alone. It is computed once for all frames that drive the source. */
export interface EncodedSource {
  /** [N, 3, H, W] in [0, 1] */
  readonly picture: Value
  /** The picture that motion is estimated on, [N, 3, h, w]; `picture` itself if it is not scaled. */
  readonly small: Value
  /** Maps that are moved, by the number of their halvings: [N, C, H / 2^i, W / 2^i]. */
  readonly maps: ReadonlyMap<number, Value>
}

/** A driven frame, and how it was made. */
export interface Generation extends DenseMotion {
  /** [N, 3, H, W] in [0, 1] */
  readonly prediction: Value
  /** The source moved by the dense motion, [N, 3, H, W]. */
  readonly deformed: Value
}

/**
 * The part of the generator that sees the source only.
 *
 * @param source [N, 3, H, W] in [0, 1], H and W multiples of 2^downBlocks
 * @throws InputError if a size does not fit.
 */
export function encodeSource(scope: Scope, source: Value, options: GeneratorOptions): EncodedSource {
  checkSize('the generator', source, 2 ** options.downBlocks)
  const small = scope.within('dense_motion_network', (inner) =>
    motionPicture(inner, source, options.denseMotion.scaleFactor),
  )
  const maps =
    options.kind === 'light'
      ? new Map([[options.downBlocks, lightEncoder(scope, source, options)]])
      : encoder(scope, source, options)
  return { picture: source, small, maps }
}

/**
 * Occlusion-aware generator (Siarohin et al. 2019, section 3.2): moves the source's features by the dense
 * motion, fades what is occluded, and decodes. Names are those of the published checkpoints.
 */
export function generate(
  scope: Scope,
  source: EncodedSource,
  kpSource: Keypoints,
  kpDriving: Keypoints,
  options: GeneratorOptions,
): Generation {
  const motion = scope.within('dense_motion_network', (inner) =>
    denseMotion(inner, source.small, kpSource, kpDriving, options.denseMotion),
  )
  const { alignCorners } = options.denseMotion
  const whole = deformed(source.picture, motion.deformation, alignCorners)
  const deepest = deformed(source.maps.get(options.downBlocks)!, motion.deformation, alignCorners)
  const shown =
    options.atRest === 'source' && motion.occlusionMap !== undefined
      ? settled(motion.occlusionMap, kpSource.value, kpDriving.value)
      : motion.occlusionMap
  const visible = occluded(deepest, shown, alignCorners)
  const made =
    options.kind === 'light'
      ? lightDecoder(
          scope,
          options.guided ? guided(scope, visible, motion.features) : visible,
          whole,
          options,
        )
      : decoder(scope, visible, source, { ...motion, occlusionMap: shown }, options)
  const prediction = options.skips === 'none' ? made : overlaid(whole, made, shown, alignCorners)
  return { ...motion, prediction, deformed: whole }
}

/** Mean squared movement of keypoints, in units of [-1, 1], at which half of what is occluded is painted. */
const halfMoved = 5e-5

/**
 * The occlusion map with 1 everywhere if no keypoint moves. A blink moves 4 of 20 keypoints by 0.03, which is a mean square
 * of 2e-4; the jitter of keypoints on a still picture is about 4e-6.
 *
 * @param occlusionMap [N, 1, h, w]
 * @param from [N, K, 2]
 * @param to [N, K, 2]
 */
function settled(occlusionMap: Value, from: Value, to: Value): Value {
  const n = from.shape[0]!
  const movement = reshape(reduceMean(reduceSum(square(sub(to, from)), [2]), [1]), [n, 1, 1, 1])
  return sub(1, mul(sub(1, occlusionMap), div(movement, add(movement, halfMoved))))
}

const widthAt = ({ maxFeatures, blockExpansion }: GeneratorOptions, scale: number) =>
  Math.min(maxFeatures, blockExpansion * 2 ** scale)

/** Whether the map after this number of halvings is carried over to the decoder. */
const carried = ({ skips }: GeneratorOptions, scale: number) =>
  skips === 'all' || (skips === 'coarse' && scale > 0)

function encoder(scope: Scope, source: Value, options: GeneratorOptions): Map<number, Value> {
  const { blockExpansion, downBlocks, kernel } = options
  const maps = new Map<number, Value>()
  let map = scope.within('first', (inner) => sameBlock(inner, source, blockExpansion, { kernel }))
  for (let scale = 0; scale <= downBlocks; scale++) {
    if (scale > 0) {
      const finer = map
      map = scope.within(`down_blocks.${scale - 1}`, (inner) =>
        downBlock(inner, finer, widthAt(options, scale)),
      )
    }
    if (scale === downBlocks || carried(options, scale)) maps.set(scale, map)
  }
  return maps
}

function decoder(
  scope: Scope,
  moved: Value,
  { picture, maps }: EncodedSource,
  { deformation, occlusionMap }: DenseMotion,
  options: GeneratorOptions,
): Value {
  const { downBlocks, kernel } = options
  const { alignCorners } = options.denseMotion
  let y = moved
  for (let i = 0; i < options.bottleneckBlocks; i++) {
    y = scope.within(`bottleneck.r${i}`, (inner) => residualBlock(inner, y))
  }
  for (let i = 0; i < downBlocks; i++) {
    const scale = downBlocks - 1 - i
    y = scope.within(`up_blocks.${i}`, (inner) => upBlock(inner, y, widthAt(options, scale)))
    if (!carried(options, scale)) continue
    y = overlaid(deformed(maps.get(scale)!, deformation, alignCorners), y, occlusionMap, alignCorners)
  }
  return sigmoid(conv2d(scope.child('final'), y, picture.shape[1]!, { kernel }))
}
