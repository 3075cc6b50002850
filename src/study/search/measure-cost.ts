import { isDeepStrictEqual } from 'node:util'
import { detectorGraph } from '../../motion/model.ts'
import { rewriteExactly } from '../../optimise/rewrite-exactly.ts'
import { profile } from '../../profile/profile.ts'
import { timeGraphs } from '../../profile/time-graphs.ts'
import type { Hooks } from '../../util/child-process.ts'
import type { Design } from '../../zoo/design.ts'
import { writeCost } from './candidate.ts'
import { detectorOf, type SearchPlan } from './plan.ts'

/**
 * Timed runs of each: first a few, then more where these leave open on which side of the limit a design is. While two
 * other programs kept both cores busy, 21 runs told equal designs apart by 5% (standard deviation, 8 times).
 */
const [fewRounds, moreRounds] = [21, 63]
/** A few rounds are enough where ratio and limit are further apart than this factor. */
const clear = 1.15

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
  const time = async (rounds: number) => {
    const timed = await timeGraphs([graphOf(design), ...others], {
      ...{ rounds, threads, seed, device, rewrite: rewriteExactly },
      ...(signal && { signal }),
    })
    const [ms, referenceMs = ms] = timed.latencies.map(({ median }) => median)
    return { ratio: ms! / referenceMs!, ms: ms!, referenceMs: referenceMs!, rounds, device: timed.device }
  }
  const first = await time(fewRounds)
  const relative = first.ratio / plan.latency
  const isOpen = others.length > 0 && relative < clear && relative > 1 / clear
  const measured = isOpen ? await time(moreRounds) : first
  const { params, macs } = profile(graphOf(design)())
  await writeCost(folder, { ...measured, params, macs })
}
