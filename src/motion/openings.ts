// Openings of a face: eyes and mouth. Motion has a step there, which no mean of motions near keypoints has. What is beyond an edge
// moves with it, what is between two edges is stretched or pressed together, and what a mouth newly shows is painted.
import type { Value } from '../graph/graph.ts'
import { add, div, mul, reduceMean, reduceSum, sub } from '../graph/ops/arithmetic.ts'
import { clip, maximum, minimum } from '../graph/ops/compare.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul, transposeLast } from '../graph/ops/linear.ts'
import { resize } from '../graph/ops/pool.ts'
import { gridSample } from '../graph/ops/sampling.ts'
import { concat, reshape, sliceAxis, transpose } from '../graph/ops/shape.ts'
import { abs, sqrt, square } from '../graph/ops/unary.ts'
import { floats } from '../graph/tensor.ts'
import { axisCoordinates, homogeneousGrid } from '../layers/fomm.ts'
import type { Scope } from '../layers/scope.ts'
import { InputError } from '../util/errors.ts'
import type { Keypoints } from './keypoints.ts'

/** Two keypoints, by their numbers. */
export type Pair = readonly [one: number, other: number]

/** Keypoints of a mouth, by their numbers: at its corners, and at the edges of upper and lower lip in its middle. */
export interface Mouth {
  /** Left and right on the picture. */
  readonly corners: Pair
  /** Where the lips meet: of the upper lip, of the lower lip. */
  readonly inner: Pair
  /** Where the lips end. */
  readonly outer: Pair
}

/** Which keypoints are edges of openings. */
export interface OpeningOptions {
  /**
   * Pairs of keypoints that are the two edges of an opening, such as the lids of an eye (default none). What is beyond an edge
   * moves with it, and what is between them is stretched or pressed together.
   */
  readonly openings?: readonly Pair[] | undefined
  /** The mouth, which is an opening with bowed edges (default none). What it newly shows is painted. */
  readonly mouth?: Mouth | undefined
}

/** Height and width of a map. */
export type Size = readonly [height: number, width: number]

/** Pairs of keypoints that are on the two sides of one opening. */
interface Opening {
  readonly pairs: readonly Pair[]
  /** How far each pixel of a map is from the one edge (0) to the other (1), [N, 1, H, W]. */
  behind(size: Size): Value
  /** Divides shares of the mask otherwise before its pairs are, if given. */
  gather?(shares: Value[], size: Size): void
}

/** Refuses numbers of keypoints that a model does not have. @throws InputError */
export function assertKeypoints(named: readonly number[], keypoints: number, where: string): void {
  const stranger = named.find((one) => one >= keypoints)
  if (stranger === undefined) return
  throw new InputError({
    what: 'a part of a face has a point that is no keypoint',
    where,
    got: `keypoint ${stranger}`,
    expected: `a number from 0 to ${keypoints - 1}`,
    remedy: 'name keypoints of the model',
  })
}

/** The openings of a frame pair. @throws InputError if an edge is no keypoint. */
export function openingsBetween(
  { value: source }: Keypoints,
  { value: driving }: Keypoints,
  { openings = [], mouth }: OpeningOptions,
): Opening[] {
  const named = [...openings.flat(), ...(mouth ? [...mouth.corners, ...mouth.inner, ...mouth.outer] : [])]
  assertKeypoints(named, driving.shape[1]!, 'denseMotion.openings or denseMotion.mouth')
  const lips = mouth && mouthFrame(driving, mouth)
  return [
    ...openings.map((pair) => ({
      pairs: [pair],
      behind: (size: Size) => behindOpening(source, driving, pair, size),
    })),
    ...(mouth && lips
      ? [
          {
            pairs: [mouth.inner, mouth.outer],
            behind: (size: Size) => behindLips(lips, size),
            gather: (shares: Value[], size: Size) => bow(shares, mouth, lips, size),
          },
        ]
      : []),
  ]
}

/**
 * The mask, in which the shares of each pair are divided by place. Their sum is kept. Along the direction from one edge to
 * the other, the one edge's motion has all of it before the opening, the other's has all behind it, and between them the part changes
 * evenly. So a driving opening of no height shows nothing of what is between the source's edges. By nearness alone, two
 * keypoints that meet would have one half each, and an eye would sink instead of closing.
 *
 * @param mask [N, K + 1, h, w], the background first
 */
