// The generator of the First Order Motion Model: moves the source's features by the motion, and paints the frame.
import type { Value } from '../graph/graph.ts'
import { add, mul, neg, reduceSum, sub } from '../graph/ops/arithmetic.ts'
import { maximum, minimum } from '../graph/ops/compare.ts'
import { conv } from '../graph/ops/conv.ts'
import { constant, like } from '../graph/ops/leaf.ts'
import { averagePool, resize } from '../graph/ops/pool.ts'
import { gridSample } from '../graph/ops/sampling.ts'
import { concat, reshape, sliceAxis, transpose } from '../graph/ops/shape.ts'
import { floor, sigmoid } from '../graph/ops/unary.ts'
import { floats } from '../graph/tensor.ts'
import { conv2d } from '../layers/conv2d.ts'
import { downBlock, residualBlock, sameBlock, timesSmaller, upBlock } from '../layers/fomm.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize } from '../zoo/net.ts'
import {
  type DenseMotion,
  type DenseMotionOptions,
  denseMotion,
  liveliness,
  motionPicture,
} from './dense-motion.ts'
import type { Keypoints } from './keypoints.ts'
import { guided, lightDecoder, lightEncoder } from './light-generator.ts'
import { type Openings, withMouth } from './openings.ts'

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
  /**
   * How the source is read between its pixels: `bilinear` (default, as published), which blurs and finds zeros beyond the
   * picture, or `cubic`, which keeps brightness sharp and finds the nearest pixel of the edge: see `sharplyDeformed`.
   */
  readonly sampling?: 'bilinear' | 'cubic' | undefined
  readonly denseMotion: DenseMotionOptions
}

/** What is painted in a step of training, instead of the whole frame at its own size. */
export interface Painting {
  /** Pictures are painted this many times smaller, a power of 2 (default 1). Motion is estimated as ever. */
  readonly reduction?: number
  /** A square of each picture that is painted alone, where the source is still read from everywhere. */
  readonly patch?: Patch
  /** Whether dense motion is left as it is, with its running statistics (default: no). */
  readonly motionRests?: boolean
}

/** A square of each picture of a batch. */
export interface Patch {
  /** Its side over the picture's: 1 over a power of 2. */
  readonly part: number
  /** Place of its first pixel, (x, y) as parts of the picture's side, [N, 2]: multiples of the coarsest map's pixel. */
  readonly corner: Value
}

/** What depends on the source alone. It is computed once for all frames that drive the source. */
export interface EncodedSource {
  /** [N, 3, H, W] in [0, 1] */
  readonly picture: Value
  /** The picture that motion is estimated on, [N, 3, h, w]; `picture` itself if it is not scaled. */
  readonly small: Value
  /** For `cubic` sampling, second differences of the picture's brightness along x and y, [N, 2, H, W]. */
  readonly curvature?: Value | undefined
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
export function encodeSource(
  scope: Scope,
  source: Value,
  options: GeneratorOptions,
  { reduction = 1 }: Painting = {},
): EncodedSource {
  const { scaleFactor, blocks } = options.denseMotion
  checkSize('the generator', source, 2 ** blocks, timesSmaller(scaleFactor))
  const picture = reduced(source, reduction)
  checkSize('the generator', picture, 2 ** options.downBlocks)
  const small = scope.within('dense_motion_network', (inner) => motionPicture(inner, source, scaleFactor))
  const maps =
    options.kind === 'light'
      ? new Map([[options.downBlocks, lightEncoder(scope, picture, options)]])
      : encoder(scope, picture, options)
  return { picture, small, maps, ...(options.sampling === 'cubic' && { curvature: curvatureOf(picture) }) }
}

/** Pictures [N, C, H, W] as many times smaller: the mean of each square. */
export const reduced = (pictures: Value, times: number): Value =>
  times === 1 ? pictures : averagePool(pictures, [times, times])

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
  { patch, motionRests = false }: Painting = {},
): Generation {
  const motion = scope.within('dense_motion_network', (inner) =>
    denseMotion(
      motionRests ? inner.inEvaluation() : inner,
      ...([source.small, kpSource, kpDriving, options.denseMotion] as const),
    ),
  )
  const how: Reading = { alignCorners: options.denseMotion.alignCorners, patch }
  const whole = sharplyDeformed(source, motion, how)
  const shown =
    options.atRest === 'source' && motion.occlusionMap !== undefined
      ? // 1 everywhere if no keypoint moves.
        sub(1, mul(sub(1, motion.occlusionMap), liveliness(kpSource, kpDriving)))
      : motion.occlusionMap
  const visible = occluded(
    deformed(source.maps.get(options.downBlocks)!, motion.deformation, how),
    shown,
    how,
  )
  const made =
    options.kind === 'light'
      ? lightDecoder(
          scope,
          options.guided ? guided(scope, visible, seenIn(patch, motion.features)) : visible,
          whole,
          options,
        )
      : decoder(scope, visible, source, { ...motion, occlusionMap: shown }, { ...options, how })
  const mixed = options.skips === 'none' ? made : overlaid(whole, made, shown, how)
  const { mouth } = options.denseMotion
  const prediction =
    mouth === undefined || motion.mouth === undefined
      ? mixed
      : withMouth(scope, mixed, {
          ...{ picture: source.picture, kpSource, mouth, open: motion.mouth.open },
          shown: seenIn(patch, motion.mouth.shown(sizeOfMap(source.picture))),
          // What is behind lips is soft, and reading it for each pixel would take a tenth of the time.
          places: seenIn(patch, motion.mouth.places(halved(sizeOfMap(source.picture)))),
        })
  return { ...motion, prediction, deformed: whole }
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
  { how, ...options }: GeneratorOptions & { readonly how: Reading },
): Value {
  const { downBlocks, kernel } = options
  let y = moved
  for (let i = 0; i < options.bottleneckBlocks; i++) {
    y = scope.within(`bottleneck.r${i}`, (inner) => residualBlock(inner, y))
  }
  for (let i = 0; i < downBlocks; i++) {
    const scale = downBlocks - 1 - i
    y = scope.within(`up_blocks.${i}`, (inner) => upBlock(inner, y, widthAt(options, scale)))
    if (!carried(options, scale)) continue
    y = overlaid(deformed(maps.get(scale)!, deformation, how), y, occlusionMap, how)
  }
  return sigmoid(conv2d(scope.child('final'), y, picture.shape[1]!, { kernel }))
}

