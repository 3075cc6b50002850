// The pose that relative motion starts from: the frame of a clip that is nearest to the picture's pose, and for a webcam an
// outline of the picture's pose, which people take.
import type { Animator, Pose, Square } from 'pantin/web'
import type { Driving } from '../core/driving.ts'
import { drawDot, hue } from '../core/overlay.ts'
import { sizeOf } from '../core/pictures.ts'
import { spreadOf } from '../core/strings.ts'

/** Number of frames of a clip that are looked at. */
const looks = 60

/** A frame of a clip, and its pose. */
export interface Nearest {
  readonly frame: number
  readonly frameCount: number
  readonly pose: Pose
}

/**
 * The frame of a clip whose pose is nearest to that of the animator's source, among some that are evenly spread.
 *
 * @param crop the square of the frames; undefined for the one in the middle
 * @param goesOn is asked after each frame; if it answers false, the search ends
 * @returns undefined if the search was ended, or there is no frame
 */
export async function nearestFrame(
  animator: Animator,
  driving: Driving,
  crop: Square | undefined,
  goesOn: () => boolean,
): Promise<Nearest | undefined> {
  let best: (Nearest & { readonly distance: number }) | undefined
  for await (const { picture, frame, frameCount } of driving.samples(looks)) {
    const { value, jacobian, poseDistance } = await animator.track(picture, crop && { crop })
    if (!goesOn()) return undefined
    const distance = poseDistance ?? Number.POSITIVE_INFINITY
    if (best !== undefined && distance >= best.distance) continue
    best = { frame, frameCount, distance, pose: { value, ...(jacobian && { jacobian }) } }
  }
  return best
}

/** Root mean square distances of normalised keypoints at which two poses count as alike, and as nothing alike. */
const [alike, unlike] = [0.04, 0.2]

/** How near a pose is, 0 to 1. Two people seldom reach 1, because their faces differ. */
export function nearnessOf(poseDistance: number, keypoints: number): number {
  const apart = Math.sqrt(poseDistance / keypoints)
  return Math.max(0, Math.min(1, (unlike - apart) / (unlike - alike)))
}

/**
 * Draws the pose that is wanted over a driving frame: the picture, faintly, and its keypoints as rings, at the place and in
 * the size of the driving keypoints.
 *
 * @param wanted the picture, the square of it that is moved, and its keypoints
 */
export function drawWanted(
  canvas: HTMLCanvasElement,
  wanted: { readonly bitmap: ImageBitmap; readonly square: Square; readonly pose: Pose },
  driving: Pose,
): void {
  const context = canvas.getContext('2d')!
  const half = canvas.width / 2
  const [from, to] = [middleOf(wanted.pose.value), middleOf(driving.value)]
  const scale = spreadOf(driving.value) / spreadOf(wanted.pose.value)
  const at = (x: number, axis: 0 | 1) => (to[axis] + scale * (x - from[axis]) + 1) * half
  const { left, top, side } = wanted.square
  const [width, height] = sizeOf(wanted.bitmap)
  context.globalAlpha = 0.35
  context.drawImage(
    ...([wanted.bitmap, left, top, Math.min(side, width - left), Math.min(side, height - top)] as const),
    ...([at(-1, 0), at(-1, 1), 2 * scale * half, 2 * scale * half] as const),
  )
  context.globalAlpha = 1
  for (const [k, [x = 0, y = 0]] of wanted.pose.value.entries()) {
    const [px, py] = [at(x, 0), at(y, 1)]
    const [dx = 0, dy = 0] = driving.value[k]!
    context.beginPath()
    context.moveTo(px, py)
    context.lineTo((dx + 1) * half, (dy + 1) * half)
    context.lineWidth = canvas.width / 256
    context.strokeStyle = `hsl(${hue(k, wanted.pose.value.length)} 85% 55%)`
    context.stroke()
    drawDot(context, px, py, hue(k, wanted.pose.value.length), canvas.width / 50, true)
  }
}

const middleOf = (points: readonly (readonly number[])[]): readonly [number, number] => [
  points.reduce((sum, point) => sum + point[0]!, 0) / points.length,
  points.reduce((sum, point) => sum + point[1]!, 0) / points.length,
]
