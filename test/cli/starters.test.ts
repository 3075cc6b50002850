// A starter's name stands wherever a run does, as a process sees it.
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { starterFolder } from '../../src/run/config-file.ts'
import { compileCli } from './run.ts'

const cli = compileCli()
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'pantin-starters-')))
const at = (name: string) => join(folder, name)
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await cli.run([...args, '--json', '--quiet'], { cwd: folder })
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as Record<string, unknown>
}

it('animates, tracks and measures', async () => {
  const [head, other] = ['head:100001,frames=3,size=256', 'head:100002,frames=3,size=256']
  const moved = await json('animate', 'face', '--source', head, '--driving', other, '--out', at('moved.mp4'))
  expect(moved).toMatchObject({ frames: 3 })
  expect(existsSync(at('moved.mp4'))).toBe(true)
  const tracked = await json('track', 'face-small', other, '--out', at('track.json'))
  expect(tracked).toMatchObject({ frames: 3 })
  const measured = await json('eval', 'puppet', 'puppet:100001,frames=4,size=128', '--from', '0')
  expect(measured).toMatchObject({ frames: 4, l1: expect.any(Number) })
})

it('is counted and exported', async () => {
  const { run, size, detector, generator } = await json('info', 'face')
  expect({ run, size }).toEqual({ run: expect.stringMatching(/starters.face$/), size: 256 })
  expect(detector).toMatchObject({ net: 'ficelle', params: expect.any(Number) })
  expect(generator).toMatchObject({ params: expect.any(Number) })
  const { stdout } = await cli.run(['info', 'face-small'])
  expect(stdout).toContain('for phones')
  const refused = await cli.run(['info', 'face', '--outputs', '3', '--no-jacobian'])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toMatch(/outputs, --jacobian/)
  expect(await json('export', 'puppet', '--out', at('puppet.onnx'))).toMatchObject({ part: 'detector' })
})

it('is trained further, and teaches', async () => {
  const clip = 'puppet:100003,frames=6,size=128'
  const short = ['--steps', '1', '--batch', '1', '--device', 'cpu']
  const { run } = await json('train', clip, '--from', 'puppet', '--out', at('mine'), ...short)
  const model = (path: string) =>
    (JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as { model: object }).model
  expect(model(String(run))).toEqual(model(starterFolder('puppet')))
  const sized = ['train', clip, '--from', 'puppet', '--size', '64', '--out', at('other')]
  const refused = await cli.run(sized)
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('keeps its model')
  const student = ['--net', 'ficelle', '--variants', '0', '--out', at('student')]
  await json('distil', clip, '--teacher', 'puppet', ...student, ...short)
})

it('gives way to a run of its name in the current folder, which a note tells', async () => {
  cpSync(at('mine'), at('face'), { recursive: true })
  const { code, stdout, stderr } = await cli.run(['info', 'face', '--json'], { cwd: folder })
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ run: at('face'), size: 128 })
  expect(stderr).toContain('face is the run in this folder')
  const plain = await cli.run(['info', 'face-small', '--json'], { cwd: folder })
  expect(plain.stderr).toBe('')
})

it('is named where a run is not found', async () => {
  const { code, stderr } = await cli.run(['track', 'fase', 'puppet:1,frames=2', '--out', at('no.json')], {
    cwd: folder,
  })
  expect(code).toBe(2)
  expect(stderr).toMatch(/face, face-small, puppet[\s\S]*did you mean the starter "face"/)
})
