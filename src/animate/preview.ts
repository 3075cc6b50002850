// Pictures that show what a model sees and makes: keypoints drawn on a frame, and contact sheets of an animation.
import { type Colour, copyFrame, type Frame, toPixel } from '../media/clip.ts'
import { contactSheet, drawDisc, drawLine, keypointPalette, sideBySide } from '../media/draw.ts'
import { type Keypoints, resized } from '../model/keypoint-detector.ts'

/** How `drawKeypoints` draws. */
export interface DrawOptions {
  /** Maps keypoint coordinates to pixels of the frame (default: the coordinates span the whole frame). */
  readonly place?: (x: number, y: number) => readonly [number, number]
  /** Radius of the discs in pixels (default: 1.6% of the shorter side of the frame, at least 1.5). */
  readonly radius?: number
  /** Draws the axes of the local affine maps too, if the model has them (default true). */
  readonly axes?: boolean
  /** One colour per keypoint (default: the palette). */
  readonly colours?: readonly Colour[]
}

/** Length of an axis of the identity, and the greatest length that is drawn, in units of [-1, 1]. */
const axisLength = 0.12
const longestAxis = 0.4

const dark: Colour = [20, 20, 24]

/**
 * A copy of the frame with its keypoints drawn on it: a disc for each keypoint, and two lines that show where the local
 * affine map takes the x axis and the y axis.
 *
 * @param keypoints [K, 2] and, if the model has them, [K, 2, 2], in [-1, 1].
 */
export function drawKeypoints(frame: Frame, keypoints: Keypoints, options: DrawOptions = {}): Frame {
  const drawn = copyFrame(frame)
  const { value, jacobian } = keypoints
  const count = value.length / 2
  const radius = options.radius ?? Math.max(1.5, 0.016 * Math.min(frame.width, frame.height))
  const place = options.place ?? ((x, y) => [toPixel(x, frame.width), toPixel(y, frame.height)])
  const colours = options.colours ?? keypointPalette(count)
  for (let k = 0; k < count; k++) {
    const [x, y] = [value[2 * k]!, value[2 * k + 1]!]
    const centre = place(x, y)
    if (options.axes !== false && jacobian !== undefined) {
      for (const column of [0, 1]) {
        const [dx, dy] = axis(jacobian[4 * k + column]!, jacobian[4 * k + 2 + column]!)
        drawLine(drawn, centre, place(x + dx, y + dy), Math.max(1, radius / 2), colours[k]!, 0.9)
      }
    }
    // The dark rim keeps a disc visible on a background of its own colour.
    drawDisc(drawn, centre[0], centre[1], radius * 1.3, dark, 0.7)
    drawDisc(drawn, centre[0], centre[1], radius, colours[k]!)
  }
  return drawn
}

/** The end of an axis of length `axisLength`. A longer axis is cut to `longestAxis`, in the same direction. */
function axis(x: number, y: number): readonly [number, number] {
  const length = Math.hypot(x, y) * axisLength
  const scale = axisLength * Math.min(1, longestAxis / Math.max(length, 1e-9))
  return Number.isFinite(length) ? [x * scale, y * scale] : [0, 0]
}

/** The three pictures of one moment of an animation. */
export interface ComparedFrames {
  readonly source: Frame
  readonly driving: Frame
  readonly result: Frame
}

/**
 * A contact sheet with one row per moment: source, driving frame, result.
 *
 * @param options.cell side of a picture in pixels (default 128).
 * @param options.groups number of moments side by side (default 1).
 * @throws InputError if there are no rows.
 */
export function compareSheet(
  rows: readonly ComparedFrames[],
  { cell = 128, groups = 1 }: { readonly cell?: number; readonly groups?: number } = {},
): Frame {
  const triples = rows.map(({ source, driving, result }) =>
    sideBySide(
      [source, driving, result].map((frame) => resized(frame, cell)),
      2,
    ),
  )
  return contactSheet(triples, groups, 8)
}
