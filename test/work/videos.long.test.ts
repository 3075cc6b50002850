import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createVideoWriter } from '../../src/media/video-out.ts'
import { type Cli, compileCli } from '../cli/run.ts'
import { makeRun } from '../support/shared.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-videos-'))
const run = join(folder, 'run')
const clips = join(folder, 'clips')
let cli: Cli

beforeAll(async () => {
  cli = compileCli()
  await makeRun(run)
  mkdirSync(join(clips, 'deep er'), { recursive: true })
  const film = join(clips, 'a.mp4')
  const writer = await createVideoWriter(film, { width: 32, height: 32, frameRate: 10, sound: undefined })
  for (let i = 0; i < 4; i++) {
    const data = new Uint8Array(32 * 32 * 3).fill(40 * i)
    await writer.write({ width: 32, height: 32, data, time: i / 10, duration: 0.1 })
  }
  await writer.close()
  cpSync(film, join(clips, 'deep er', 'b.mp4'))
  writeFileSync(join(clips, 'broken.mp4'), 'no video, whatever its name says. '.repeat(100))
})
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe('a folder of videos', () => {
  const out = join(folder, 'tracks')

  it('is tracked by one command, and a bad video does not stop the others', async () => {
    const { code, stdout } = await cli.run([
      'track',
      run,
      clips,
      '--out',
      out,
      '--device',
      'cpu',
      '--json',
      '--quiet',
    ])
    expect(code).toBe(1)
    const told = JSON.parse(stdout) as {
      done: number
      failed: number
      videos: { video: string; status: string; notes: string[] }[]
    }
    expect(told).toMatchObject({ done: 2, failed: 1, waiting: 0 })
    expect(told.videos.map(({ video, status }) => [video, status])).toEqual([
      ['a.mp4', 'done'],
      ['broken.mp4', 'failed'],
      [join('deep er', 'b.mp4'), 'done'],
    ])
    expect(told.videos[1]!.notes[0]).toContain('video')
    const single = join(folder, 'single.json')
    await cli.run(['track', run, join(clips, 'a.mp4'), '--out', single, '--device', 'cpu', '--quiet'])
    expect(readFileSync(join(out, 'a.json'), 'utf8')).toBe(readFileSync(single, 'utf8'))
    expect(existsSync(join(out, 'deep er', 'b.json'))).toBe(true)
  })

  it('is filed for a cluster, done by the elements of the job, and gathered', async () => {
    const filed = join(folder, 'filed')
    const words = ['--out', filed, '--store', join(folder, 'store'), '--device', 'cpu', '--json', '--quiet']
    const emitted = await cli.run(['track', run, clips, '--emit', 'slurm', ...words])
    expect(JSON.parse(emitted.stdout)).toMatchObject({ tasks: 3, job: join(filed, 'slurm.sh') })
    expect(readFileSync(join(filed, 'slurm.sh'), 'utf8')).toContain('#SBATCH --array=0-2\n')
    // Nothing is gathered before the job.
    const early = await cli.run(['gather', filed, '--json', '--quiet'])
    expect(JSON.parse(early.stdout)).toMatchObject({ done: 0 })
    const codes = await Promise.all(
      [0, 1].map(
        (element) =>
          new Promise<number | null>((resolve) => {
            const env = {
              ...process.env,
              ...{ SLURM_ARRAY_TASK_ID: String(element), SLURM_TMPDIR: join(folder, `node ${element}`) },
              ...{ SLURM_JOB_ID: '7', PANTIN: `${process.execPath} ${cli.main}` },
            }
            spawn('bash', [join(filed, 'slurm.sh')], { env, stdio: 'ignore' }).on('close', resolve)
          }),
      ),
    )
    expect(codes).toEqual([0, 0])
    const { stdout } = await cli.run(['gather', filed, '--json', '--quiet'])
    expect(JSON.parse(stdout)).toMatchObject({ done: 2, failed: 1, waiting: 0 })
    for (const name of ['a.json', join('deep er', 'b.json')]) {
      expect(readFileSync(join(filed, name), 'utf8')).toBe(readFileSync(join(out, name), 'utf8'))
    }
  })

  it('is filed as a job of Kubernetes', async () => {
    const filed = join(folder, 'pods')
    const store = join(folder, 'store')
    await cli.run(['track', run, clips, '--emit', 'k8s', '--out', filed, '--store', store, '--quiet'])
    const job = parse(readFileSync(join(filed, 'k8s.yaml'), 'utf8')) as Job
    expect(job).toMatchObject({ apiVersion: 'batch/v1', kind: 'Job' })
    expect(job.spec).toMatchObject({ completionMode: 'Indexed', completions: 3, parallelism: 3 })
    const { containers, volumes, restartPolicy } = job.spec.template.spec
    expect(restartPolicy).toBe('OnFailure')
    expect(containers[0]!.args[0]).toMatch(/^exec pantin worker --store .* --drain --scratch \/scratch$/)
    expect(containers[0]!.volumeMounts.map(({ name }) => name)).toEqual(volumes.map(({ name }) => name))
    expect(containers[0]!.volumeMounts.map(({ mountPath }) => mountPath)).toEqual(['/scratch', store])
  })

  it.each([
    [['--jobs', '2'], 'for folders of videos'],
    [['--queue', 'redis://localhost'], 'for folders of videos'],
  ])('alone takes %j', async (words, message) => {
    const single = join(clips, 'a.mp4')
    const { code, stderr } = await cli.run(['track', run, single, '--out', join(folder, 'x.json'), ...words])
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })
})

interface Job {
  spec: {
    template: {
      spec: {
        restartPolicy: string
        containers: { args: string[]; volumeMounts: { name: string; mountPath: string }[] }[]
        volumes: { name: string }[]
      }
    }
  }
}
