import { InputError } from '../util/errors.ts'
import { blankFrame, type Colour, type Frame } from './frame.ts'

const paper: Colour = [255, 255, 255]

/**
 * Frames in rows of `columns`, on white, `gap` pixels apart; cells are as large as the largest frame.
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

/** Frames in one row; takes its time from the first. @throws InputError if there are no frames. */
export function sideBySide(frames: readonly Frame[], gap = 0): Frame {
  return contactSheet(frames, frames.length, gap)
}

/** Copies `frame` into `onto`, its corner at column `left` and row `top`. It must fit. */
export function pasteFrame(onto: Frame, frame: Frame, left: number, top: number): void {
  const rowBytes = frame.width * 3
  for (let y = 0; y < frame.height; y++) {
    const row = frame.data.subarray(y * rowBytes, (y + 1) * rowBytes)
    onto.data.set(row, ((top + y) * onto.width + left) * 3)
  }
}
