// Work on other machines: `pantin worker` does tasks of studies, searches, track and animate that commands have put into a
// store, `pantin queue` shows them, and `pantin gather` collects what a job on a cluster has done.
import { join, resolve } from 'node:path'
import { Option } from 'commander'
import { formatCount, formatSeconds, percent, table } from '../../report/format.ts'
import { InputError } from '../../util/errors.ts'
import { defined } from '../../util/options.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import { hideSecrets, type QueueFlags, queueOf, taskKinds, withQueueFlags } from '../machines.ts'
import { type ReportFlags, wholeNumber, withReportFlags } from '../options.ts'
import { reportVideos } from '../videos.ts'
import { assertOwnReports, reportStudy, studyProgress } from './study.ts'

interface WorkerFlags extends QueueFlags {
  readonly store: string
  readonly jobs?: number
  readonly drain?: true
  readonly idle?: number
  readonly lease?: number
  readonly checkpoint?: number
  readonly scratch?: string
  readonly metrics?: number
}

/** `pantin worker --store STORE [--queue URL]`. */
export const addWorker: AddCommand = (program, call) => {
  const command = program
    .command('worker')
    .summary('do tasks that commands on other machines have put into a store')
    .description(
      'Takes tasks from a queue, or from a store alone, and does each in a child process. Inputs come from the store. Checkpoints and results go there. Ctrl-C saves the running tasks and gives them back.',
    )
  withQueueFlags(command)
    .option(
      '--jobs <n>',
      'tasks at a time, each on its share of the cores (default: 1)',
      wholeNumber('--jobs', { min: 1, max: 256 }),
    )
    .addOption(new Option('--drain', 'end when no task is left to take (without --queue)').conflicts('queue'))
    .addOption(
      new Option('--idle <seconds>', 'end when there was no task for so long (without --queue)')
        .argParser(wholeNumber('--idle', { max: 1_000_000 }))
        .conflicts(['queue', 'drain']),
    )
    .option(
      '--lease <seconds>',
      'silence after which another worker takes a task over (default: 30)',
      wholeNumber('--lease', { min: 2, max: 3600 }),
    )
    .option(
      '--checkpoint <seconds>',
      'between checkpoints that go to the store (default: 60)',
      wholeNumber('--checkpoint', { min: 1, max: 86_400 }),
    )
    .option(
      '--scratch <folder>',
      'for inputs and running tasks (default: .cache/pantin/worker in the home folder)',
    )
    .option(
      '--metrics <port>',
      'also serve numbers for Prometheus at this port of this machine, as /metrics',
      wholeNumber('--metrics', { max: 65_535 }),
    )
  withCommonFlags(withPlugins(command)).action(call(runWorker))
}

async function runWorker({ reporter, signal }: Context, flags: WorkerFlags): Promise<void> {
  const { jobs, lease, checkpoint: checkpointSeconds, drain, scratch, metrics: metricsPort } = flags
  const { openStore } = await import('../../work/open-store.ts')
  const { work } = await import('../../work/worker.ts')
  const { defined } = await import('../../util/options.ts')
  const queue = await queueOf(flags)
  // A worker that waits may be started before the command that makes the tasks. One that drains a store needs one.
  const store = await openStore(flags.store, { make: drain === undefined })
  hideSecrets()
  const made = await work({
    ...{ store, queue, kinds: await taskKinds(), signal },
    ...defined({ jobs, lease, checkpointSeconds, scratch, metricsPort, idle: drain ? 0 : flags.idle }),
    onNews: (event) => {
      if (event.kind === 'ready') {
        const from = queue === undefined ? store.name : `${queue.name} and ${store.name}`
        const page = event.metrics === undefined ? '' : `; numbers at ${event.metrics}`
        reporter.note(`worker ${event.name}: takes tasks from ${from}${page}`)
      } else {
        const why = 'reason' in event ? `: ${event.reason.split('\n').join('; ')}` : ''
        reporter.note(`${event.task} ${event.id.slice(0, 12)} ${event.kind}${why}`)
      }
    },
  })
  reporter.result(made, () => {
    const failed = made.failed === 0 ? '' : `, ${formatCount(made.failed)} failed`
    return `${formatCount(made.done)} tasks done${failed}, ${formatSeconds(made.seconds)}`
  })
}

