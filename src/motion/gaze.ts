// Gaze: an iris moves by itself between the lids of its eye. It slides under them, so that no motion of a place near it tells how it
// moves.
import type { Value } from '../graph/graph.ts'
import { add, div, mul, neg, sub } from '../graph/ops/arithmetic.ts'
import { cast, clip, greaterOrEqual, maximum, minimum } from '../graph/ops/compare.ts'
import { concat, sliceAxis } from '../graph/ops/shape.ts'
import { abs, square } from '../graph/ops/unary.ts'
import type { Keypoints } from './keypoints.ts'
import { assertKeypoints, middleOf, type Pair, pixelsOf, type Size, slitFrame } from './openings.ts'

/** Keypoints of an eye, by their numbers. */
export interface Eye {
  /** The middle of the iris. It has no motion of its own: see `gazeOf`. */
  readonly iris: number
  /** Left and right on the picture. */
  readonly corners: Pair
  /** The upper lid and the lower one, a third of the way from their middle to the corners. */
  readonly lids: Pair
}

/** How eyes look about: see `gazeOf`. */
export interface Gaze {
  /**
   * @param planes where each pixel of a picture [N, C, H, W] comes from in the source, [N, 2, H, W]
   * @param seen takes the part of such maps that `planes` shows
   * @returns the same, where pixels between driving lids come from the source's eye
   */
  look(planes: Value, size: Size, seen: (map: Value) => Value): Value
}

/** Radius of an iris over half of the eye's width, and a little of the white around it. An iris is 11.7 mm wide, the eye 22 to 30 mm. */
const irisRadius = 0.52
/**
 * Size of an eye over what its keypoints say: from corner to corner, and from lid to lid in the middle. A parabola has 8 / 9 of its
 * height where lids have their keypoints. On strangers' faces both are found a little within the eye. What is beyond is read from
 * where it is, but for the small way that the iris goes.
 */
const eyeSize = { width: 1.1, height: (9 / 8) * 1.1 }
/** Edge of a lid, in pixels: shade and lashes, which belong to the lid and not to the eye. */
const lidEdge = 1.5
/** Where lid and eye are mixed, in pixels from the lid. A keypoint may be within its lid, and an old iris must not stay there. */
const mixed = { beyond: 1, within: 1 }
/** Pixels of height at which an eye begins to be open, and is. An eye that is closed has no iris to show. */
const closed = { from: 1, to: 3 }
/** Width of the white next to an iris that is stretched or pressed together, over half of the eye's width. */
const strip = 0.15
/** How much of it is pressed together at most; what is left then is covered. */
const mostPressed = 4

/**
 * Where the eyes of a frame are read in the source. Along an eye, the iris is read from the source's iris as it is, and a strip of the
 * white next to it is stretched or pressed together. What is further out stays: a corner may be found on the skin. Across it, all moves with the iris, and the source's lids are never
 * read. With equal keypoints nothing moves. Keypoints alone decide, so that it is the same on faces that no training has seen.
 *
 * @throws InputError if an eye has a point that is no keypoint.
 */
export function gazeOf(source: Keypoints, driving: Keypoints, eyes: readonly Eye[]): Gaze {
  const named = eyes.flatMap(({ iris, corners, lids }) => [iris, ...corners, ...lids])
  assertKeypoints(named, driving.value.shape[1]!, 'denseMotion.eyes')
  return {
    look: (planes, size, seen) =>
      eyes.reduce((read, eye) => {
        const found = seen(eyeRead(source.value, driving.value, eye, size))
        const share = sliceAxis(found, 1, 2, 3)
        return add(read, mul(sub(sliceAxis(found, 1, 0, 2), read), share))
      }, planes),
  }
}

/** An eye in coordinates of its own: see `slitFrame`. */
function eyeFrame(value: Value, { iris, corners, lids }: Eye) {
  const frame = slitFrame(value, corners, lids)
  const [x, y] = [middleOf(value, iris, 0), middleOf(value, iris, 1)]
  const half = mul(frame.half, eyeSize.width)
  const middle = mul(add(frame.upper, frame.lower), 0.5)
  const edge = (found: Value) => add(middle, mul(sub(found, middle), eyeSize.height))
  return {
    ...{ ...frame, half, upper: edge(frame.upper), lower: edge(frame.lower) },
    ...{ irisPart: div(frame.along(x, y), half), irisDown: frame.down(x, y) },
  }
}

/** Where pixels are read for one eye, x and y, and how much that counts: 1 between the lids. @returns [N, 3, H, W] */
function eyeRead(source: Value, driving: Value, eye: Eye, size: Size): Value {
  const [from, to] = [eyeFrame(source, eye), eyeFrame(driving, eye)]
  const { x, y } = pixelsOf(driving.graph, size)
  const pixel = 2 / size[1]
  const part = div(to.along(x, y), to.half)
  const [under, down] = [maximum(sub(1, square(part)), 0), to.down(x, y)]
  const [upper, lower] = [mul(to.upper, under), mul(to.lower, under)]
  const [fromUpper, fromLower] = [sub(down, upper), sub(lower, down)]

  const beside = sub(part, to.irisPart)
  // Strips of white from the iris to where nothing moves: less than all of the strip if the iris covers it.
  const ends = { left: sub(from.irisPart, irisRadius + strip), right: add(from.irisPart, irisRadius + strip) }
  const stretched = (length: Value) => div(strip, maximum(length, strip / mostPressed))
  const left = add(
    minimum(part, ends.left),
    mul(maximum(sub(part, ends.left), 0), stretched(sub(sub(to.irisPart, irisRadius), ends.left))),
  )
  const right = add(
    maximum(part, ends.right),
    mul(minimum(sub(part, ends.right), 0), stretched(sub(ends.right, add(to.irisPart, irisRadius)))),
  )
  const iris = add(from.irisPart, beside)
  const isWhite = (distance: Value) => cast(greaterOrEqual(distance, irisRadius), 'float32')
  const [onLeft, onRight] = [isWhite(neg(beside)), isWhite(beside)]
  const readPart = add(add(mul(left, onLeft), mul(right, onRight)), mul(iris, sub(sub(1, onLeft), onRight)))

  const tall = ({ upper, lower }: typeof to) => sub(lower, upper)
  // An eye that opens wider than the source's is stretched. One that closes is covered by its lids.
  const scale = minimum(div(from.half, to.half), div(tall(from), maximum(tall(to), pixel)))
  const over = sub(1, square(readPart))
  // As near to a lid as in the driving frame, or as far as the lid's edge.
  const inset = (distance: Value) => minimum(mul(distance, scale), lidEdge * pixel)
  const highest = add(mul(from.upper, over), inset(fromUpper))
  const lowest = sub(mul(from.lower, over), inset(fromLower))
  const moved = add(from.irisDown, mul(sub(down, to.irisDown), scale))
  const readDown = maximum(minimum(moved, lowest), minimum(highest, lowest))

  const open = (frame: typeof to) =>
    clip(mul(sub(div(tall(frame), pixel), closed.from), 1 / (closed.to - closed.from)), 0, 1)
  const inside = add(div(minimum(fromUpper, fromLower), pixel), mixed.beyond)
  const fromCorner = div(mul(sub(1, abs(part)), to.half), pixel)
  const between = clip(mul(minimum(inside, fromCorner), 1 / (mixed.beyond + mixed.within)), 0, 1)
  const place = from.place(mul(readPart, from.half), readDown)
  return concat([place, mul(between, mul(open(from), open(to)))], 1)
}
