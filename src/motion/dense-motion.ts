// From the motions of keypoints to one motion for each pixel: FOMM's sparse motions, and its dense motion network.
import type { Value } from '../graph/graph.ts'
import { add, div, expand, mul, reduceMean, reduceSum, sub } from '../graph/ops/arithmetic.ts'
import { maximum } from '../graph/ops/compare.ts'
import { constant, like } from '../graph/ops/leaf.ts'
import { matmul, transposeLast } from '../graph/ops/linear.ts'
import { gridSample } from '../graph/ops/sampling.ts'
import { concat, reshape, sliceAxis, transpose } from '../graph/ops/shape.ts'
import { log, sigmoid, softmax, square, withoutTraces } from '../graph/ops/unary.ts'
import { floats } from '../graph/tensor.ts'
import { conv2d } from '../layers/conv2d.ts'
import { antiAlias, axisCoordinates, homogeneousGrid } from '../layers/fomm.ts'
import type { Scope } from '../layers/scope.ts'
import { type HourglassSize, hourglassFeatures } from '../zoo/hourglass.ts'
import { type Eye, type Gaze, gazeOf } from './gaze.ts'
import { fitted, inverse2x2, type Keypoints, kp2gaussian, product2x2 } from './keypoints.ts'
import {
  type MouthMotion,
  mouthMotion,
  type OpeningOptions,
  type Openings,
  openingsBetween,
  openingsOf,
  parted,
} from './openings.ts'

/** How dense motion is estimated. */
export interface DenseMotionOptions extends HourglassSize, OpeningOptions {
  /** Size of the picture that motion is estimated on over the source's, 1 / a whole number. */
  readonly scaleFactor: number
  /** Of the Gaussians around keypoints, in squared units of [-1, 1]; published: 0.01. */
  readonly kpVariance: number
  /** Side of the kernels that make mask and occlusion map, odd; published: 7. */
  readonly kernel: number
  /** Whether an occlusion map is estimated. */
  readonly occlusion: boolean
  /**
   * Whether a motion has more say near its keypoint before anything is learned (default: no, as published): see
   * `nearness`.
   */
  readonly prior?: boolean | undefined
  /**
   * With a prior: number of keypoints, from the first one, that move only what is next to them, such as keypoints of lids and
   * lips (default 0).
   */
  readonly localKeypoints?: number | undefined
  /**
   * Whether a motion of its own is added at each pixel, which no keypoint has (default: no). A new model begins without it,
   * and where no keypoint moves there is none.
   */
  readonly residual?: boolean | undefined
  /**
   * With a prior: whether a motion prevails at its keypoint itself, however near others are (default: no). Without it, a brow
   * between other keypoints moves half as far as its own keypoint.
   */
  readonly peaked?: boolean | undefined
  /**
   * Number of keypoints, from the first one, that turn and stretch as their places do, and not as jacobians say (default 0): see
   * `fitted`.
   */
  readonly fittedKeypoints?: number | undefined
  /**
   * Channels that Gaussians and moved pictures are mixed to, pixel by pixel, before the network sees them (default: none, as
   * published). Pictures that are moved by 34 similar motions are much alike: 32 mixtures hold what 136 channels hold.
   */
  readonly mixed?: number | undefined
  /** Mixtures of red, green and blue that moved pictures have (default: the three as they are, as published). */
  readonly colours?: number | undefined
  /** Eyes whose irises move by themselves (default none): see `gazeOf`. */
  readonly eyes?: readonly Eye[] | undefined
  /** How sampling coordinates are read: see gridSample. The published weights were trained without. */
  readonly alignCorners: boolean
}

