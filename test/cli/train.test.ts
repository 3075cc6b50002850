// One short training on the smallest frames, interrupted, resumed, and used by the other commands.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { toPlanes } from '../../src/model/keypoint-detector.ts'
import { openModel } from '../../src/model/open-model.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { compileCli, longTraining, type Outcome } from './run.ts'

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-cli-train-'))
const run = join(folder, 'run')
const clip = 'puppet:3,frames=8,size=32'
const training = ['train', clip, '--out', run, '--size', '32', '--batch', '1', '--holdout', '0.25']
const augmenting = ['--mirror', '--colour', '0.2', '--tint', '0.1']

let stopped: Outcome

beforeAll(async () => {
  let asked = false
  stopped = await cli.run([...training, ...augmenting, '--steps', '5000'], (soFar, kill) => {
    if (asked || !soFar.includes('"phase":"train"')) return
    asked = true
    kill('SIGINT')
  })
})

afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

const lines = (text: string) => text.split('\n').filter((line) => line.startsWith('{'))

it('saves and exits 0 if its terminal is closed, which may be told twice', async () => {
  const out = join(folder, 'closed')
  let asked = false
  const args = longTraining(clip, out)
  const { code, stdout } = await cli.run(args, (soFar, kill) => {
    if (asked || !soFar.includes('"phase":"train"')) return
    asked = true
    kill('SIGHUP')
    kill('SIGHUP')
  })
  expect(code).toBe(0)
  expect(stdout).toContain('--resume')
  expect(readdirSync(out).sort()).toEqual(expect.arrayContaining(['weights.safetensors', 'last']))
  expect(readdirSync(out).filter((name) => name === 'lock' || name.startsWith('.'))).toEqual([])
  rmSync(out, { recursive: true })
})

it('saves and exits 0 on Ctrl-C, and says how to go on', () => {
  expect(stopped.code, stopped.stderr).toBe(0)
  expect(stopped.stderr).toContain('stopping')
  expect(stopped.stdout).toContain(`pantin train ${clip} --out ${run} --resume`)
  expect(existsSync(join(run, 'weights.safetensors'))).toBe(true)
  expect(existsSync(join(run, 'lock'))).toBe(false)
})

it('varies pairs as the flags say', () => {
  const config = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8')) as object
  expect(config).toMatchObject({ training: { augment: { flip: true, colour: 0.2, tint: 0.1 } } })
})

it('reports progress as JSON lines where there is no terminal', () => {
  const events = lines(stopped.stderr).map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(events[0]).toMatchObject({ phase: 'decode', total: 8, unit: 'frames' })
  expect(events.at(-1)).toMatchObject({ phase: 'train', total: 5000, unit: 'steps', device: 'cpu' })
})

it('refuses to train over a run', async () => {
  const { code, stderr } = await cli.run([...training, '--steps', '1'])
  expect(code).toBe(2)
  expect(stderr).toContain('--resume')
})

it('evaluates with the contract of --json, and nothing else on stdout', async () => {
  const { code, stdout, stderr } = await cli.run(['eval', run, clip, '--from', '0.75', '--json', '--quiet'])
  expect(code, stderr).toBe(0)
  expect(stderr).toBe('')
  const found = JSON.parse(stdout) as Record<string, unknown>
  const contract = ['frames', 'l1', 'psnr', 'ssim', 'still', 'equivariance']
  expect(Object.keys(found).slice(0, contract.length)).toEqual(contract)
  expect(found).toMatchObject({
    frames: 2,
    still: { l1: expect.any(Number), psnr: expect.any(Number), ssim: expect.any(Number) },
    equivariance: { value: expect.any(Number), jacobian: expect.any(Number) },
  })
})

it('exports a detector that a bare ONNX Runtime loads, with the same keypoints', async () => {
  const file = join(folder, 'detector.onnx')
  const { code, stdout, stderr } = await cli.run([
    'export',
    run,
    '--out',
    file,
    '--input',
    '2x3x32x32',
    '--json',
  ])
  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    part: 'detector',
    inputs: { frame: [2, 3, 32, 32] },
    outputs: { value: [2, 10, 2], jacobian: [2, 10, 2, 2] },
  })
  const frames = [stillPuppet({ seed: 3, size: 32 }).data, stillPuppet({ seed: 4, size: 32 }).data]
  const planes = frames.flatMap((frame) => [...(toPlanes(frame, 32).data as Float32Array)])
  const session = await ort.InferenceSession.create(readFileSync(file))
  const { value } = await session.run({ frame: new ort.Tensor('float32', planes, [2, 3, 32, 32]) })
  const model = await openModel(run)
  const own = await Promise.all(frames.map((frame) => model.detect(frame)))
  await model.close()
  const expected = own.flatMap((keypoints) => [...keypoints.value])
  const got = [...(value!.data as Float32Array)]
  expect(Math.max(...got.map((x, i) => Math.abs(x - expected[i]!)))).toBeLessThan(1e-5)

  const again = await cli.run(['export', run, '--out', file])
  expect(again.code).toBe(2)
  expect(again.stderr).toContain('--force')
})

it('animates and tracks, and refuses what exists', async () => {
  const film = join(folder, 'moved.mp4')
  const animate = ['animate', run, '-s', 'puppet:4,size=32', '-d', clip, '-o', film]
  const first = await cli.run(animate)
  expect(first.code, first.stderr).toBe(0)
  expect(first.stdout).toMatch(/^wrote .*moved\.mp4: 8 frames in .* on cpu/)
  expect((await cli.run(animate)).code).toBe(2)

  const track = join(folder, 'track.json')
  const tracked = await cli.run(['track', run, clip, '--out', track, '--json'])
  expect(JSON.parse(tracked.stdout)).toMatchObject({ frames: 8, keypoints: 10, device: 'cpu' })
  const { frames } = JSON.parse(readFileSync(track, 'utf8')) as { frames: unknown[] }
  expect(frames).toHaveLength(8)
  expect(readdirSync(folder).sort()).toEqual(['detector.onnx', 'moved.mp4', 'run', 'track.json'])
})