const halved = ([h, w]: readonly [number, number]) => [Math.ceil(h / 2), Math.ceil(w / 2)] as const

const sizeOfMap = (x: Value) => x.shape.slice(2) as [number, number]

/** How maps of one size are read for another: by which convention, and in which square. */
export interface Reading {
  readonly alignCorners: boolean
  readonly patch?: Patch | undefined
}

/**
 * Deformations and occlusion maps are resized by the convention that coordinates are read by, `alignCorners`: a
 * deformation that moves nothing then moves nothing after resizing too. The published model reads coordinates without
 * it. A still picture is then not sampled at its own pixels even at one size, since keypoints put -1 at the first
 * pixel's centre and sampling puts it at the pixel's edge.
 */
const resized = (x: Value, size: readonly [number, number], { alignCorners, patch }: Reading) => {
  const scaled = (to: readonly [number, number]) =>
    resize(x, to, alignCorners ? 'bilinear-corners' : 'bilinear')
  if (patch === undefined) return scaled(size)
  // With corners aligned, coordinates mean the same at every size, so that the map need not be enlarged first.
  return alignCorners ? readAt(x, patchGrid(patch, size)) : seenIn(patch, scaled(wholeOf(patch, size)))
}

const readAt = (x: Value, grid: Value) => gridSample(x, grid, { alignCorners: true })

const wholeOf = ({ part }: Patch, [h, w]: readonly [number, number]) => [h / part, w / part] as const

/** The part of maps [N, C, h, w] that is in the patch, or all of them without one. */
export function seenIn(patch: Patch | undefined, x: Value): Value {
  if (patch === undefined) return x
  const [h, w] = sizeOfMap(x)
  return readAt(x, patchGrid(patch, [h * patch.part, w * patch.part]))
}

/**
 * Where the pixels of a patch stand in the whole map, by its outer pixels at -1 and 1.
 *
 * @param size of the patch's map: height and width
 * @returns [N, h, w, 2]
 */
function patchGrid(patch: Patch, [h, w]: readonly [number, number]): Value {
  const { graph } = patch.corner
  const [height, width] = wholeOf(patch, [h, w])
  const n = patch.corner.shape[0]!
  const inner = new Float32Array(h * w * 2)
  for (let i = 0; i < h * w; i++) {
    inner[2 * i] = ((i % w) * 2) / (width - 1) - 1
    inner[2 * i + 1] = (Math.floor(i / w) * 2) / (height - 1) - 1
  }
  const steps = constant(graph, floats([(2 * width) / (width - 1), (2 * height) / (height - 1)], [1, 2]))
  const shift = reshape(mul(patch.corner, steps), [n, 1, 1, 2])
  return add(constant(graph, floats(inner, [1, h, w, 2])), shift)
}

/**
 * A map whose every pixel is read where the deformation says.
 *
 * @param x [N, C, H, W]
 * @param deformation [N, h, w, 2], (x, y) in [-1, 1]; resized bilinearly if h, w are not H, W
 * @returns [N, C, H, W], or of the patch; zeros where the deformation points out of the picture
 */
export function deformed(x: Value, deformation: Value, how: Reading): Value {
  const [h, w] = sizeOfMap(x)
  const { alignCorners, patch } = how
  if (patch === undefined && deformation.shape[1] === h && deformation.shape[2] === w) {
    return gridSample(x, deformation, { alignCorners })
  }
  return gridSample(x, transpose(planesFor(x, deformation, how), [0, 2, 3, 1]), { alignCorners })
}

