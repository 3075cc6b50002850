import { drawKeypoints } from '../../animate/preview.ts'
import { TeacherMeter } from '../../evaluate/teacher-distance.ts'
import type { Frame } from '../../media/frame.ts'
import { contactSheet } from '../../media/sheet.ts'
import type { Keypoints } from '../../model/keypoints.ts'
import { resized, squareFrame } from '../../model/pixels.ts'
import type { TrainingState } from '../step-runner.ts'
import type { Preview } from '../task.ts'
import type { Labelled, Pool } from './pool.ts'
import type { Student } from './student.ts'

/** Rows of a preview, frames that the distance is a mean over, and the least side that frames are shown at. */
const [rows, measured, shownSide] = [6, 100, 128]

/**
 * One picture: a row for a frame, with the teacher's keypoints and with the student's; and measures the
 * student on frames spread over those held out (over all, where none are).
 */
export async function makeDistilPreview(
  student: Student,
  pool: Pool,
  state: TrainingState,
): Promise<Preview> {
  const all = pool.clips.reduce((sum, { count }) => sum + count, 0)
  const indices = pool.heldOut.length > 0 ? pool.heldOut : Array.from({ length: all }, (_, i) => i)
  const meter = new TeacherMeter()
  const shown = new Set(spread(indices, rows))
  const cells: Frame[] = []
  for (const index of new Set([...spread(indices, measured), ...shown])) {
    const picture = pool.read(index)
    const found = await student.detect(state, picture.frame)
    const taught = keypointsOf(pool, picture)
    meter.add(found, taught)
    if (!shown.has(index)) continue
    const frame = resized(squareFrame(picture.frame), Math.max(pool.size, shownSide))
    cells.push(frame, drawKeypoints(frame, taught), drawKeypoints(frame, found))
  }
  const { distance, jacobian } = meter.result()!
  const measures = { distance, ...(jacobian !== undefined && { jacobian }) }
  return { picture: contactSheet(cells, 3), measures }
}

function keypointsOf({ layout }: Pool, { label }: Labelled): Keypoints {
  const part = (wanted: 'value' | 'jacobian') => {
    const found = layout.parts.find(({ name }) => name === wanted)
    const length = found?.shape.reduce((a, b) => a * b, 1) ?? 0
    return found && label.subarray(found.offset, found.offset + length)
  }
  return { value: part('value')!, jacobian: part('jacobian') }
}

/** At most `count` of the indices, evenly. */
function spread(indices: readonly number[], count: number): number[] {
  const n = Math.min(count, indices.length)
  return Array.from({ length: n }, (_, i) => indices[Math.floor(((i + 0.5) * indices.length) / n)]!)
}