export function parted(mask: Value, openings: readonly Opening[]): Value {
  if (openings.length === 0) return mask
  const shares = Array.from({ length: mask.shape[1]! }, (_, i) => sliceAxis(mask, 1, i, i + 1))
  const size = mask.shape.slice(2) as [number, number]
  for (const { pairs, behind, gather } of openings) {
    gather?.(shares, size)
    const place = behind(size)
    for (const [one, other] of pairs) {
      const sum = add(shares[one + 1]!, shares[other + 1]!)
      shares[other + 1] = mul(sum, place)
      shares[one + 1] = sub(sum, shares[other + 1]!)
    }
  }
  return concat(shares, 1)
}

/**
 * Motion about openings. A lid is a line, and a deformation of 64 pixels a side has no line: so the deformation is kept without
 * the step from edge to edge, and the step is made for each pixel of the picture.
 */
export interface Openings {
  /** The deformation if all moved with the one edges, [N, 2, h, w], planes of x and y. */
  readonly before: Value
  /** What is added behind the other edges, for each opening, [N, 2 P, h, w]. */
  readonly step: Value
  /** How far each pixel of a map of this height and width is from edge to edge, 0 to 1, [N, P, H, W]. */
  behind(size: Size): Value
}

/** Takes the steps out of a deformation whose mask is parted. Undefined without openings. */
export function openingsOf(
  { mask, motions, deformation }: Readonly<Record<'mask' | 'motions' | 'deformation', Value>>,
  openings: readonly Opening[],
): Openings | undefined {
  if (openings.length === 0) return undefined
  const [n, , h, w] = mask.shape as [number, number, number, number]
  const motion = (k: number) => reshape(sliceAxis(motions, 1, k + 1, k + 2), [n, 3, 2])
  const share = (k: number) => sliceAxis(mask, 1, k + 1, k + 2)
  const points = reshape(homogeneousGrid(mask.graph, [h, w]), [1, h * w, 3])
  let before = transpose(deformation, [0, 3, 1, 2])
  const steps = openings.map(({ pairs, behind }) => {
    const parts = pairs.map(([one, other]) => {
      const apart = transposeLast(matmul(points, sub(motion(other), motion(one))))
      return mul(reshape(apart, [n, 2, h, w]), add(share(one), share(other)))
    })
    const step = parts.reduce((sum, part) => add(sum, part))
    before = sub(before, mul(step, behind([h, w])))
    return step
  })
  const behind = (size: Size) =>
    concat(
      openings.map((one) => one.behind(size)),
      1,
    )
  return { before, step: concat(steps, 1), behind }
}

/** Least height of an opening, in units of [-1, 1] times the map's width in pixels: 0.6 pixels. */
const leastOpening = 1.2

/** One coordinate of a keypoint, [N, 1, 1, 1]. */
export const middleOf = (value: Value, k: number, axis: 0 | 1): Value =>
  reshape(sliceAxis(sliceAxis(value, 1, k, k + 1), 2, axis, axis + 1), [value.shape[0]!, 1, 1, 1])

/** Coordinates of a map's pixels: x [1, 1, 1, W] and y [1, 1, H, 1]. */
export const pixelsOf = (graph: Value['graph'], [h, w]: Size): { readonly x: Value; readonly y: Value } => ({
  x: constant(graph, floats(axisCoordinates(w), [1, 1, 1, w])),
  y: constant(graph, floats(axisCoordinates(h), [1, 1, h, 1])),
})

/** How far each pixel [N, 1, h, w] is from the one edge of an opening (0) to the other (1). */
function behindOpening(source: Value, driving: Value, [one, other]: Pair, size: Size): Value {
  const n = driving.shape[0]!
  const at = (value: Value, k: number) => sliceAxis(value, 1, k, k + 1)
  const [from, to] = [at(driving, one), at(driving, other)]
  const apart = sub(to, from)
  // Edges that meet have no direction. The source's, which is open then, is about the same.
  const along = add(apart, sub(at(source, other), at(source, one)))
  const direction = div(along, sqrt(add(reduceSum(square(along), [2], { keep: true }), 1e-8)))
  const sum = (x: Value) => reshape(reduceSum(x, [2]), [n, 1, 1, 1])
  const opening = maximum(sum(mul(apart, direction)), leastOpening / size[1])
  const pixels = pixelsOf(driving.graph, size)
  const axis = (index: 0 | 1) => reshape(sliceAxis(direction, 2, index, index + 1), [n, 1, 1, 1])
  const middle = sum(mul(mul(add(from, to), 0.5), direction))
  const place = sub(add(mul(pixels.x, axis(0)), mul(pixels.y, axis(1))), middle)
  return clip(add(div(place, opening), 0.5), 0, 1)
}