export interface DenseMotion {
  /** Share of each motion at each pixel, [N, K + 1, h, w], the background first. */
  readonly mask: Value
  /** Where each pixel comes from in the source, [N, h, w, 2], (x, y) in [-1, 1]. */
  readonly deformation: Value
  /** 1 where the source shows what is needed, 0 where it must be made up, [N, 1, h, w]. */
  readonly occlusionMap: Value | undefined
  /** The source, in its colours or in `colours` mixtures of them, moved by each motion alone, [N, K + 1, C, h, w]. */
  readonly sparseDeformed: Value
  /** How pixels between the edges of openings move, to be said for more pixels than the deformation has. */
  readonly openings: Openings | undefined
  /** How the mouth moves, if it is known which keypoints are its. */
  readonly mouth: MouthMotion | undefined
  /** How eyes look about, if it is known which keypoints are theirs. */
  readonly gaze: Gaze | undefined
  /**
   * What mask and occlusion map are made of, [N, C, h, w], in the driving picture's places: `blockExpansion` channels of the
   * hourglass, then what it sees.
   */
  readonly features: Value
}

/**
 * The source at the size that motion is estimated on: the same for all frames that it is driven by.
 *
 * @param source [N, 3, H, W] in [0, 1]
 */
export function motionPicture(scope: Scope, source: Value, scaleFactor: number): Value {
  return antiAlias(scope.child('down'), source, scaleFactor)
}

/**
 * Dense motion network (Siarohin et al. 2019, section 3.1, equations 5 to 8): from K local motions to one
 * for each pixel. It sees, for every motion, where its keypoint goes from and to and the source moved by it.
 *
 * @param small the source as `motionPicture` scales it, [N, 3, h, w]
 * @throws InputError if the scaled picture does not fit the hourglass.
 */
export function denseMotion(
  scope: Scope,
  small: Value,
  allSource: Keypoints,
  allDriving: Keypoints,
  options: DenseMotionOptions,
): DenseMotion {
  const { kpVariance, kernel, alignCorners, mixed, colours, eyes = [] } = options
  const irises = eyes.map(({ iris }) => iris)
  const [kpSource, kpDriving] = [without(allSource, irises), without(allDriving, irises)]
  const seenColours =
    colours === undefined ? small : conv2d(scope.child('colours'), small, colours, { kernel: 1, bias: false })
  const [n, c, h, w] = seenColours.shape as [number, number, number, number]
  const motions = affineMotions(kpSource, kpDriving, options.fittedKeypoints)
  const k = motions.shape[1]!
  const sparseDeformed = sparseDeformations(seenColours, motions, alignCorners)

  const heat = sub(
    kp2gaussian(kpDriving.value, [h, w], kpVariance),
    kp2gaussian(kpSource.value, [h, w], kpVariance),
  )
  const background = like(sliceAxis(heat, 1, 0, 1), 0)
  const heatmaps = reshape(concat([background, heat], 1), [n, k, 1, h, w])
  const all = reshape(concat([heatmaps, sparseDeformed], 2), [n, k * (c + 1), h, w])
  const seen = mixed === undefined ? all : conv2d(scope.child('mix'), all, mixed, { kernel: 1, bias: false })

  const features = scope.within('hourglass', (inner) => hourglassFeatures(inner, seen, options))
  const said = conv2d(scope.child('mask'), features, k, { kernel })
  const free = options.prior
    ? withoutTraces(softmax(add(said, nearness(scope.child('prior'), kpDriving.value, [h, w], options)), 1))
    : softmax(said, 1)
  const openings = openingsBetween(kpSource, kpDriving, options)
  const mask = parted(free, openings)
  const occlusionMap = options.occlusion
    ? sigmoid(conv2d(scope.child('occlusion'), features, 1, { kernel }))
    : undefined
  const mean = meanDeformation(mask, motions)
  const deformation = options.residual
    ? add(mean, mul(residual(scope.child('residual'), features, kernel), liveliness(kpSource, kpDriving)))
    : mean
  return {
    ...{ mask, deformation, occlusionMap, sparseDeformed, features },
    openings: openingsOf({ mask, motions, deformation }, openings),
    mouth: options.mouth && mouthMotion(kpSource, kpDriving, options.mouth),
    gaze: eyes.length > 0 ? gazeOf(allSource, allDriving, eyes) : undefined,
  }
}

