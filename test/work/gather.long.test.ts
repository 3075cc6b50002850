import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { compileCli } from '../cli/run.ts'
import { kubernetesProblems } from './kubernetes.ts'
import { levelTimes, reportsOf, weightsOf } from './reports.ts'

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-gather-'))
const plan = (out: string) => [
  ...['study', 'puppet:1,frames=8,size=16', '--out', out, '--nets', 'enet,ficelle', '--skips', 'all'],
  ...['--seeds', '1', '--steps', '2', '--batch', '1', '--size', '16', '--keypoints', '2', '--device', 'cpu'],
]
const local = join(folder, 'local')
let expected: readonly string[]

beforeAll(async () => {
  const { code, stderr } = await cli.run([...plan(local), '--no-latency', '--quiet'])
  expect(code, stderr).toBe(0)
  levelTimes(local)
  expected = await reportsOf(cli, plan(local), local)
})
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs all elements of a job at once. @returns their exit codes */
const runElements = (elements: number, program: string, words: readonly string[], env: NodeJS.ProcessEnv[]) =>
  Promise.all(
    Array.from(
      { length: elements },
      (_, i) =>
        new Promise<number | null>((resolve) => {
          const options = { env: { ...process.env, ...env[i] }, stdio: 'ignore' } as const
          spawn(program, words, options).on('close', resolve)
        }),
    ),
  )

/** Files a study for a scheduler. @returns the job that was written */
async function emit(scheduler: 'slurm' | 'k8s', out: string, store: string): Promise<string> {
  const words = [...plan(out), '--store', store, '--emit', scheduler, '--json', '--quiet']
  const { code, stdout, stderr } = await cli.run(words)
  expect(code, stderr).toBe(0)
  const { job, tasks } = JSON.parse(stdout) as { job: string; tasks: number }
  expect(tasks).toBe(2)
  return job
}

async function expectSame(out: string): Promise<void> {
  const { code, stderr } = await cli.run(['gather', out, '--no-latency', '--quiet'])
  expect(code, stderr).toBe(0)
  expect(levelTimes(out)).toEqual(levelTimes(local))
  expect(weightsOf(out)).toEqual(weightsOf(local))
  expect(await reportsOf(cli, ['gather', out], out)).toEqual(expected)
}

describe('gather of a study', { timeout: 900_000 }, () => {
  it('reports as local processes do, after an array job of Slurm', async () => {
    const out = join(folder, 'array')
    const job = await emit('slurm', out, join(folder, 'array store'))
    // Nothing is done yet, and the report says so.
    const early = await cli.run(['gather', out, '--no-latency', '--quiet'])
    expect(early.code).toBe(1)
    expect(early.stdout).toContain('0 of 2 trials done')
    expect(early.stdout).toContain('no worker has done it yet')
    const text = readFileSync(job, 'utf8')
    expect(text).toContain('#SBATCH --array=0-1\n')
    const codes = await runElements(
      2,
      'bash',
      [job],
      [0, 1].map((i) => ({
        ...{ SLURM_ARRAY_TASK_ID: String(i), SLURM_JOB_ID: '7', SLURM_CPUS_PER_TASK: '1' },
        ...{ SLURM_TMPDIR: join(folder, `node ${i}`), PANTIN: `${process.execPath} ${cli.main}` },
      })),
    )
    expect(codes).toEqual([0, 0])
    await expectSame(out)
  })

  it('reports as local processes do, after an Indexed Job of Kubernetes', async () => {
    const out = join(folder, 'pods')
    const job = await emit('k8s', out, join(folder, 'pods store'))
    const made = parse(readFileSync(job, 'utf8')) as Job
    expect(kubernetesProblems(made)).toEqual([])
    const { command, args, env } = made.spec.template.spec.containers[0]!
    expect(made.spec).toMatchObject({ completionMode: 'Indexed', completions: 2, parallelism: 2 })
    // A container has its own /scratch, and `pantin` is on its path.
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'pantin'), `#!/bin/sh\nexec '${process.execPath}' '${cli.main}' "$@"\n`)
    chmodSync(join(bin, 'pantin'), 0o755)
    expect(env).toEqual([{ name: 'PANTIN_THREADS', value: '2' }])
    expect(args).toHaveLength(1)
    const codes = await Promise.all(
      [0, 1].map(async (i) => {
        const script = args[0]!.replace('/scratch', `'${join(folder, `pod ${i}`)}'`)
        const path = `${bin}${delimiter}${process.env.PATH}`
        const variables = { PATH: path, PANTIN_THREADS: '1', JOB_COMPLETION_INDEX: String(i) }
        return runElements(1, command[0]!, [...command.slice(1), script], [variables])
      }),
    )
    expect(codes.flat()).toEqual([0, 0])
    await expectSame(out)
  })
})

interface Job {
  spec: {
    template: {
      spec: {
        containers: { command: string[]; args: string[]; env: { name: string; value: string }[] }[]
      }
    }
  }
}
