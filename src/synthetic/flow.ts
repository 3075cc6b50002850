// The true motion between two frames of a synthetic clip: every pixel knows its place on the surface that it shows.
import type { Clip, Frame } from '../media/clip.ts'

/** Where the points of one frame are in another, on a grid over the frame. */
export interface Flow {
  /**
   * [side, side, 2] as x, y in [-1, 1] of the other frame, for each point of the grid. -1 and 1 are the centres of the
   * first and the last pixel. A point may lie outside.
   */
  readonly flow: Float32Array
  /** [side, side], 1 where the point is in sight in the other frame, 0 where it is hidden or outside. */
  readonly visible: Uint8Array
}

/** A clip whose true motion is known. */
export interface FlowClip<F extends Frame = Frame> extends Clip<F> {
  /**
   * The true motion from one frame to another.
   *
   * @param side points of the grid along each axis, from the centre of the first pixel to that of the last (default: one
   *   for each pixel)
   * @throws InputError if there is no such frame.
   */
  flow(from: number, to: number, side?: number): Flow
}

/** Whether the true motion of a clip is known. */
export const hasFlow = (clip: Clip): clip is FlowClip => 'flow' in clip

/** A point of a frame in another frame: x, y in [-1, 1], and whether it is in sight there. */
export type Carried = readonly [x: number, y: number, visible: boolean]

/** Fills a flow, point by point. `carry` takes a point of the one frame, in [-1, 1], to the other. */
export function flowOf(side: number, carry: (x: number, y: number) => Carried): Flow {
  const flow = new Float32Array(side * side * 2)
  const visible = new Uint8Array(side * side)
  const place = (index: number) => (2 * index) / (side - 1) - 1
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const at = row * side + column
      const [x, y, seen] = carry(place(column), place(row))
      flow[2 * at] = x
      flow[2 * at + 1] = y
      visible[at] = Number(seen)
    }
  }
  return { flow, visible }
}
