// Training by a teacher: each step holds the student to what the teacher found in a batch of pictures. Previews too.
import { drawKeypoints } from '../../animate/preview.ts'
import { TeacherMeter } from '../../evaluate/keypoint-distance.ts'
import { inputInfo } from '../../graph/ops/leaf.ts'
import { liveNodes } from '../../graph/rewrite.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { Frame } from '../../media/clip.ts'
import { contactSheet } from '../../media/draw.ts'
import { type Keypoints, resized, squareFrame } from '../../model/inputs-outputs.ts'
import { detect } from '../../motion/model.ts'
import type { OpenSession } from '../../runtime/session.ts'
import { EvaluationModel, keypointsOfFrame } from '../evaluation-model.ts'
import type { TrainingState } from '../state.ts'
import type { Preview, Task } from '../task.ts'
import type { DistilConfig } from './config.ts'
import type { Labelled, Pool } from './pool.ts'
import { buildDistilStep, labelInput, trainingOnly } from './step.ts'

/**
 * The task of distillation.
 *
 * @param openSession opens the session that makes previews
 * @param generator weights of the teacher's dense motion and generator, which the student takes over
 */
export async function distilTask(
  { model, training, distillation }: DistilConfig,
  pool: Pool,
  generator: ReadonlyMap<string, Tensor>,
  openSession: OpenSession,
): Promise<Task> {
  const { batch, adam } = training
  const { losses, soften } = distillation
  const step = buildDistilStep(model, { batch, adam, losses, soften, layout: pool.layout })
  const student = await EvaluationModel.create({
    ...{ frames: 1, size: model.size, layouts: step, openSession },
    build(scope, pixels) {
      const { value, jacobian } = detect(scope, pixels, model).keypoints
      return { value, ...(jacobian && { jacobian }) }
    },
  })
  const taken = new Set(liveNodes(step.graph).map((node) => inputInfo(node)?.name))
  return {
    step,
    draw(random) {
      const { frames, labels } = pool.draw(random, batch)
      const fed = Array.from(labels, ([name, label]) => [labelInput(name), label] as const)
      return { frames, ...Object.fromEntries(fed.filter(([name]) => taken.has(name))) }
    },
    preview: (state) => makePreview(student, pool, state),
    weights: (trained) =>
      new Map([...Array.from(trained).filter(([name]) => !name.startsWith(trainingOnly)), ...generator]),
    close: () => student.close(),
  }
}

/** Rows of a preview, frames that the distance is a mean over, and the least side that frames are shown at. */
const [rows, measured, shownSide] = [6, 100, 128]

/**
 * One picture: a row a frame, with the teacher's keypoints and with the student's. The student is measured on frames
 * spread over those held out (over all, if none are).
 */
async function makePreview(student: EvaluationModel, pool: Pool, state: TrainingState): Promise<Preview> {
  const all = pool.clips.reduce((sum, { count }) => sum + count, 0)
  const indices = pool.heldOut.length > 0 ? pool.heldOut : Array.from({ length: all }, (_, i) => i)
  const meter = new TeacherMeter()
  const shown = new Set(spread(indices, rows))
  const cells: Frame[] = []
  for (const index of new Set([...spread(indices, measured), ...shown])) {
    const picture = pool.read(index)
    const found = keypointsOfFrame(await student.run(state, picture.frame.slice()), 0)
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

/** The teacher's keypoints in a label. */
function keypointsOf({ layout }: Pool, { label }: Labelled): Keypoints {
  const numbers = (wanted: 'value' | 'jacobian') => {
    const found = layout.parts.find(({ name }) => name === wanted)
    const length = found?.shape.reduce((a, b) => a * b, 1) ?? 0
    return found && label.subarray(found.offset, found.offset + length)
  }
  return { value: numbers('value')!, jacobian: numbers('jacobian') }
}

/** At most `count` of the indices, evenly. */
function spread(indices: readonly number[], count: number): number[] {
  const n = Math.min(count, indices.length)
  return Array.from({ length: n }, (_, i) => indices[Math.floor(((i + 0.5) * indices.length) / n)]!)
}
