import { makePlan, type PlanOptions } from './make-plan.ts'
import { beginPlan } from './plan-file.ts'
import { type ReportOptions, type ReportProgress, reportOn, type TrainedComparison } from './report.ts'
import { type RunTrialsOptions, runTrials, type TrialsProgress } from './run-trials.ts'

export interface CompareTrainedOptions
  extends PlanOptions,
    Pick<ReportOptions, 'latency' | 'rounds' | 'threads' | 'budgetSeconds' | 'clock' | 'openSession'>,
    Pick<RunTrialsOptions, 'jobs' | 'runOne'> {
  /** Folder of the comparison: the same call goes on where an earlier one was stopped. */
  readonly out: string
  /** Replace another comparison that is in `out`. */
  readonly force?: boolean
  /** Ends the trials: what they came to so far is reported, without latency. */
  readonly signal?: AbortSignal
  onTrials?(event: TrialsProgress): void
  onReport?(event: ReportProgress): void
}

/**
 * Trains detectors on every network, on the same clips with the same budget and seeds, and compares what they learned
 * with what they cost. Each trial is a process of its own and keeps its result in `out`; a call that was stopped or
 * killed loses at most what the running trial has not saved.
 *
 * @param clips videos or puppet specs to train on
 * @throws InputError for clips, a teacher, networks, options or a folder that cannot be used, before the first trial;
 * EnvironmentError where the disk or the device fails, or no trial came to a result.
 */
export async function compareTrained(
  clips: readonly string[],
  options: CompareTrainedOptions,
): Promise<TrainedComparison> {
  const { out, force, signal, onTrials, onReport, jobs, runOne, ...rest } = options
  const plan = await makePlan(clips, rest)
  const { folder, lock } = await beginPlan(out, plan, { force: force ?? false })
  try {
    const trials = await runTrials(folder, plan, {
      ...(jobs !== undefined && { jobs }),
      ...(signal && { signal }),
      ...(onTrials && { onProgress: onTrials }),
      ...(runOne && { runOne }),
    })
    return await reportOn(plan, trials, {
      ...rest,
      ...(signal?.aborted ? { latency: false } : signal && { signal }),
      ...(onReport && { onProgress: onReport }),
    })
  } finally {
    lock.release()
  }
}
