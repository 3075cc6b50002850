// The flags that take work to other machines, and the runners that they stand for: workers, or the scheduler of a cluster.
import { join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { InputError } from '../util/errors.ts'
import type { Filed, Scheduler } from '../work/emit.ts'
import type { RemoteRunner } from '../work/remote.ts'
import type { Kind, Runner } from '../work/task.ts'
import type { Reporter } from './context.ts'
import { commandLine } from './process.ts'

export interface QueueFlags {
  readonly queue?: string | true
  readonly store?: string
}

export interface MachineFlags extends QueueFlags {
  readonly emit?: Scheduler
  /** Results are made again, even if the store has them. Only some commands have this flag. */
  readonly force?: true
}

const storeFlag = ['--store <folder|s3>', 'a folder that all machines share, or s3://BUCKET/PREFIX'] as const
const queueFlag = ['--queue [redis://host:port]', 'Redis or Valkey (without an address: REDIS_URL)'] as const

/** Adds `--store`, which must be given, and `--queue`. */
export const withQueueFlags = (command: Command): Command =>
  command.requiredOption(...storeFlag).option(...queueFlag)

/** Adds the flags of commands whose work other machines may do. */
export const withMachineFlags = (command: Command): Command =>
  command
    .option(storeFlag[0], `let workers do the work, through this store: ${storeFlag[1]}; see worker`)
    .option(queueFlag[0], `tell workers at once, through ${queueFlag[1]}`)
    .addOption(
      new Option(
        '--emit <scheduler>',
        'do not work: put the tasks into --store and write a job for a cluster into --out; then see gather',
      )
        .choices(['slurm', 'k8s'])
        .conflicts('queue'),
    )

/** The address of the queue. @throws InputError */
export async function queueOf({ queue }: QueueFlags) {
  if (queue === undefined) return undefined
  const { parseQueue } = await import('../work/queue.ts')
  // Lists of processes show arguments, unless the process has a title of its own.
  if (queue !== true && queue.includes('@')) process.title = 'pantin'
  if (queue !== true) return parseQueue(queue)
  const { REDIS_URL: address = '' } = process.env
  if (address !== '') return parseQueue(address)
  throw new InputError({
    what: 'the address of the queue is missing',
    where: '--queue',
    got: 'no address, and REDIS_URL is not set',
    expected: 'redis://HOST:PORT, or rediss://HOST:PORT for TLS',
    remedy: 'name the address after --queue, or set REDIS_URL',
  })
}

/** How work is done, as the flags say. */
export interface Workforce {
  /** Undefined: processes of this machine. */
  readonly runner: Runner | undefined
  /** Workers elsewhere, if these do the work. */
  readonly remote: RemoteRunner | undefined
  /** With `--emit`: writes the job, once its tasks are in the store. */
  readonly emit: ((videos?: Filed['videos']) => Promise<Emitted>) | undefined
  /** Ends what was opened. */
  close(): Promise<void>
}

/** The whole path of a file or folder. A starter and a synthetic clip have names that are no paths, and keep them. */
export async function wholePath(name: string): Promise<string> {
  const { exists } = await import('../files/folders.ts')
  return (await exists(name)) ? resolve(name) : name
}

/** What `--emit` wrote. */
export interface Emitted {
  readonly job: string
  readonly tasks: number
  readonly text: string
}

/**
 * Opens what the flags name.
 *
 * @param out folder of the results
 * @throws InputError if flags do not go together; EnvironmentError if a server does not answer.
 */
export async function openWorkforce(
  reporter: Reporter,
  flags: MachineFlags,
  out: string,
): Promise<Workforce> {
  const { store: named, queue, emit, force: again = false } = flags
  if (named === undefined && queue === undefined && emit === undefined) {
    return { runner: undefined, remote: undefined, emit: undefined, close: async () => {} }
  }
  const address = await queueOf(flags)
  if (named === undefined) throw withoutStore(emit === undefined ? '--queue' : '--emit')
  const { openStore } = await import('../work/open-store.ts')
  const store = await openStore(named)
  if (emit !== undefined) {
    const { FilingRunner } = await import('../work/emit.ts')
    const runner = new FilingRunner(store, resolve(out), again)
    const where = named.startsWith('s3:') ? named : resolve(named)
    return {
      ...{ runner, remote: undefined, close: async () => {} },
      emit: (videos) =>
        writeJob(emit, out, { format: 1, store: where, tasks: runner.tasks, ...(videos && { videos }) }),
    }
  }
  const { RemoteRunner: Remote } = await import('../work/remote.ts')
  const { TaskQueue } = await import('../work/queue.ts')
  const opened = address === undefined ? undefined : await TaskQueue.open(address)
  const onNote = (text: string) => reporter.note(`pantin: ${text}`)
  const remote = new Remote({ store, queue: opened, again, onNote })
  return {
    ...{ runner: remote, remote, emit: undefined },
    close: () => remote.close(),
  }
}

const withoutStore = (where: string): InputError =>
  new InputError({
    what: 'other machines need a store, from which they take inputs and where they put results',
    where,
    remedy: 'name one with --store: a folder that all machines share, or s3://BUCKET/PREFIX',
  })

async function writeJob(emit: Scheduler, out: string, filed: Filed): Promise<Emitted> {
  const { filedFile, schedulerFile, schedulerText } = await import('../work/emit.ts')
  const { writeFileAtomic } = await import('../files/atomic.ts')
  const folder = resolve(out)
  const tasks = Object.keys(filed.tasks).length
  await writeFileAtomic(join(folder, filedFile), `${JSON.stringify(filed, null, 1)}\n`)
  const job = join(folder, schedulerFile[emit])
  await writeFileAtomic(job, schedulerText(emit, { store: filed.store, tasks, out: folder }))
  return { job, tasks, text: jobText(emit, job, tasks, folder) }
}

function jobText(emit: Scheduler, job: string, tasks: number, folder: string): string {
  const submit = emit === 'slurm' ? ['sbatch', job] : ['kubectl', 'apply', '-f', job]
  return [
    `${tasks} tasks are in the store; wrote ${job}`,
    `submit it with:  ${commandLine(submit)}`,
    `then:            ${commandLine(['pantin', 'gather', folder])}`,
  ].join('\n')
}

/**
 * Writes a job for a command that makes tasks as it goes on, such as a search. On Slurm, whose nodes share the file system,
 * the command is the first element of the job. Pods see nothing but the store, so for Kubernetes the command runs here.
 *
 * @param words the command, without `pantin`
 */
export async function emitCoordinator(
  emit: Scheduler,
  { out, store, tasks }: { readonly out: string; readonly store: string | undefined; readonly tasks: number },
  words: readonly string[],
): Promise<Emitted> {
  if (store === undefined) throw withoutStore('--emit')
  const { schedulerFile, schedulerText } = await import('../work/emit.ts')
  const { writeFileAtomic } = await import('../files/atomic.ts')
  const { makeFolder } = await import('../files/folders.ts')
  const { openStore } = await import('../work/open-store.ts')
  await openStore(store)
  const folder = resolve(out)
  await makeFolder(`${folder}-job`)
  const job = join(`${folder}-job`, schedulerFile[emit])
  const where = store.startsWith('s3:') ? store : resolve(store)
  const coordinator = { from: process.cwd(), command: commandLine(words) }
  await writeFileAtomic(job, schedulerText(emit, { store: where, tasks, out: folder, coordinator }))
  const then = emit === 'slurm' ? '' : `\nthen:            ${commandLine(['pantin', ...words])}`
  const submit = emit === 'slurm' ? ['sbatch', job] : ['kubectl', 'apply', '-f', job]
  return { job, tasks, text: `wrote ${job}\nsubmit it with:  ${commandLine(submit)}${then}` }
}

/** All kinds of tasks. */
export async function taskKinds(): Promise<readonly Kind[]> {
  const { trialKind } = await import('../study/trials/trial.ts')
  const { rungKind } = await import('../study/search/candidate.ts')
  const { videoKind } = await import('../work/videos.ts')
  return [trialKind, rungKind, videoKind] as unknown as Kind[]
}

/** Variables that are secret. Child processes of a worker have no use for them. */
const secrets: readonly string[] = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'REDIS_PASSWORD',
  'REDIS_USERNAME',
  'REDIS_URL',
]

/** Takes secrets out of this process's environment, after they have been read. */
export function hideSecrets(): void {
  for (const name of secrets) delete process.env[name]
}
