// Keypoints drawn over a canvas: dots, the axes of their maps, and heatmaps.
import type { Heatmap, Square, TrackedPicture } from 'pantin/web'

export interface OverlayChoice {
  readonly points: boolean
  readonly axes: boolean
  readonly heatmap: boolean
  /** A point that is shown larger. */
  readonly taken?: number
}

type Points = Pick<TrackedPicture, 'value' | 'jacobian' | 'heatmap'>

/** Length of an axis of the identity, in [-1, 1] coordinates. */
const axisLength = 0.14

/** @param square where the points are, in pixels of the canvas; undefined for all of it */
export function drawOverlay(
  canvas: HTMLCanvasElement,
  points: Points,
  choice: OverlayChoice,
  square?: Square,
): void {
  const context = canvas.getContext('2d')!
  if (square !== undefined) {
    const scale = square.side / canvas.width
    context.setTransform(scale, 0, 0, scale, square.left, square.top)
  }
  const { value, jacobian, heatmap } = points
  const scale = canvas.width / 2
  if (choice.heatmap && heatmap !== undefined) drawHeatmap(context, heatmap)
  for (const [i, [x = 0, y = 0]] of value.entries()) {
    const [px, py] = [(x + 1) * scale, (y + 1) * scale]
    const axes = jacobian?.[i]
    if (choice.axes && axes !== undefined) drawAxes(context, px, py, axes, scale * axisLength)
    if (choice.points)
      drawDot(context, px, py, hue(i, value.length), canvas.width / (i === choice.taken ? 40 : 64))
  }
  context.resetTransform()
}

/** Hues evenly spaced around the colour wheel, in degrees. */
export const hue = (i: number, count: number): number => (20 + (360 * i) / count) % 360

/** A dot of a colour, or a ring of it. */
export function drawDot(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  hueOf: number,
  radius: number,
  isRing = false,
): void {
  const colour = `hsl(${hueOf} 85% 55%)`
  context.beginPath()
  context.arc(x, y, radius, 0, 2 * Math.PI)
  context.fillStyle = colour
  if (!isRing) context.fill()
  context.lineWidth = radius / 2.5
  context.strokeStyle = isRing ? colour : '#fffdf8'
  context.stroke()
  context.lineWidth = radius / 8
  context.strokeStyle = '#23201c'
  context.stroke()
}

/** The columns of the map: the images of the source's unit vectors. */
function drawAxes(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  [[a = 0, b = 0] = [], [c = 0, d = 0] = []]: number[][],
  length: number,
): void {
  for (const [dx, dy, stroke] of [
    [a, c, '#e0492b'],
    [b, d, '#2f7fc4'],
  ] as const) {
    for (const [width, style] of [
      [5, '#fffdf8'],
      [2.5, stroke],
    ] as const) {
      context.beginPath()
      context.moveTo(x, y)
      context.lineTo(x + dx * length, y + dy * length)
      context.lineWidth = width
      context.strokeStyle = style
      context.stroke()
    }
  }
}

const small = document.createElement('canvas')

/** All maps in one picture, each in its keypoint's colour. The likelier a place, the stronger its colour. */
function drawHeatmap(context: CanvasRenderingContext2D, { data, keypoints, height, width }: Heatmap): void {
  const pixels = new ImageData(width, height)
  const area = width * height
  for (let k = 0; k < keypoints; k++) {
    const map = data.subarray(k * area, (k + 1) * area)
    const most = map.reduce((a, b) => Math.max(a, b), 1e-9)
    const [r, g, b] = rgb(hue(k, keypoints))
    for (let i = 0; i < area; i++) {
      const alpha = 215 * (map[i]! / most)
      if (alpha <= pixels.data[4 * i + 3]!) continue
      pixels.data.set([r, g, b, alpha], 4 * i)
    }
  }
  small.width = width
  small.height = height
  small.getContext('2d')!.putImageData(pixels, 0, 0)
  context.imageSmoothingEnabled = true
  context.drawImage(small, 0, 0, context.canvas.width, context.canvas.height)
}

/** RGB, 0 to 255, of a hue at 85% saturation and 55% lightness. */
function rgb(hueOf: number): readonly [number, number, number] {
  const channel = (n: number) => {
    const k = (n + hueOf / 30) % 12
    return 255 * (0.55 - 0.3825 * Math.max(-1, Math.min(k - 3, 9 - k, 1)))
  }
  return [channel(0), channel(8), channel(4)]
}
