import { isDeepStrictEqual } from 'node:util'
import { detectorGraph } from '../../motion/model.ts'
import type { Design } from '../../zoo/design.ts'
import { rewriteExactly } from '../exact/rewrite-exactly.ts'
import { profile } from '../profile.ts'
import { timeGraphs } from '../time-graphs.ts'
import { writeCost } from './candidate.ts'
import type { Hooks } from './child.ts'
import { detectorOf, type SearchPlan } from './plan.ts'

/** Timed runs of each: about two seconds with their rests, after which quartiles of a ratio are 3% apart or less. */
const rounds = 21

export interface CostTask {
  readonly plan: SearchPlan
  readonly design: Design
  /** The candidate's own folder. */
  readonly folder: string
}

/**
 * Times a design's detector and the reference's in turn, written as `track` and `animate` run them, counts it, and
 * writes latency.json.
 *
 * @throws EnvironmentError where the device is not there. The signal's reason where it aborts.
 */
export async function measureCostOf(
  { plan, design, folder }: CostTask,
  { signal }: Hooks = {},
): Promise<void> {
  const { device, threads, seed } = plan
  const graphOf = (one: Design) => () => detectorGraph(detectorOf(plan, one))
  // Against itself there is nothing to see but noise.
  const others = isDeepStrictEqual(design, plan.reference) ? [] : [graphOf(plan.reference)]
  const timed = await timeGraphs([graphOf(design), ...others], {
    ...{ rounds, threads, seed, device, rewrite: rewriteExactly },
    ...(signal && { signal }),
  })
  const [own, reference = own] = timed.latencies.map(({ median }) => median)
  const { params, macs } = profile(graphOf(design)())
  await writeCost(folder, {
    ratio: own! / reference!,
    ms: own!,
    referenceMs: reference!,
    ...{ rounds, device: timed.device, params, macs },
  })
}
