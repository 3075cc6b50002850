// Drawing on frames, and frames on sheets: marks of keypoints, contact sheets, pictures side by side.
import { InputError } from '../util/errors.ts'
import { blankFrame, type Colour, type Frame } from './clip.ts'

/**
 * A filled disc with a smooth edge; what lies outside the frame is not drawn.
 *
 * @param x pixels; 0 is the centre of the first column.
 * @param y pixels; 0 is the centre of the first row.
 * @param radius pixels.
 */
export function drawDisc(
  frame: Frame,
  x: number,
  y: number,
  radius: number,
  colour: Colour,
  alpha = 1,
): void {
  paint(frame, [x - radius, y - radius, x + radius, y + radius], colour, alpha, (px, py) => {
    return radius - Math.hypot(px - x, py - y)
  })
}

/** A line with round ends; positions and width in pixels, as for `drawDisc`. */
export function drawLine(
  frame: Frame,
  from: readonly [number, number],
  to: readonly [number, number],
  width: number,
  colour: Colour,
  alpha = 1,
): void {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]]
  const square = dx * dx + dy * dy
  const half = width / 2
  const bounds = [
    Math.min(from[0], to[0]) - half,
    Math.min(from[1], to[1]) - half,
    Math.max(from[0], to[0]) + half,
    Math.max(from[1], to[1]) + half,
  ] as const
  paint(frame, bounds, colour, alpha, (px, py) => {
    const [wx, wy] = [px - from[0], py - from[1]]
    const t = square === 0 ? 0 : Math.min(Math.max((wx * dx + wy * dy) / square, 0), 1)
    return half - Math.hypot(wx - t * dx, wy - t * dy)
  })
}

/** A vertical and a horizontal line that cross at (x, y); sizes in pixels. */
export function drawCross(
  frame: Frame,
  x: number,
  y: number,
  radius: number,
  colour: Colour,
  width = 2,
): void {
  drawLine(frame, [x - radius, y], [x + radius, y], width, colour)
  drawLine(frame, [x, y - radius], [x, y + radius], width, colour)
}

/**
 * `count` colours that are easy to tell apart and have about the same lightness, so that none stands out: hues
 * around the OKLCH circle (Björn Ottosson, "A perceptual color space for image processing", 2020). If there are
 * many, the lightness alternates.
 */
export function keypointPalette(count: number): Colour[] {
  return Array.from({ length: count }, (_, i) => {
    const hue = 2 * Math.PI * ((i + 0.08) / Math.max(count, 1))
    const lightness = count > 6 ? 0.74 + (i % 2 === 0 ? 0.07 : -0.07) : 0.74
    return fromOklch(lightness, 0.16, hue)
  })
}

function fromOklch(lightness: number, chroma: number, hue: number): Colour {
  const [a, b] = [chroma * Math.cos(hue), chroma * Math.sin(hue)]
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  return [
    toSrgb(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    toSrgb(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    toSrgb(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ]
}

/** Linear light in [0, 1] (clipped) to an sRGB byte. */
function toSrgb(linear: number): number {
  const x = Math.min(Math.max(linear, 0), 1)
  return Math.round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055))
}

/** Blends a colour into a shape. `inside` is the distance in pixels to the shape's edge, positive inside. */
function paint(
  frame: Frame,
  [left, top, right, bottom]: readonly [number, number, number, number],
  colour: Colour,
  alpha: number,
  inside: (x: number, y: number) => number,
): void {
  const { width, height, data } = frame
  for (let y = Math.max(0, Math.floor(top)); y <= Math.min(height - 1, Math.ceil(bottom)); y++) {
    for (let x = Math.max(0, Math.floor(left)); x <= Math.min(width - 1, Math.ceil(right)); x++) {
      const cover = alpha * Math.min(Math.max(inside(x, y) + 0.5, 0), 1)
      if (cover <= 0) continue
      const i = (y * width + x) * 3
      for (let c = 0; c < 3; c++) data[i + c] = data[i + c]! * (1 - cover) + colour[c]! * cover + 0.5
    }
  }
}

const paper: Colour = [255, 255, 255]

/**
 * Frames in rows of `columns`, on white, `gap` pixels apart. Every cell is as large as the largest frame.
 *
 * @throws InputError if there are no frames.
 */
export function contactSheet(frames: readonly Frame[], columns: number, gap = 4): Frame {
  if (frames.length === 0) throw new InputError({ what: 'a contact sheet needs at least one frame' })
  const across = Math.max(1, Math.min(Math.floor(columns), frames.length))
  const down = Math.ceil(frames.length / across)
  const cellWidth = Math.max(...frames.map(({ width }) => width))
  const cellHeight = Math.max(...frames.map(({ height }) => height))
  const sheet = blankFrame(across * (cellWidth + gap) - gap, down * (cellHeight + gap) - gap, paper)
  frames.forEach((frame, i) => {
    pasteFrame(sheet, frame, (i % across) * (cellWidth + gap), Math.floor(i / across) * (cellHeight + gap))
  })
  return { ...sheet, time: frames[0]!.time, duration: frames[0]!.duration }
}

/** Frames in one row, with the time of the first. @throws InputError if there are no frames. */
export function sideBySide(frames: readonly Frame[], gap = 0): Frame {
  return contactSheet(frames, frames.length, gap)
}

/** Copies `frame` into `onto`, with its first pixel at column `left` and row `top`. It must fit. */
export function pasteFrame(onto: Frame, frame: Frame, left: number, top: number): void {
  const rowBytes = frame.width * 3
  for (let y = 0; y < frame.height; y++) {
    const row = frame.data.subarray(y * rowBytes, (y + 1) * rowBytes)
    onto.data.set(row, ((top + y) * onto.width + left) * 3)
  }
}
