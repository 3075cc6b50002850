import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomRun } from '../animate/support.ts'
import { compileCli, runHere } from './run.ts'

/** `pantin eval` of models that were never trained: what is measured, and what is refused. */

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-cli-eval-'))
const at = (name: string) => join(folder, name)
const clip = 'puppet:1,frames=10,size=64'

afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

beforeAll(async () => {
  await randomRun(at('run'))
  await randomRun(at('detector'), { generator: false })
  const { code, stderr } = await runHere('export', at('run'), '--out', at('teacher.onnx'), '--quiet')
  expect(code, stderr).toBe(0)
})

/** What `eval --json` says. */
async function evaluated(run: string, ...flags: string[]): Promise<Record<string, unknown>> {
  const args = ['eval', run, clip, '--from', '0.5', '--device', 'cpu', '--json', '--quiet', ...flags]
  const { code, stdout, stderr } = await runHere(...args)
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as Record<string, unknown>
}

const number = expect.any(Number) as number

describe('pantin eval', () => {
  it('says what it did not measure', async () => {
    const found = await evaluated(at('run'))
    const contract = ['frames', 'l1', 'psnr', 'ssim', 'still', 'equivariance']
    expect(Object.keys(found).slice(0, contract.length)).toEqual(contract)
    expect(found).toMatchObject({
      frames: 5,
      jitter: { acceleration: number, relative: number },
      landmarks: { forward: number, backward: number, mean: {}, fitted: 5, frames: 5 },
      akd: { pixels: number, still: number, by: 'own' },
      teacher: null,
      transfer: null,
    })
  })

  it('finds no distance from a run to itself as an ONNX file, which then measures AKD', async () => {
    const found = await evaluated(at('run'), '--teacher', at('teacher.onnx'))
    const { distance, jacobian } = found.teacher as { distance: number; jacobian: number }
    expect(distance).toBeLessThan(1e-5)
    expect(jacobian).toBeLessThan(1e-4)
    expect(found.akd).toMatchObject({ by: 'teacher' })
  })

  it('moves a picture, by movement alone or by pose', async () => {
    const source = ['--source', 'puppet:4,size=64']
    const relative = (await evaluated(at('run'), ...source)).transfer as { still: number }
    const absolute = (await evaluated(at('run'), ...source, '--absolute')).transfer as { still: number }
    expect(relative).toMatchObject({ distance: number, still: number, frames: 5 })
    expect(absolute.still).not.toBe(relative.still)
  })

  it('measures a detector without a generator', async () => {
    const found = await evaluated(at('detector'), '--teacher', at('run'))
    expect(found).toMatchObject({ l1: null, psnr: null, ssim: null, still: null, akd: null, transfer: null })
    expect(found).toMatchObject({
      frames: 5,
      equivariance: { value: number, jacobian: number },
      teacher: { distance: 0, jacobian: 0 },
    })
  })

  it('prints tables for people', async () => {
    const args = [
      'eval',
      at('run'),
      clip,
      '--teacher',
      at('run'),
      '-s',
      'puppet:4,size=64',
      '--device',
      'cpu',
    ]
    const { stdout } = await cli.run(args)
    expect(stdout).toMatch(/^2 frames +model +still picture/)
    expect(stdout).toMatch(/^akd, by the teacher +\d+\.\d+ px/m)
    expect(stdout).toMatch(/^distance to teacher +0\.0000\njacobian to teacher +0\.0000$/m)
    expect(stdout).toMatch(
      /^landmarks from keypoints +[\d.]+% of the torso \(mean landmarks [\d.]+% of the torso; fitted on/m,
    )
    expect(stdout).toMatch(/^transfer +0\.\d{4} \(unmoved picture 0\.\d{4}\)$/m)
    const alone = await runHere('eval', at('detector'), clip, '--device', 'cpu')
    expect(alone.stdout).toMatch(/^keypoints.*, 2 frames\nequivariance/)
  })

  it.each<[string, readonly string[], readonly RegExp[]]>([
    ['pose without a picture', ['run', '--absolute'], [/--absolute/, /--source/]],
    ['a picture for a detector alone', ['detector', '--source', 'puppet:4,size=64'], [/no generator/]],
    ['a teacher that is not there', ['run', '--teacher', 'none.onnx'], [/none\.onnx/]],
    ['a source that is not there', ['run', '--source', 'none.png'], [/none\.png/]],
  ])('refuses %s', async (_, [run, ...flags], words) => {
    const { code, stdout, stderr } = await runHere('eval', at(run!), clip, ...flags)
    expect(code, stderr).toBe(2)
    expect(stdout).toBe('')
    for (const word of words) expect(stderr).toMatch(word)
  })
})
