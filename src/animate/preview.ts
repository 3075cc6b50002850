import { drawDisc, drawLine, keypointPalette } from '../media/draw.ts'
import { type Colour, copyFrame, type Frame, toPixel } from '../media/frame.ts'
import { contactSheet, sideBySide } from '../media/sheet.ts'
import type { Keypoints } from '../model/keypoints.ts'
import { resized } from '../model/pixels.ts'

/** Pictures that show what a model sees and makes. */

export interface DrawOptions {
  /** From keypoint coordinates to pixels of the frame; default: they span the whole frame. */
  readonly place?: (x: number, y: number) => readonly [number, number]
  /** Of the discs, in pixels; default 1.6% of the frame's short side, at least 1.5. */
  readonly radius?: number
  /** Also draw the axes of the local affine maps (default true, where the model has them). */
  readonly axes?: boolean
  /** One for each keypoint; default: the palette. */
  readonly colours?: readonly Colour[]
}

/** Length of an axis of the identity, and the most that is drawn of any, in units of [-1, 1]. */
const axisLength = 0.12
const longestAxis = 0.4

const dark: Colour = [20, 20, 24]

/**
 * The frame with its keypoints on it: a disc each, and two lines that show where the local affine map takes
 * the x and the y axis. The frame itself stays as it is.
 *
 * @param keypoints [K, 2] and, if there, [K, 2, 2], in [-1, 1].
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
    // A dark rim keeps a disc visible on a ground of its own colour.
    drawDisc(drawn, centre[0], centre[1], radius * 1.3, dark, 0.7)
    drawDisc(drawn, centre[0], centre[1], radius, colours[k]!)
  }
  return drawn
}

/** Where an axis of length `axisLength` ends; cut to `longestAxis`, its direction kept. */
function axis(x: number, y: number): readonly [number, number] {
  const length = Math.hypot(x, y) * axisLength
  const scale = axisLength * Math.min(1, longestAxis / Math.max(length, 1e-9))
  return Number.isFinite(length) ? [x * scale, y * scale] : [0, 0]
}

/** One moment of an animation. */
export interface ComparedFrames {
  readonly source: Frame
  readonly driving: Frame
  readonly result: Frame
}

/**
 * A contact sheet with a row for each moment: source, driving frame, result.
 *
 * @param options.cell pixels a side of a picture; default 128.
 * @param options.groups moments side by side; default 1.
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