/** `pantin queue --status --store STORE [--queue URL]`. */
export const addQueue: AddCommand = (program, call) => {
  const command = program
    .command('queue')
    .summary('see what workers are doing')
    .description(
      'Shows how many tasks wait, run and failed, and the workers with their rates. Workers tell of themselves in the store.',
    )
    .option('--status', 'show it (default)')
  withQueueFlags(command)
  withCommonFlags(command).action(call(runQueue))
}

async function runQueue(
  { reporter }: Context,
  flags: QueueFlags & { readonly store: string },
): Promise<void> {
  const { openStore } = await import('../../work/open-store.ts')
  const { readWorkers } = await import('../../work/remote.ts')
  const { TaskQueue } = await import('../../work/queue.ts')
  const { idIn } = await import('../../work/transfer.ts')
  const address = await queueOf(flags)
  const store = await openStore(flags.store, { make: false })
  const idsUnder = async (prefix: string) => {
    const ids = new Set<string>()
    for await (const { key } of store.list(prefix)) ids.add(idIn(key))
    return ids
  }
  const queue = address === undefined ? undefined : await TaskQueue.open(address)
  const inQueue = await queue?.counts()
  await queue?.close()
  const workers = await readWorkers(store)
  const [open, done, failed] = await Promise.all(['tasks/', 'results/', 'failures/'].map(idsUnder))
  const tasks = {
    // A failed task stays in the store, and the same command tries it again.
    open: [...open!].filter((id) => !failed!.has(id)).length,
    done: done!.size,
    failed: failed!.size,
    // What a worker told of may have ended since.
    running: new Set(
      workers.flatMap(({ running }) => running.map(({ id }) => id)).filter((id) => open!.has(id)),
    ).size,
  }
  const value = { store: store.name, queue: queue?.name ?? null, inQueue: inQueue ?? null, tasks, workers }
  reporter.result(value, () => {
    const { open, done, failed, running } = tasks
    const lines = [
      `${store.name}: ${formatCount(open)} tasks open, ${formatCount(running)} of them running; ` +
        `${formatCount(done)} done, ${formatCount(failed)} failed`,
    ]
    if (queue !== undefined && inQueue !== undefined) {
      lines.push(
        `${queue.name}: ${formatCount(inQueue.waiting)} waiting, ${formatCount(inQueue.running)} taken`,
      )
    }
    if (workers.length === 0) lines.push('no worker is at work')
    else {
      const rows = workers.map((worker) => [
        worker.name,
        String(worker.done),
        String(worker.failed),
        `${((3600 * worker.done) / Math.max(1, worker.seconds)).toFixed(1)}`,
        worker.running.map(({ kind, part }) => `${kind} ${percent(part)}`).join(', ') || 'nothing',
      ])
      lines.push('', table(rows, ['worker', 'done', 'failed', 'per hour', 'now']))
    }
    return lines.join('\n')
  })
}

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
  const { filedFile, GatheringRunner, readFiled } = await import('../../work/emit.ts')
  const folder = resolve(named)
  const list = join(folder, filedFile)
  if (!(await exists(list))) {
    throw new InputError({
      what: 'nothing was filed from this folder',
      where: folder,
      expected: 'a folder that study, track or animate has made with --emit',
    })
  }
  const filed = readFiled((await readWhole(list, 'a list of tasks', 1 << 28)).toString('utf8'), list)
  if (filed.videos !== undefined) assertNoStudyFlags(flags, folder)
  else await assertOwnReports(folder, flags)
  const store = await openStore(flags.store ?? filed.store, { make: false })
  const runner = new GatheringRunner(store, folder, filed)
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

/** @throws InputError for a flag that folders of videos have no use for. */
function assertNoStudyFlags({ csv, html, latency, rounds }: GatherFlags, folder: string): void {
  const given = {
    '--csv': csv,
    '--html': html,
    '--no-latency': latency ? undefined : true,
    '--rounds': rounds,
  }
  const [where] = Object.entries(given).find(([, value]) => value !== undefined) ?? []
  if (where === undefined) return
  throw new InputError({
    what: 'this option is for studies',
    where,
    got: folder,
    expected: 'the folder of a study',
    remedy: 'leave it out: this is a folder of videos',
  })
}