/** A slit, such as a mouth, in coordinates of its own: along the line through its corners from the middle between them, and down from it. */
export interface SlitFrame {
  /** From the middle to a corner, [N, 1, 1, 1]. */
  readonly half: Value
  /** Where the edges are below the line, in the middle. */
  readonly upper: Value
  readonly lower: Value
  /** Coordinates of points of the picture. */
  along(x: Value, y: Value): Value
  down(x: Value, y: Value): Value
  /** The point of the picture, [N, 2, ...], at coordinates. */
  place(along: Value, down: Value): Value
}

/** The frame of a slit with these corners, left and right on the picture, and edges. */
export function slitFrame(value: Value, [left, right]: Pair, [upper, lower]: Pair): SlitFrame {
  const x = (k: number) => middleOf(value, k, 0)
  const y = (k: number) => middleOf(value, k, 1)
  const [middleX, middleY] = [mul(add(x(left), x(right)), 0.5), mul(add(y(left), y(right)), 0.5)]
  const [dx, dy] = [sub(x(right), x(left)), sub(y(right), y(left))]
  const width = sqrt(add(add(square(dx), square(dy)), 1e-6))
  const [ux, uy] = [div(dx, width), div(dy, width)]
  const along = (px: Value, py: Value) => add(mul(sub(px, middleX), ux), mul(sub(py, middleY), uy))
  const down = (px: Value, py: Value) => sub(mul(sub(py, middleY), ux), mul(sub(px, middleX), uy))
  const place = (a: Value, d: Value) =>
    concat([add(middleX, sub(mul(a, ux), mul(d, uy))), add(middleY, add(mul(a, uy), mul(d, ux)))], 1)
  return {
    ...{ half: mul(width, 0.5), along, down, place },
    ...{ upper: down(x(upper), y(upper)), lower: down(x(lower), y(lower)) },
  }
}

/** Part of the way from the middle to a corner at which a mouth opens: a corner is the skin's outermost point. */
const openPart = 0.92

function mouthFrame(value: Value, { corners, inner }: Mouth): SlitFrame {
  const frame = slitFrame(value, corners, inner)
  return { ...frame, half: mul(frame.half, openPart) }
}

/** A driving mouth's edges at each pixel of a map: parabolas from corner to corner. */
function edgesOf(mouth: SlitFrame, size: Size) {
  const { x, y } = pixelsOf(mouth.half.graph, size)
  const part = div(mouth.along(x, y), mouth.half)
  const bow = maximum(sub(1, square(part)), 0)
  return { part, bow, down: mouth.down(x, y), upper: mul(mouth.upper, bow), lower: mul(mouth.lower, bow) }
}

/**
 * Divides the shares of a mouth's keypoints along it: those of its middle have what the bow of its edges has of their height, and
 * those of its corners the rest. By nearness alone, lips would part as a box. What the two lips have is put together, for `parted`
 * to divide.
 */
function bow(shares: Value[], { corners, inner, outer }: Mouth, lips: SlitFrame, size: Size): void {
  const sumOf = (keypoints: readonly number[]) =>
    keypoints.map((k) => shares[k + 1]!).reduce((sum, share) => add(sum, share))
  const [lipsInner, lipsOuter] = [sumOf(inner), sumOf(outer)]
  const lipsAll = add(lipsInner, lipsOuter)
  const all = add(sumOf(corners), lipsAll)
  const { part, bow } = edgesOf(lips, size)
  const middle = mul(all, bow)
  const aside = sub(all, middle)
  const right = mul(aside, clip(add(mul(part, 2), 0.5), 0, 1))
  const edges = mul(middle, div(lipsInner, add(lipsAll, 1e-6)))
  const none = mul(all, 0)
  const set = (keypoint: number, share: Value) => {
    shares[keypoint + 1] = share
  }
  set(corners[0], sub(aside, right))
  set(corners[1], right)
  set(inner[0], edges)
  set(inner[1], none)
  set(outer[0], sub(middle, edges))
  set(outer[1], none)
}

/** How far each pixel [N, 1, H, W] is from the upper lip (0) to the lower one (1). */
function behindLips(mouth: SlitFrame, size: Size): Value {
  const { down, upper, lower } = edgesOf(mouth, size)
  const height = maximum(sub(lower, upper), leastOpening / size[1])
  return clip(add(div(sub(down, mul(add(upper, lower), 0.5)), height), 0.5), 0, 1)
}

