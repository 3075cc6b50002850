import { encodePicture } from '../../src/media/picture.ts'
import type { Strips } from '../../src/report/study-page.ts'
import { makePlan, type Trial, type TrialPlan, trialKey, trialsOf } from '../../src/study/trials/plan.ts'
import type { TrialState } from '../../src/study/trials/run-trials.ts'
import { reportOn, type TrainedComparison } from '../../src/study/trials/study.ts'
import { Random } from '../../src/util/random.ts'
import { fakeMachine } from '../study/compare-fake.ts'

export interface Sample {
  readonly found: TrainedComparison
  readonly strips: Strips
}

export interface SampleOptions {
  /** Default: all. */
  readonly nets?: readonly string[]
  readonly latency: boolean
}

/** Networks of the zoo that were never trained: their times and results are made up, and the same in every run. */
export async function sampleTrained({ nets, latency }: SampleOptions): Promise<Sample> {
  const alone = await makePlan(['puppet:1,frames=10,size=64'], nets === undefined ? {} : { nets })
  const plan: TrialPlan = {
    ...alone,
    methods: ['distilled', 'scratch'],
    settings: { ...alone.settings, teacher: '/somewhere/secret/teacher.onnx' },
    skipped: [{ net: 'toonew', reason: 'the size <does> not fit' }],
  }
  const random = new Random(1)
  const trials = trialsOf(plan).map((trial) => stateOf(trial, plan, random))
  const found = await reportOn(plan, trials, {
    ...{ latency, rounds: 3, threads: 2, ...fakeMachine() },
    rewrite: async (network) => network,
  })
  return { found, strips: await madeUpStrips(plan) }
}

/** One diverged, one was killed. */
function stateOf(trial: Trial, { nets }: TrialPlan, random: Random): TrialState {
  const at = nets.indexOf(trial.net)
  if (trial.seed === 44 && at === 0) {
    const reason = 'training stopped at step 3: a number is not finite'
    return { trial, result: { status: 'failed', trial, reason, wallSeconds: 2 } }
  }
  if (trial.seed === 44 && at === 1)
    return { trial, result: undefined, problem: 'its process ended with SIGKILL' }
  const worse = 1 + 0.05 * at + random.uniform() * 0.1
  const measures: Record<string, number> =
    trial.method === 'distilled'
      ? { distance: 0.03 * worse, jacobian: 0.2 * worse, equivariance: 0.01, seconds: 60 * worse }
      : { ratio: 0.6 * worse, l1: 0.02 * worse, psnr: 28 / worse, ssim: 0.9 / worse, seconds: 70 * worse }
  return { trial, result: { status: 'done', trial, measures, frames: 20, device: 'cpu', wallSeconds: 80 } }
}

async function madeUpStrips(plan: TrialPlan): Promise<Strips> {
  const [width, height] = [48, 8]
  const data = new Uint8Array(3 * width * height).fill(120)
  const picture = await encodePicture('.webp', { width, height, data, time: 0, duration: 0 })
  const trials = new Map(trialsOf(plan).map((trial) => [trialKey(trial), picture]))
  return { teacher: picture, trials, width, height }
}
