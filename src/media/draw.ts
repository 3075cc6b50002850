import type { Colour, Frame } from './frame.ts'

/** Marks of a keypoint. Positions are in pixels, (0, 0) the centre of the first; sizes in pixels. */

/** A filled disc, its edge smooth; parts outside the frame are left out. */
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

/** A line with round ends. */
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

/** Two crossing lines, standing upright. */
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
 * `count` colours that are easy to tell apart and of about one lightness, so that none stands out: hues
 * around the OKLCH circle (Björn Ottosson, "A perceptual color space for image processing", 2020), the
 * lightness alternating where there are many.
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

/** Blends a colour in where `inside` (pixels within the shape's edge) says so. */
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