/** Motion about openings as planes [N, 2, H, W] for each pixel of a map [N, C, H, W], or of the patch. */
function opened(x: Value, { before, step, behind }: Openings, how: Reading): Value {
  const [h, w] = sizeOfMap(x)
  const part = how.patch?.part ?? 1
  const smooth = resized(concat([before, step], 1), [h * part, w * part], how)
  const shares = seenIn(how.patch, behind([h, w]))
  let planes = sliceAxis(smooth, 1, 0, 2)
  for (let i = 0; i < shares.shape[1]!; i++) {
    const added = sliceAxis(smooth, 1, 2 * i + 2, 2 * i + 4)
    planes = add(planes, mul(added, sliceAxis(shares, 1, i, i + 1)))
  }
  return planes
}

/** A deformation [N, h, w, 2] as planes [N, 2, H, W] for each pixel of a map [N, C, H, W], or of the patch. */
function planesFor(x: Value, deformation: Value, how: Reading): Value {
  const [h, w] = sizeOfMap(x)
  const part = how.patch?.part ?? 1
  return resized(transpose(deformation, [0, 3, 1, 2]), [h * part, w * part], how)
}

/** Weights of red, green and blue in brightness (ITU-R BT.601). */
const brightness = [0.299, 0.587, 0.114]

/** Second differences of the brightness of pictures [N, 3, H, W] along x and y, [N, 2, H, W]; 0 at the border. */
function curvatureOf(picture: Value): Value {
  const grey = conv(picture, constant(picture.graph, floats(brightness, [1, 3, 1, 1])), undefined)
  const along = (axis: 2 | 3) => {
    const size = grey.shape[axis]!
    const from = (start: number) => sliceAxis(grey, axis, start, start + size - 2)
    const border = like(sliceAxis(grey, axis, 0, 1), 0)
    return concat([border, sub(add(from(0), from(2)), mul(from(1), 2)), border], axis)
  }
  return concat([along(3), along(2)], 1)
}

/**
 * How much of the second difference is taken away. 0.5 makes up for the reading alone, as Catmull-Rom's cubic does (Keys 1981,
 * "Cubic convolution interpolation", a = -1/2), and more for some of what motion blurs besides. On strangers' faces, moved
 * places have 0.89 of the true frames' gradients without it, 0.93 with 0.5 and 0.95 with 0.83, for 0.07 and 0.14 dB of PSNR.
 */
const sharpness = 0.83

/**
 * The source's picture, moved. Between two pixels bilinear reading takes their mean, which loses fine detail. With the source's
 * curvature, `sharpness` f (1 - f) times the second difference is taken away along each axis, at each distance f from a pixel.
 * It is done for brightness alone, where detail is. At a pixel itself nothing changes. Beyond the picture, its edge is read.
 *
 * @returns [N, 3, H, W], or of the patch
 */
function sharplyDeformed({ picture, curvature }: EncodedSource, motion: DenseMotion, how: Reading): Value {
  const { deformation, openings, gaze } = motion
  if (curvature === undefined && openings === undefined && gaze === undefined)
    return deformed(picture, deformation, how)
  const [h, w] = sizeOfMap(picture)
  const parts = openings === undefined ? planesFor(picture, deformation, how) : opened(picture, openings, how)
  const free = gaze?.look(parts, [h, w], (map) => seenIn(how.patch, map)) ?? parts
  // Beyond the picture its edge goes on. Zeros would show as black holes in shoulders that rise.
  const last = how.alignCorners ? [1, 1] : [1 - 1 / w, 1 - 1 / h]
  const edge = constant(picture.graph, floats(last, [1, 2, 1, 1]))
  const planes = minimum(maximum(free, neg(edge)), edge)
  const grid = transpose(planes, [0, 2, 3, 1])
  if (curvature === undefined) return gridSample(picture, grid, { alignCorners: how.alignCorners })
  const read = gridSample(concat([picture, curvature], 1), grid, { alignCorners: how.alignCorners })
  const sizes = constant(picture.graph, floats([w, h], [1, 2, 1, 1]))
  const at = mul(add(planes, 1), mul(how.alignCorners ? sub(sizes, 1) : sizes, 0.5))
  // Without aligned corners a pixel's centre is half a pixel from its edge, where coordinates begin.
  const places = how.alignCorners ? at : sub(at, 0.5)
  const fraction = sub(places, floor(places))
  const lost = mul(mul(fraction, sub(1, fraction)), sliceAxis(read, 1, 3, 5))
  return sub(sliceAxis(read, 1, 0, 3), mul(reduceSum(lost, [1], { keep: true }), sharpness))
}

/** x where the occlusion map [N, 1, h, w] is 1, zeros where it is 0; without a map, x. */
export function occluded(x: Value, occlusionMap: Value | undefined, how: Reading): Value {
  return occlusionMap === undefined ? x : mul(x, resized(occlusionMap, sizeOfMap(x), how))
}

/**
 * `moved` where the occlusion map is 1, `made` where it is 0; without a map, their mean.
 *
 * @param moved [N, C, H, W]
 * @param made [N, C, H, W]
 */
export function overlaid(moved: Value, made: Value, occlusionMap: Value | undefined, how: Reading): Value {
  const visible = occlusionMap === undefined ? 0.5 : resized(occlusionMap, sizeOfMap(moved), how)
  return add(made, mul(sub(moved, made), visible))
}
