// Work for a cluster that has a scheduler of its own: tasks are filed in the store, an array job of Slurm or an Indexed Job of
// Kubernetes claims them there, and `pantin gather` collects the results.
import { relative } from 'node:path'
import { z } from 'zod'
import { EnvironmentError, FormatError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import { collect, type FiledTask, failureOf, RemoteRunner } from './remote.ts'
import type { Kind, Place, Runner, Store } from './task.ts'
import { keys } from './transfer.ts'

/** Schedulers that files are written for. */
export const schedulers = ['slurm', 'k8s'] as const
export type Scheduler = (typeof schedulers)[number]

/** Name of the file that a scheduler takes, in the folder of results. */
export const schedulerFile: Readonly<Record<Scheduler, string>> = { slurm: 'slurm.sh', k8s: 'k8s.yaml' }

/** Name of the list of filed tasks, in the folder of results. */
export const filedFile = 'tasks.json'

/** The content of this list: what was filed in a store, by the tasks' own folders. */
export const filedSchema = z.object({
  format: z.literal(1),
  /** The store as it was named. It holds no password. */
  store: z.string(),
  tasks: z.record(
    z.string(),
    z.object({ id: z.string().regex(/^[0-9a-f]{64}$/), inputs: z.record(z.string(), z.string()) }),
  ),
  /** What `gather` needs to know of a folder of videos. */
  videos: z
    .object({ from: z.string(), videos: z.array(z.string()), overlay: z.string().optional() })
    .optional(),
})
export type Filed = z.infer<typeof filedSchema>

/** Puts tasks into a store and leaves them there. Each ends without a result. */
export class FilingRunner implements Runner {
  readonly lanes = 4
  readonly shares = false
  readonly tasks: Record<string, FiledTask> = {}
  private readonly remote: RemoteRunner

  /**
   * @param root folder of the work, which contains the tasks' own folders
   * @param again whether tasks are filed of which the store has a result
   */
  constructor(
    private readonly store: Store,
    private readonly root: string,
    again = false,
  ) {
    this.remote = new RemoteRunner({ store, again })
  }

  width(): number {
    return 1
  }

  async perform<C extends object>(kind: Kind<C>, config: C, place: Place): Promise<void> {
    const { id, text, inputs } = await this.remote.describe(kind, config)
    await this.store.remove(keys.failure(id))
    if (!(await this.remote.isDone(id, kind.result(config)))) await this.store.create(keys.task(id), text)
    this.tasks[slashed(relative(this.root, place.folder))] = { id, inputs }
    throw new EnvironmentError({ what: 'it waits in the store for a worker' })
  }
}

/** Collects the results of tasks that were filed. Tasks without one end without one. */
export class GatheringRunner implements Runner {
  readonly lanes = 4
  readonly shares = false

  constructor(
    private readonly store: Store,
    private readonly root: string,
    private readonly filed: Filed,
  ) {}

  width(): number {
    return 1
  }

  async perform<C extends object>(kind: Kind<C>, config: C, place: Place): Promise<void> {
    const task = this.filed.tasks[slashed(relative(this.root, place.folder))]
    if (task === undefined) throw new EnvironmentError({ what: 'it was not filed in the store' })
    if (await this.store.has(keys.result(task.id))) {
      return collect(this.store, task, kind.result(config), place.folder)
    }
    const failure = (await this.store.read(keys.failure(task.id), 1 << 20))?.toString('utf8')
    throw new EnvironmentError({
      what: failure === undefined ? 'no worker has done it yet' : failureOf(failure),
    })
  }
}

const slashed = (path: string): string => path.replaceAll('\\', '/')

/** Reads a list of filed tasks. @throws FormatError */
export function readFiled(text: string, where: string): Filed {
  try {
    return filedSchema.parse(JSON.parse(text))
  } catch {
    throw new FormatError({
      what: 'the list of filed tasks cannot be read',
      where,
      remedy: 'run the command with --emit again',
    })
  }
}

export interface JobOptions {
  readonly store: string
  /** Number of tasks. */
  readonly tasks: number
  /** The folder that the results belong to, for comments. */
  readonly out: string
  /**
   * The command that makes tasks while the job runs, as words for a shell, and the folder that it is called in. Undefined
   * if all tasks are filed.
   */
  readonly coordinator?: { readonly from: string; readonly command: string } | undefined
}

/** Elements of an array, at most. Each does one task after the other. */
const mostElements = 100

/** When a worker of a job ends. */
const endOf = (coordinator: JobOptions['coordinator']): string =>
  coordinator === undefined ? '--drain' : '--idle 1800'

const quoted = (word: string): string =>
  /^[\w./:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** A file for a scheduler. */
export const schedulerText = (scheduler: Scheduler, options: JobOptions): string =>
  scheduler === 'slurm' ? slurmScript(options) : kubernetesJob(options)

function slurmScript({ store, tasks, out, coordinator }: JobOptions): string {
  const elements = Math.max(1, Math.min(tasks, mostElements))
  const isS3 = store.startsWith('s3:')
  const first =
    coordinator === undefined
      ? ''
      : `
# The first element makes the tasks, and reports. The others do them, and end when there was none for half an hour.
if [ "\${SLURM_ARRAY_TASK_ID:-0}" = 0 ]; then
  cd ${quoted(coordinator.from)}
  exec \${PANTIN:-pantin} ${coordinator.command}
fi
`
  return `#!/bin/bash
# An array job that works on ${tasks} tasks of ${oneLine(out)}, made by pantin ${version}.
# Each element claims tasks in the store until none is left. An element that is killed loses what it has not saved; the
# others take its task over from the last checkpoint.
#
#   sbatch ${schedulerFile.slurm}
${coordinator === undefined ? `#   pantin gather ${quoted(oneLine(out))}     (afterwards, or in between)\n` : ''}#
# Change these lines as your cluster needs them. Fewer elements do the same work in a longer time.
#SBATCH --job-name=pantin
#SBATCH --array=0-${elements - 1 + (coordinator === undefined ? 0 : 1)}
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=24:00:00
#SBATCH --requeue
# Two minutes before its time is over, an element is asked to save its task and to give it back.
#SBATCH --signal=B:TERM@120
set -euo pipefail

# ${isS3 ? 'The keys of the store come from the environment of sbatch: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL.' : 'The store is a folder that all nodes see under this path.'}
export PANTIN_THREADS="\${SLURM_CPUS_PER_TASK:-1}"
# PANTIN may be another way to start it, such as "npx pantin" or "node /path/to/main.js".
${first}
exec \${PANTIN:-pantin} worker --store ${quoted(store)} ${endOf(coordinator)} \\
  --scratch "\${SLURM_TMPDIR:-\${TMPDIR:-/tmp}}/pantin-\${SLURM_JOB_ID:-0}-\${SLURM_ARRAY_TASK_ID:-0}"
`
}

function kubernetesJob({ store, tasks, out, coordinator }: JobOptions): string {
  const elements = Math.max(1, Math.min(tasks, mostElements))
  const isS3 = store.startsWith('s3:')
  const shell = `exec pantin worker --store ${quoted(store)} ${endOf(coordinator)} --scratch /scratch`
  const then =
    coordinator === undefined
      ? `#   pantin gather ${oneLine(quoted(out))}     (afterwards, or in between)`
      : `# Each pod waits for tasks, and ends when there was none for half an hour. On a machine that sees the store, this command
# makes the tasks and reports:
#
#   pantin ${oneLine(coordinator.command)}`
  const keysOfStore = `          # The keys of the store: kubectl create secret generic pantin-store --from-literal=AWS_ACCESS_KEY_ID=... and so on.
          envFrom:
            - secretRef:
                name: pantin-store
`
  const mount = isS3 ? '' : `            - name: store\n              mountPath: ${JSON.stringify(store)}\n`
  const volume = isS3
    ? ''
    : `        # A volume that all nodes may write to (ReadWriteMany).
        - name: store
          persistentVolumeClaim:
            claimName: pantin-store
`
  return `# An Indexed Job that works on ${tasks} tasks of ${oneLine(out)}, made by pantin ${version}.
# Each pod claims tasks in the store until none is left. A pod that is evicted is started again, and another pod may take
# its task over from the last checkpoint.
#
#   kubectl apply -f ${schedulerFile.k8s}
${then}
apiVersion: batch/v1
kind: Job
metadata:
  name: pantin
spec:
  completionMode: Indexed
  completions: ${elements}
  # Pods at a time. Fewer pods do the same work in a longer time.
  parallelism: ${elements}
  backoffLimit: ${6 * elements}
  template:
    metadata:
      labels:
        app: pantin
    spec:
      restartPolicy: OnFailure
      # Time to save the running task.
      terminationGracePeriodSeconds: 120
      containers:
        - name: worker
          # An image with Node 20.19 or later and this version of pantin: see docs/guide/machines.md.
          image: pantin:${version}
          command: ["/bin/sh", "-c"]
          args:
            - ${JSON.stringify(shell)}
          env:
            - name: PANTIN_THREADS
              value: "2"
${isS3 ? keysOfStore : ''}          resources:
            requests:
              cpu: "2"
              memory: 4Gi
          volumeMounts:
            - name: scratch
              mountPath: /scratch
${mount}      volumes:
        - name: scratch
          emptyDir: {}
${volume}`
}

/** Text that cannot end a comment. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n]/g, ' ')