/** Keypoints but for some, by their numbers. */
function without({ value, jacobian }: Keypoints, numbers: readonly number[]): Keypoints {
  if (numbers.length === 0) return { value, jacobian }
  const ends = [...numbers].sort((a, b) => a - b)
  const starts = [0, ...ends.map((end) => end + 1)]
  const kept = (all: Value) =>
    concat(
      starts.flatMap((start, i) => {
        const end = ends[i] ?? all.shape[1]!
        return end > start ? [sliceAxis(all, 1, start, end)] : []
      }),
      1,
    )
  return { value: kept(value), jacobian: jacobian && kept(jacobian) }
}

/** What a convolution sees in the features, as a shift of each pixel [N, h, w, 2]. Its gain starts at 0. */
function residual(scope: Scope, features: Value, kernel: number): Value {
  const gain = scope.weight('gain', [2], { kind: 'fill', value: 0 })
  const seen = conv2d(scope.child('conv'), features, 2, { kernel })
  return transpose(mul(seen, reshape(gain, [1, 2, 1, 1])), [0, 2, 3, 1])
}

/** Mean squared movement of keypoints, in units of [-1, 1], at which `liveliness` is a half. */
const halfMoved = 5e-5

/**
 * How much moves between two frames: 0 if no keypoint does, near 1 for a movement that is seen. A blink moves 4 of 20
 * keypoints by 0.03, which is a mean square of 2e-4; the jitter of keypoints on a still picture is about 4e-6.
 *
 * @returns [N, 1, 1, 1]
 */
export function liveliness({ value: from }: Keypoints, { value: to }: Keypoints): Value {
  const n = from.shape[0]!
  const movement = reshape(reduceMean(reduceSum(square(sub(to, from)), [2]), [1]), [n, 1, 1, 1])
  return div(movement, add(movement, halfMoved))
}

/** Where the prior starts: its slope for each squared unit of distance, and the distance at which the background prevails. */
const priorStart = { slope: 25, reach: 0.45 }
/** The same for local keypoints. The lids of an eye are 0.05 to 0.1 apart. At its place, a local keypoint outweighs 20 others. */
const localStart = { slope: 400, gain: 3 }
/**
 * A peak on top: a power of the squared distance, which is added to `core` and divided by `edge`. Shares that fall by a
 * power of the distance interpolate: at its keypoint a motion has nearly all (Shepard 1968, "A two-dimensional interpolation
 * function for irregularly-spaced data").
 */
const peak = { local: 2, other: 1, core: 4e-4, edge: 0.01 }
/** Nothing has less to say: its share is 1e-12 at most, and softmax makes no traces (see withoutTraces). */
const leastNearness = -30

/**
 * What each motion has to say at a pixel by its nearness alone, before softmax: -slope times the squared distance of its
 * keypoint, and for the background a constant. A local keypoint has a steep slope, and a gain over the others. All these
 * numbers are trained. With equal keypoints' motions this is
 * interpolation by radial functions, so that a new model already moves lids and lips with their keypoints.
 *
 * @param value keypoints of the driving frame, [N, K, 2]
 * @returns [N, K + 1, h, w], the background first
 */
function nearness(
  scope: Scope,
  value: Value,
  [h, w]: readonly [number, number],
  { localKeypoints: local = 0, peaked = false }: Pick<DenseMotionOptions, 'localKeypoints' | 'peaked'>,
): Value {
  const [n, k] = value.shape as [number, number]
  const { slope: start, reach } = priorStart
  const slope = scope.weight('slope', [k], { kind: 'fill', value: 1 })
  const level = scope.weight('background', [1], { kind: 'fill', value: 1 })
  const squared = (axis: 0 | 1, size: number, shape: readonly number[]) => {
    const pixels = constant(value.graph, floats(axisCoordinates(size), [1, 1, size]))
    return reshape(square(sub(pixels, sliceAxis(value, 2, axis, axis + 1))), shape)
  }
  const distance = add(squared(1, h, [n, k, h, 1]), squared(0, w, [n, k, 1, w]))
  const perKeypoint = (near: number, other: number) =>
    constant(
      value.graph,
      floats(
        Array.from({ length: k }, (_, i) => (i < local ? near : other)),
        [k],
      ),
    )
  const slopes = local > 0 ? mul(slope, perKeypoint(-localStart.slope, -start)) : mul(slope, -start)
  const sloping = mul(distance, reshape(slopes, [1, k, 1, 1]))
  const falling = peaked
    ? sub(
        sloping,
        mul(
          log(mul(add(distance, peak.core), 1 / peak.edge)),
          reshape(perKeypoint(peak.local, peak.other), [1, k, 1, 1]),
        ),
      )
    : sloping
  const near =
    local > 0
      ? add(
          falling,
          reshape(
            add(scope.weight('gain', [k], { kind: 'fill', value: 0 }), perKeypoint(localStart.gain, 0)),
            [1, k, 1, 1],
          ),
        )
      : falling
  const background = mul(reshape(level, [1, 1, 1, 1]), -start * reach ** 2)
  return concat([expand(background, [n, 1, h, w]), maximum(near, leastNearness)], 1)
}

