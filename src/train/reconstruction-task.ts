import { floats, tensor } from '../graph/tensor.ts'
import type { OpenSession } from '../runtime/open-session.ts'
import type { Tensors } from '../runtime/session.ts'
import type { Random } from '../util/random.ts'
import { drawBatch } from './batches.ts'
import type { RunConfig } from './config.ts'
import type { FrameCache } from './frame-cache.ts'
import type { PerceptualLoss } from './perceptual.ts'
import { makePreview } from './previews.ts'
import { Reconstructor } from './reconstruction.ts'
import { buildTrainingStep } from './step.ts'
import type { Task } from './task.ts'
import { drawTransform } from './transform.ts'

/**
 * Training without labels: each step drives frames by other frames of their clip.
 *
 * @param openSession opens the session that makes previews
 */
export async function reconstructionTask(
  { model, training }: RunConfig,
  cache: FrameCache,
  openSession: OpenSession,
  perceptual?: PerceptualLoss,
): Promise<Task> {
  const { batch, augment, transform } = training
  const colour = augment.colour > 0
  const step = buildTrainingStep(model, {
    ...{ batch, transform, colour },
    scales: training.scales,
    weights: training.losses,
    adam: training.adam,
    ...(perceptual && { perceptual }),
  })
  const reconstructor = await Reconstructor.create(model, step, openSession)
  return {
    step,
    draw(random: Random): Tensors {
      const drawn = drawBatch(random, cache, batch, augment)
      const { theta, spline } = drawTransform(random, batch, transform)
      return {
        frames: tensor('uint8', [2 * batch, model.size, model.size, 3], drawn.frames),
        ...(colour && { colour: floats(drawn.colour, [batch, 3, 4]) }),
        theta: floats(theta, [batch, 2, 3]),
        spline: floats(spline, [batch, transform.points ** 2, 1]),
      }
    },
    preview: (state) => makePreview(reconstructor, cache, state),
    close: () => reconstructor.close(),
  }
}
