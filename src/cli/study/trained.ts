import { resolve } from 'node:path'
import type { StudyOptions } from '../../study/trials/study.ts'
import { InputError } from '../../util/errors.ts'
import { defined } from '../../util/options.ts'
import type { Context } from '../context.ts'
import type { TrialFlags } from './trial-flags.ts'

/** What `compare --train` is asked for, besides its own flags. */
export interface TrainedRequest extends TrialFlags {
  readonly train: readonly string[]
  readonly options: Pick<
    StudyOptions,
    | 'nets'
    | 'size'
    | 'keypoints'
    | 'head'
    | 'dilations'
    | 'device'
    | 'rounds'
    | 'threads'
    | 'latency'
    | 'force'
  >
  readonly html?: string
  readonly csv?: string
}

/** `pantin compare --train`: trains, reports, and writes what is asked for. Partial results are reported too. */
export async function runTrained({ reporter, signal }: Context, request: TrainedRequest): Promise<void> {
  const { train: named, options, html, csv, out, ...flags } = request
  const { teacher, methods, skips, seeds, jobs, steps, minutes, batch, holdout, fit } = flags
  if (out === undefined) throw noFolder()
  const { listClips } = await import('../../clips/clip-list.ts')
  const clips = await listClips(named)
  const test = flags.test && (await listClips(flags.test))
  const { study } = await import('../../study/trials/study.ts')
  const { trialKey } = await import('../../study/trials/plan.ts')
  await reporter.prepare()
  const found = await study(clips, {
    ...options,
    ...defined({ test, teacher, methods, skips, seeds, jobs, steps, minutes, batch, holdout, fit }),
    ...{ out, signal },
    onTrials: ({ done, total, progress, etaSeconds, trial }) =>
      reporter.progress({
        ...{ phase: 'trials', done, total, progress, unit: 'trials', rate: 0 },
        ...defined({ etaSeconds, now: trial && trialKey(trial) }),
      }),
    onReport: (event) => reporter.progress(event),
  })
  const { writeFileAtomic } = await import('../../files/atomic.ts')
  if (csv !== undefined) {
    const { studyCsv } = await import('../../report/csv.ts')
    await writeFileAtomic(csv, studyCsv(found))
  }
  if (html !== undefined) {
    const { drawStrips } = await import('../../study/trials/pictures.ts')
    const { studyPage } = await import('../../report/study-page.ts')
    const strips = await drawStrips(resolve(out), found.plan, found.trials, {
      ...(!signal.aborted && { signal }),
      onProgress: (done, total) => reporter.progress({ phase: 'pictures', done, total, unit: 'networks' }),
    })
    await writeFileAtomic(html, studyPage(found, strips))
  }
  const { studyJson } = await import('../../report/study-text.ts')
  const { describeStudy } = await import('../../report/study-text.ts')
  const written = [html, csv].filter((path) => path !== undefined)
  const value = {
    out: resolve(out),
    ...studyJson(found),
    interrupted: signal.aborted,
    html: html ?? null,
    csv: csv ?? null,
  }
  reporter.result(value, () =>
    [describeStudy(found), written.map((path) => `wrote ${path}`).join('\n')].filter(Boolean).join('\n\n'),
  )
  // Some ended without a result: scripts have to know.
  if (found.unfinished > 0 && !signal.aborted) process.exitCode = 1
}

function noFolder(): InputError {
  return new InputError({
    what: 'trials need a folder',
    where: '--out',
    got: 'nothing',
    expected: 'a folder that keeps their results, so that a comparison can go on where it was stopped',
  })
}
