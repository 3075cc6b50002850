// `pantin gather`: collects from a store what a job on a cluster has done, and reports as the command that filed it would.
import { join, resolve } from 'node:path'
import { InputError } from '../../util/errors.ts'
import { defined } from '../../util/options.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import { type ReportFlags, wholeNumber, withReportFlags } from '../options.ts'
import { reportVideos } from '../videos.ts'
import { reportStudy, studyProgress } from './study.ts'

interface GatherFlags extends ReportFlags {
  readonly store?: string
  readonly latency: boolean
  readonly rounds?: number
}

/** `pantin gather FOLDER`. */
export const addGather: AddCommand = (program, call) => {
  const command = program
    .command('gather')
    .summary('collect what a job on a cluster has done, and report')
    .description(
      'Collects results of a study, or of a folder of videos, that was filed with --emit. It may be called again while the job goes on.',
    )
    .argument('<folder>', 'the folder that was given as --out')
    .option('--store <folder|s3>', 'the store, if it has another name on this machine')
    .option('--no-latency', 'study: do not measure latency')
    .option(
      '--rounds <n>',
      'study: timed runs of each detector',
      wholeNumber('--rounds', { min: 1, max: 100_000 }),
    )
  withCommonFlags(withPlugins(withReportFlags(command, 'a page', 'study'))).action(call(runGather))
}

async function runGather({ reporter, signal }: Context, named: string, flags: GatherFlags): Promise<void> {
  const { readWhole } = await import('../../files/read.ts')
  const { exists } = await import('../../files/folders.ts')
  const { openStore } = await import('../../work/open-store.ts')
  const { GatheringRunner, readFiled } = await import('../../work/emit.ts')
  const folder = resolve(named)
  const list = join(folder, 'tasks.json')
  if (!(await exists(list))) {
    throw new InputError({
      what: 'nothing was filed from this folder',
      where: folder,
      expected: 'a folder that study, track or animate has made with --emit',
    })
  }
  const filed = readFiled((await readWhole(list, 'a list of tasks', 1 << 28)).toString('utf8'), list)
  const runner = new GatheringRunner(await openStore(flags.store ?? filed.store), folder, filed)
  await reporter.prepare()
  if (filed.videos !== undefined) {
    const { processVideos, readVideosPlan } = await import('../../work/videos.ts')
    const { from, videos, overlay } = filed.videos
    const { settings } = await readVideosPlan(folder)
    const rows = await processVideos({
      ...{ settings, from, videos, out: folder, runner, signal },
      ...defined({ overlay }),
      onProgress: ({ done, total }) => reporter.progress({ phase: 'gather', done, total, unit: 'videos' }),
    })
    return reportVideos(reporter, rows, { out: folder, from, interrupted: signal.aborted })
  }
  const { readStudyPlan } = await import('../../study/trials/plan.ts')
  const { studyPlanned } = await import('../../study/trials/study.ts')
  const plan = await readStudyPlan(folder)
  if (plan === undefined) throw new InputError({ what: 'there is no study in this folder', where: folder })
  const { latency, rounds } = flags
  const found = await studyPlanned(plan, {
    ...{ out: folder, runner, latency, signal },
    ...defined({ rounds }),
    ...(await studyProgress(reporter)),
  })
  await reportStudy({ reporter, signal }, found, {
    out: folder,
    ...defined({ csv: flags.csv, html: flags.html }),
  })
}
