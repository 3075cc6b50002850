import { inputInfo } from '../../graph/ops/index.ts'
import { liveNodes } from '../../graph/rewrite.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { OpenSession } from '../../runtime/open-session.ts'
import type { Task } from '../task.ts'
import type { DistilConfig } from './config.ts'
import type { Pool } from './pool.ts'
import { makeDistilPreview } from './previews.ts'
import { buildDistilStep, labelInput, trainingOnly } from './step.ts'
import { Student } from './student.ts'

/**
 * Training by a teacher: each step holds the student to what the teacher found in a batch of pictures.
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
  const student = await Student.create(model, step, openSession)
  const taken = new Set(liveNodes(step.graph).map((node) => inputInfo(node)?.name))
  return {
    step,
    draw(random) {
      const { frames, labels } = pool.draw(random, batch)
      const fed = Array.from(labels, ([name, label]) => [labelInput(name), label] as const)
      return { frames, ...Object.fromEntries(fed.filter(([name]) => taken.has(name))) }
    },
    preview: (state) => makeDistilPreview(student, pool, state),
    weights: (trained) =>
      new Map([...Array.from(trained).filter(([name]) => !name.startsWith(trainingOnly)), ...generator]),
    close: () => student.close(),
  }
}
