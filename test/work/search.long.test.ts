import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { compileCli, runHere } from '../cli/run.ts'

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-search-'))
const clip = 'puppet:1,frames=8,size=16'
const teacher = join(folder, 'teacher')
const local = join(folder, 'local')
const searchInto = (out: string) => [
  ...['search', clip, '--teacher', teacher, '--out', out, '--candidates', '2', '--mutations', '1'],
  ...['--rungs', '2', '--steps', '1', '--batch', '1', '--latency', '20', '--device', 'cpu', '--threads', '1'],
]
/** What the search finds that one process after the other does. */
let expected: unknown
const workers: ChildProcess[] = []

function startWorker(...words: string[]): void {
  const scratch = join(folder, `scratch ${workers.length}`)
  workers.push(
    spawn(process.execPath, [cli.main, 'worker', '--scratch', scratch, ...words], { stdio: 'ignore' }),
  )
}

beforeAll(async () => {
  const made = ['train', clip, '-o', teacher, '--net', 'enet', '--size', '16', '--keypoints', '2']
  const trained = await runHere(...made, '--steps', '1', '--batch', '1', '--device', 'cpu')
  expect(trained.code, trained.stderr).toBe(0)
  const { code, stdout, stderr } = await cli.run([...searchInto(local), '--json', '--quiet'])
  expect(code, stderr).toBe(0)
  expected = foundIn(stdout, local)
}, 900_000)
afterEach(async () => {
  const ends = workers.splice(0).map((worker) => {
    if (worker.exitCode !== null || worker.signalCode !== null) return undefined
    const gone = new Promise((resolve) => worker.once('exit', resolve))
    worker.kill('SIGKILL')
    return gone
  })
  await Promise.all(ends)
})
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** A folder with the same search, of which all designs are timed: latency decides too, and is never twice the same. */
function timed(name: string): string {
  const out = join(folder, name)
  mkdirSync(join(out, 'candidates'), { recursive: true })
  cpSync(join(local, 'search.json'), join(out, 'search.json'))
  for (const id of readdirSync(join(local, 'candidates'))) {
    for (const file of ['design.json', 'latency.json']) {
      cpSync(join(local, 'candidates', id, file), join(out, 'candidates', id, file))
    }
  }
  return out
}

/** What a search found, without times and without its own folder. */
const foundIn = (stdout: string, out: string): unknown =>
  JSON.parse(stdout.replaceAll(out, 'OUT'), (name, value: unknown) =>
    name === 'wallSeconds' ? undefined : value,
  )

/** The trainings that are on disk, with their measures, and the weights of the kept trainings. */
function trainings(out: string): Record<string, unknown> {
  const names = readdirSync(join(out, 'candidates'), { recursive: true, encoding: 'utf8' })
  const kept = names.filter((name) => /rung-\d\.json$|weights\.safetensors$/.test(name)).toSorted()
  return Object.fromEntries(
    kept.map((name) => {
      const content = readFileSync(join(out, 'candidates', name))
      if (!name.endsWith('.json')) return [name, content.toString('base64')]
      const { wallSeconds: _, ...rest } = JSON.parse(content.toString('utf8')) as Record<string, unknown>
      return [name, rest]
    }),
  )
}

describe('a search', { timeout: 900_000 }, () => {
  it('is the same with two trainings at a time, when its command is killed and called again', async () => {
    const out = timed('jobs')
    const words = [...searchInto(out), '--jobs', '2', '--json']
    // Trainings are running then: the first one, one of the first rung, and one of the last.
    for (const least of [0, 1, 3]) {
      const { code } = await cli.run(words, (soFar, kill) => {
        const told = Array.from(soFar.matchAll(/"phase":"train","done":(\d+)/g), ([, done]) => Number(done))
        if (told.some((done) => done >= least)) kill('SIGKILL')
      })
      expect(code).toBeNull()
    }
    const { code, stdout, stderr } = await cli.run([...words, '--quiet'])
    expect(code, stderr).toBe(0)
    expect(foundIn(stdout, out)).toEqual(expected)
    expect(trainings(out)).toEqual(trainings(local))
  })

  it('is the same when workers do its trainings', async () => {
    const store = join(folder, 'store')
    for (let i = 0; i < 2; i++) startWorker('--store', store, '--lease', '2')
    const out = timed('remote')
    const { code, stdout, stderr } = await cli.run([...searchInto(out), '--store', store, '--json'])
    expect(code, stderr).toBe(0)
    expect(foundIn(stdout, out)).toEqual(expected)
    expect(Object.keys(trainings(out)).filter((name) => name.endsWith('.json'))).toHaveLength(5)
    expect(trainings(out)).toEqual(trainings(local))
    expect(stderr).toMatch(/"phase":"train".*"unit":"trainings".*"now":"2 workers, \d running/)
  })

  it('is the same as an array job of Slurm, whose first element makes the tasks', async () => {
    const out = timed('array')
    const store = join(folder, 'array store')
    const words = [...searchInto('array'), '--store', 'array store', '--emit', 'slurm']
    const emitted = await cli.run(words, { cwd: folder })
    expect(emitted.code, emitted.stderr).toBe(0)
    const job = join(folder, 'array-job', 'slurm.sh')
    expect(emitted.stdout).toContain(`sbatch ${job}`)
    const element = (index: number) =>
      spawn('bash', [job], {
        cwd: tmpdir(),
        env: {
          ...process.env,
          ...{ SLURM_ARRAY_TASK_ID: String(index), SLURM_TMPDIR: join(folder, `node ${index}`) },
          ...{ SLURM_CPUS_PER_TASK: '1', PANTIN: `${process.execPath} ${cli.main}` },
        },
      })
    workers.push(element(1))
    const first = element(0)
    workers.push(first)
    let said = ''
    first.stdout.on('data', (data: Buffer) => {
      said += data
    })
    const code = await new Promise((resolve) => first.once('close', resolve))
    expect(code).toBe(0)
    expect(said).toContain('5 of 5 trainings done')
    expect(trainings(out)).toEqual(trainings(local))
    const again = await cli.run([...searchInto(out), '--store', store, '--json', '--quiet'])
    expect(foundIn(again.stdout, out)).toEqual(expected)
  })

  it('is a job of Kubernetes whose pods wait for tasks, made by a command elsewhere', async () => {
    const words = [...searchInto('pods'), '--store', 's3', '--emit', 'k8s']
    const { code, stdout, stderr } = await cli.run(words, { cwd: folder })
    expect(code, stderr).toBe(0)
    const job = join(folder, 'pods-job', 'k8s.yaml')
    expect(stdout).toContain(`kubectl apply -f ${job}`)
    const command = `pantin ${words.slice(0, -2).join(' ')}`
    expect(stdout).toContain(`then:            ${command}`)
    const text = readFileSync(job, 'utf8')
    expect(text).toContain(`#   ${command}\n`)
    expect(text).toContain('--idle 1800')
    expect(text).not.toContain('--drain')
  })
})
