// Sheets of the part `faces`: what drove, and below it what was made, at the moments that show most.
import { basename, join, parse } from 'node:path'
import type { Frame } from '../../src/media/clip.ts'
import { contactSheet } from '../../src/media/draw.ts'
import { squareFrame } from '../../src/model/keypoint-detector.ts'
import type { Movement } from './face-measures.ts'
import type { ComparedFrame } from './faces.ts'

/** Movements whose extremes are shown: least of the lids' opening is a blink. */
const extremes: readonly (readonly [Movement, 1 | -1])[] = [
  ['lids open', -1],
  ['mouth open', 1],
  ['mouth wide', 1],
  ['mouth wide', -1],
  ['brows raised', 1],
]
/** Frames that are shown whatever they show, spread over the clip. */
const spread = 3

/** `NAME.png` in the folder of sheets. */
export const sheetPath = (folder: string, clip: string): string =>
  join(folder, `${parse(basename(clip)).name.replaceAll(':', '-')}.png`)

/** Collects the frames of one clip that its sheet shows. It keeps these few alone in memory. */
export class FaceSheet {
  private readonly best = new Map<string, { value: number; frame: ComparedFrame }>()
  private readonly even: ComparedFrame[] = []
  private step = 1
  private count = 0

  /** @param source RGB [size, size, 3] */
  constructor(private readonly source: Uint8Array) {}

  add(frame: ComparedFrame): void {
    this.addSpread(frame)
    if (frame.face === undefined) return
    for (const [movement, sign] of extremes) {
      const key = `${movement} ${sign}`
      const value = sign * frame.face.movements[movement]
      if (value > (this.best.get(key)?.value ?? -Infinity)) this.best.set(key, { value, frame })
    }
  }

  /** The source at the left; then the frames by time, each driving frame above its result. @returns one frame */
  picture(): Frame {
    const even = Array.from(
      { length: spread },
      (_, i) => this.even[Math.floor(((i + 0.5) * this.even.length) / spread)],
    )
    const chosen = [...even, ...Array.from(this.best.values(), ({ frame }) => frame)]
    const frames = [...new Set(chosen.filter((frame) => frame !== undefined))].sort(
      (a, b) => a.number - b.number,
    )
    const rows = [
      [this.source, ...frames.map(({ truth }) => truth)],
      [this.source, ...frames.map(({ result }) => result)],
    ]
    return contactSheet(
      rows.flat().map((pixels) => squareFrame(pixels)),
      frames.length + 1,
    )
  }

  /** Keeps every n-th frame, where n doubles whenever there are many. */
  private addSpread(frame: ComparedFrame): void {
    if (this.count++ % this.step !== 0) return
    this.even.push(frame)
    if (this.even.length < 8 * spread) return
    const kept = this.even.filter((_, i) => i % 2 === 0)
    this.even.splice(0, this.even.length, ...kept)
    this.step *= 2
  }
}
