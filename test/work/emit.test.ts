import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type JobOptions, schedulerText } from '../../src/work/emit.ts'
import { parseQueue, TaskQueue } from '../../src/work/queue.ts'
import { openS3 } from '../../src/work/s3-store.ts'
import {
  redisProgram,
  type S3Users,
  s3Program,
  startRedis,
  startS3,
  withoutRedis,
  withoutS3,
} from '../support/servers.ts'
import { kubernetesProblems } from './kubernetes.ts'

const coordinator = { from: "/home/me/it's here", command: "search 'a b.mp4' --out x" }
const jobs: [string, JobOptions][] = [
  ['a shared folder', { store: '/shared/the store', tasks: 24, out: '/home/me/out' }],
  ['a bucket', { store: 's3://pantin/lab', tasks: 1, out: '/home/me/out' }],
  ['tasks to come', { store: 's3://pantin/lab', tasks: 5000, out: "/home/me/it's\nhere", coordinator }],
]

describe.each(jobs)('a job on %s', (_, options) => {
  const { tasks, store } = options
  const elements = Math.min(tasks, 100)

  it('is one that Kubernetes takes', () => {
    const text = schedulerText('k8s', options)
    const job = parse(text) as { spec: { template: { spec: { containers: Container[] } } } }
    expect(kubernetesProblems(job)).toEqual([])
    expect(job.spec).toMatchObject({
      completionMode: 'Indexed',
      completions: elements,
      parallelism: elements,
    })
    const { envFrom, args, volumeMounts } = job.spec.template.spec.containers[0]!
    expect(envFrom).toEqual(store.startsWith('s3:') ? [{ secretRef: { name: 'pantin-store' } }] : undefined)
    expect(volumeMounts.map(({ mountPath }) => mountPath)).toEqual(
      store.startsWith('s3:') ? ['/scratch'] : ['/scratch', store],
    )
    expect(spawnSync('sh', ['-n', '-c', args[0]!]).status).toBe(0)
  })

  it('is a script that a shell takes, whose comments are those of sbatch', () => {
    const text = schedulerText('slurm', options)
    const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' })
    expect(status, stderr).toBe(0)
    const lines = text.split('\n')
    expect(lines[0]).toBe('#!/bin/bash')
    // sbatch reads its options up to the first command.
    const firstCommand = lines.findIndex((line) => line !== '' && !line.startsWith('#'))
    const last = lines.findLastIndex((line) => line.startsWith('#SBATCH'))
    expect(last).toBeLessThan(firstCommand)
    const more = options.coordinator === undefined ? 0 : 1
    expect(text).toContain(`#SBATCH --array=0-${elements - 1 + more}\n`)
  })
})

it('what Kubernetes does not know is found', () => {
  const job = parse(schedulerText('k8s', jobs[0]![1])) as Record<string, object>
  expect(kubernetesProblems({ ...job, spec: { ...job.spec, paralelism: 2 } }).join()).toContain('paralelism')
  expect(kubernetesProblems({ ...job, spec: { ...job.spec, completions: 'all' } })).toHaveLength(1)
  expect(kubernetesProblems({ ...job, spec: { completions: 1 } }).join()).toContain('template')
})

describe('the compose file of the guide', () => {
  const path = join(import.meta.dirname, '../../examples/machines/compose.yaml')
  const { services, configs } = parse(readFileSync(path, 'utf8')) as Compose

  it.skipIf(redisProgram === undefined)(`starts Redis ${redisProgram ? '' : withoutRedis}`, async () => {
    const [program, ...words] = services.redis.command
    expect(program).toBe('redis-server')
    const redis = await startRedis(...words)
    try {
      const password = { REDIS_PASSWORD: 'change-me' }
      const queue = await TaskQueue.open(parseQueue(`redis://127.0.0.1:${redis.port}`, password))
      expect(await queue.counts()).toEqual({ waiting: 0, running: 0 })
      await queue.close()
    } finally {
      await redis.remove()
    }
  })

  it.skipIf(s3Program === undefined)(`starts a store ${s3Program ? '' : withoutS3}`, async () => {
    const own = ['server', '-dir=/data', '-s3', '-s3.config=/etc/s3.json']
    expect(services.store.command.slice(0, 4)).toEqual(own)
    const users = JSON.parse(configs.s3.content) as S3Users
    const s3 = await startS3(users, ...services.store.command.slice(4))
    try {
      expect(s3.env).toMatchObject({ AWS_ACCESS_KEY_ID: 'pantin', AWS_SECRET_ACCESS_KEY: 'change-me-too' })
      const store = await openS3('s3://pantin/lab', s3.env)
      expect(await store.create('tasks/a.json', '1')).toBe(true)
      expect(await store.create('tasks/a.json', '2')).toBe(false)
      expect(String(await store.read('tasks/a.json', 10))).toBe('1')
    } finally {
      await s3.remove()
    }
  })
})

interface Container {
  args: string[]
  envFrom?: object[]
  volumeMounts: { mountPath: string }[]
}

interface Compose {
  services: Record<'redis' | 'store', { command: string[] }>
  configs: { s3: { content: string } }
}
