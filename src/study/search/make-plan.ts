import { availableParallelism } from 'node:os'
import { openDetector } from '../../model/open-detector.ts'
import type { DistilLosses } from '../../train/distil/config.ts'
import { labelLayout, lossesFor } from '../../train/distil/labels.ts'
import { checkedOptions } from '../../util/option-schema.ts'
import { ficelleDesign } from '../../zoo/ficelle.ts'
import { contentsOf } from '../plan-contents.ts'
import { eta } from './halving.ts'
import { detectorOf, planSchema, type SearchPlan } from './plan.ts'

/** What a search is asked for; what is not given has a default. */
export interface PlanOptions
  extends Partial<
    Omit<
      SearchPlan,
      'format' | 'clips' | 'test' | 'teacher' | 'size' | 'keypoints' | 'jacobian' | 'losses' | 'contents'
    >
  > {
  /** A run folder, or an ONNX file with an output `value` [N, K, 2] in [-1, 1]. */
  readonly teacher: string
  readonly test?: readonly string[]
  /** Weights of losses; those that are not given have their defaults, or 0 where the teacher does not give what they need. */
  readonly losses?: Partial<DistilLosses>
}

/**
 * Resolves a plan, and opens all that it names once, so that what cannot be used is known before the first training.
 *
 * @param clips videos or puppet specs to train on
 * @throws InputError for clips, a teacher or options that cannot be used.
 */
export async function makePlan(clips: readonly string[], options: PlanOptions): Promise<SearchPlan> {
  const { test = [], teacher, candidates = 27, losses: _, ...rest } = options
  const seen = await whatTeacherSees(options)
  const plan = checkedOptions(planSchema.omit({ contents: true }), {
    ...{ format: 1, clips: [...clips], test: [...test], teacher, ...seen },
    ...{ steps: 100, rungs: 3, latency: 1, seed: 1, batch: 8, fit: 'crop', device: 'auto' },
    ...{ candidates, mutations: Math.floor(candidates / eta) },
    ...{ holdout: test.length > 0 ? 0 : 0.2, threads: availableParallelism(), reference: ficelleDesign },
    ...rest,
  })
  // A size that no detector takes ends here.
  detectorOf(plan, plan.reference)
  return { ...plan, contents: await contentsOf(plan) }
}

/** What students will see and give. @throws InputError where the teacher lacks what the losses need. */
async function whatTeacherSees({ teacher, losses, device }: PlanOptions) {
  const detector = await openDetector(teacher, { details: true, ...(device !== undefined && { device }) })
  try {
    const grids = { heatmap: [1, 1], features: [1, 1] } as const
    const given = lossesFor(detector, losses)
    labelLayout(detector, given, grids)
    const { size, keypoints, jacobian } = detector
    return { size, keypoints, jacobian, losses: given }
  } finally {
    await detector.close()
  }
}
