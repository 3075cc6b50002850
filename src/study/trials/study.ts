// A study: detectors on every network are trained and measured side by side.
import type { CompareProgress } from '../candidates.ts'
import { makePlan, openStudy, type PlanOptions } from './plan.ts'
import { type ReportOptions, reportOn, type TrainedComparison } from './report.ts'
import { type RunTrialsOptions, runTrials, type TrialsProgress } from './run-trials.ts'

/** What `study` trains and compares, and where it keeps its results. */
export interface StudyOptions
  extends PlanOptions,
    Pick<ReportOptions, 'latency' | 'rounds' | 'threads' | 'budgetSeconds'>,
    Pick<RunTrialsOptions, 'jobs'> {
  /** Folder of the study. The same call goes on where an earlier one was stopped. */
  readonly out: string
  /** Replace another study that is in `out`. */
  readonly force?: boolean
  /** Ends the trials. The results so far are reported, without latency. */
  readonly signal?: AbortSignal
  /** Called as trials go on. */
  onTrials?(event: TrialsProgress): void
  /** Called after each step of the report, which follows the trials. */
  onReport?(event: CompareProgress): void
}

/** The clock, the sessions and the trials of a study, which tests replace. */
export type StudyTools = Pick<ReportOptions, 'clock' | 'openSession'> & Pick<RunTrialsOptions, 'runOne'>

/**
 * Trains detectors on every network, on the same clips with the same budget and seeds, and compares what they learned
 * with what they cost. Each trial is a process of its own and keeps its result in `out`. A call that was stopped or
 * killed loses at most what the running trial has not saved.
 *
 * @param clips videos or puppet specs to train on
 * @throws InputError for clips, a teacher, networks, options or a folder that cannot be used, before the first trial;
 * EnvironmentError where the disk or the device fails.
 */
export function study(clips: readonly string[], options: StudyOptions): Promise<TrainedComparison> {
  return studyWith(clips, options)
}

/** `study` with a clock, sessions and trials that a test controls. @throws as `study` */
export async function studyWith(
  clips: readonly string[],
  options: StudyOptions & StudyTools,
): Promise<TrainedComparison> {
  const { out, force, signal, onTrials, onReport, jobs, runOne, ...rest } = options
  const plan = await makePlan(clips, rest)
  const { folder, lock } = await openStudy(out, plan, { force: force ?? false })
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

/** @deprecated Use `study`, of which this is the earlier name. */
export const compareTrained = study
/** @deprecated Use `StudyOptions`, of which this is the earlier name. */
export type CompareTrainedOptions = StudyOptions