/** What a mouth newly shows, and where a painted mouth is read for it. */
export interface MouthMotion {
  /** How far the mouth is open: its height over its width, [N, 1, 1]. */
  readonly open: Value
  /** For a map of any size, [N, 1, H, W]: 1 between the lips if they are closed in the source, less if they are open there, and 0 elsewhere. */
  shown(size: Size): Value
  /** For a map of any size, [N, 2, H, W]: places in the mouth, from corner to corner and from lip to lip, in [-1, 1]. */
  places(size: Size): Value
}

/** How a mouth moves. It is found by keypoints alone, so that it is the same on faces that no training has seen. */
export function mouthMotion(source: Keypoints, driving: Keypoints, mouth: Mouth): MouthMotion {
  const [from, to] = [mouthFrame(source.value, mouth), mouthFrame(driving.value, mouth)]
  const height = ({ upper, lower }: SlitFrame) => maximum(sub(lower, upper), 0)
  const fresh = maximum(sub(1, div(height(from), maximum(height(to), 1e-4))), 0)
  return {
    open: reshape(div(height(to), mul(to.half, 2)), [driving.value.shape[0]!, 1, 1]),
    shown(size) {
      const { down, upper, lower } = edgesOf(to, size)
      const depth = mul(minimum(sub(down, upper), sub(lower, down)), size[1] / 2)
      return mul(clip(depth, 0, 1), fresh)
    },
    places(size) {
      const { part, down, upper, lower } = edgesOf(to, size)
      const place = div(mul(sub(down, upper), 2), maximum(sub(lower, upper), leastOpening / size[1]))
      return concat([clip(part, -1, 1), clip(sub(place, 1), -1, 1)], 1)
    },
  }
}

/** Pictures of mouths that are ever further open, by their height over their width. */
const openings = [0, 0.25, 0.5, 0.75]
/** Their height and width in pixels. */
const pictureSize = [12, 24] as const

/**
 * The inside of a mouth. Nothing of a face with closed lips tells what is behind them, and what is there looks much the same in
 * all people. So it is a picture that is learned as it is, by how far the mouth is open, and tinted by the skin around the
 * source's mouth. No network sees the face, so it looks the same on faces that no training has seen. Names: `mouth.own`,
 * `mouth.tint`.
 *
 * @param mixed the frame without it, [N, 3, H, W], or a patch of it
 * @param given the source's picture and keypoints, `shown` of `MouthMotion` as large as the frame or the patch, and `places`, which may
 *   be smaller
 * @returns the frame with it, in [0, 1]
 */
export function withMouth(
  scope: Scope,
  mixed: Value,
  {
    picture,
    kpSource,
    mouth: { corners, outer },
    open,
    shown,
    places,
  }: {
    readonly picture: Value
    readonly kpSource: Keypoints
    readonly mouth: Mouth
    readonly open: Value
    readonly shown: Value
    readonly places: Value
  },
): Value {
  const inner = scope.child('mouth')
  const [n, count, numbers] = [picture.shape[0]!, openings.length, 3 * pictureSize[0] * pictureSize[1]]
  const { graph } = picture
  const far = minimum(open, openings.at(-1)!)
  const steps = constant(graph, floats(openings, [1, count, 1]))
  const shares = maximum(sub(1, div(abs(sub(far, steps)), openings[1]!)), 0)
  const learned = (name: string, value: number) => {
    const weight = inner.weight(name, [count, 3, ...pictureSize], { kind: 'fill', value })
    const mixed = reduceSum(mul(reshape(weight, [1, count, numbers]), shares), [1])
    return reshape(mixed, [n, 3, ...pictureSize])
  }
  const around = concat(
    [...corners, ...outer].map((k) => sliceAxis(kpSource.value, 1, k, k + 1)),
    1,
  )
  const skin = gridSample(picture, reshape(around, [n, 1, 4, 2]), { alignCorners: true })
  const tint = reduceMean(skin, [2, 3], { keep: true })
  const inside = add(learned('own', 0), mul(learned('tint', 0.3), tint))
  const read = clip(gridSample(inside, transpose(places, [0, 2, 3, 1]), { alignCorners: true }), 0, 1)
  const painted = resize(read, mixed.shape.slice(2) as [number, number], 'bilinear-corners')
  return add(mixed, mul(shown, sub(painted, mixed)))
}