/**
 * The K + 1 motions of a frame pair, each an affine map from the driving picture's coordinates to the
 * source's (Siarohin et al. 2019, equation 4): around each keypoint, and the identity for the background.
 *
 * Row vectors (x, y, 1) times a 3x2 matrix give the point: rows 0 and 1 are the transposed linear part
 * J = J_source J_driving⁻¹, row 2 is the shift value_source - J value_driving.
 *
 * @param count this many keypoints, the first ones, have a J that is fitted to their places: see `fitted`
 * @returns [N, K + 1, 3, 2], the background first
 */
export function affineMotions(source: Keypoints, driving: Keypoints, count = 0): Value {
  const [n, k] = source.value.shape as [number, number]
  const { graph } = source.value
  const identity = constant(graph, floats([1, 0, 0, 1], [1, 1, 2, 2]))
  const background = constant(graph, floats([1, 0, 0, 1, 0, 0], [1, 1, 3, 2]))
  const linear =
    source.jacobian === undefined || driving.jacobian === undefined
      ? expand(identity, [n, k, 2, 2])
      : fitted(source.value, driving.value, product2x2(source.jacobian, inverse2x2(driving.jacobian)), count)
  const turned = transposeLast(linear)
  const rows = (value: Value) => reshape(value, [n, k, 1, 2])
  const shift = sub(rows(source.value), matmul(rows(driving.value), turned))
  return concat([expand(background, [n, 1, 3, 2]), concat([turned, shift], 2)], 1)
}

/**
 * The source picture moved by each motion (equation 7). The K + 1 results are one tall sample of the one
 * source, so the picture is not copied K + 1 times.
 *
 * @param source [N, C, h, w]
 * @param motions [N, K + 1, 3, 2]
 * @returns [N, K + 1, C, h, w]
 */
export function sparseDeformations(source: Value, motions: Value, alignCorners: boolean): Value {
  const [n, c, h, w] = source.shape as [number, number, number, number]
  const k = motions.shape[1]!
  const points = matmul(homogeneousGrid(source.graph, [h, w]), motions)
  const tall = gridSample(source, reshape(points, [n, k * h, w, 2]), { alignCorners })
  return transpose(reshape(tall, [n, c, k, h, w]), [0, 2, 1, 3, 4])
}

/**
 * The dense motion: at each pixel the mean of the motions under the mask. Motions are linear in the
 * coordinates, so their matrices are averaged, and each pixel is mapped once instead of K + 1 times.
 *
 * @param mask [N, K + 1, h, w], of sum 1 at each pixel
 * @param motions [N, K + 1, 3, 2]
 * @returns [N, h, w, 2], in [-1, 1]
 */
export function meanDeformation(mask: Value, motions: Value): Value {
  const [n, k, h, w] = mask.shape as [number, number, number, number]
  // Pixels last: sums over few numbers that lie side by side are slow.
  const byNumber = transposeLast(reshape(motions, [n, k, 6]))
  const matrices = reshape(matmul(byNumber, reshape(mask, [n, k, h * w])), [n, 3, 2, h * w])
  const points = transposeLast(reshape(homogeneousGrid(mask.graph, [h, w]), [1, 1, h * w, 3]))
  const moved = reduceSum(mul(matrices, reshape(points, [1, 3, 1, h * w])), [1])
  return reshape(transposeLast(moved), [n, h, w, 2])
}
