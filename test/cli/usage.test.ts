// Help, version and bad usage, as a process gives them.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { compileCli } from './run.ts'

const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-cli-'))
const out = join(folder, 'run')

afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe('help and version', () => {
  it('list the commands at once, without loading what computes', async () => {
    const { code, stdout } = await cli.run(['--help'])
    expect(code).toBe(0)
    for (const command of ['train', 'eval', 'animate', 'track', 'info', 'export', 'doctor', 'demo']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'))
    }
  })

  it('say the version of package.json', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    expect(await cli.run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('state the defaults of train', async () => {
    const { stdout } = await cli.run(['train', '--help'])
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'train until the steps have taken this many minutes (default: 8, if --steps is not given)',
    )
  })
})

describe('bad usage', () => {
  // One case that leaves something behind must not fail those after it.
  afterEach(() => rmSync(out, { recursive: true, force: true }))

  const puppet = 'puppet:1,frames=8,size=64'

  it.each<[string, readonly string[], readonly string[]]>([
    ['no command', [], ['Usage: pantin']],
    ['an unknown command', ['trian'], ["unknown command 'trian'", 'Did you mean train?']],
    ['an unknown option', ['info', 'lednet', '--outpust', '3'], ["unknown option '--outpust'", '--outputs']],
    ['a missing argument', ['info'], ["missing required argument 'net|run|file'"]],
    ['a missing option', ['train', puppet], ["required option '-o, --out <run>' not specified"]],
    ['an unknown network', ['info', 'lednt'], ['there is no network "lednt"', 'did you mean "lednet"?']],
    ['no number', ['train', puppet, '-o', out, '--steps', 'many'], ['--steps', 'many', 'a whole number']],
    ['no keypoints', ['train', puppet, '-o', out, '--keypoints', '0'], ['--keypoints', '1 to 100']],
    ['an empty batch', ['train', puppet, '-o', out, '--batch', '0'], ['--batch', '1 to 256']],
    ['all held out', ['train', puppet, '-o', out, '--holdout', '1'], ['--holdout', 'under 1']],
    ['no time', ['train', puppet, '-o', out, '--minutes', '0'], ['--minutes', 'above 0']],
    ['a size that does not halve', ['train', puppet, '-o', out, '--size', '50'], ['a multiple of 16']],
    [
      'more words than ONNX Runtime bears',
      ['train', ...Array(5000).fill('clip.mp4')],
      ['a folder instead of'],
    ],
    ['steps and minutes', ['train', puppet, '-o', out, '--steps', '3', '--minutes', '1'], ['--minutes']],
    ['an unknown device', ['train', puppet, '-o', out, '--device', 'gpu'], ['auto, cpu, webgpu, cuda']],
    ['a missing video', ['train', join(folder, 'none.mp4'), '-o', out], ['no such file']],
    ['one frame', ['train', 'puppet:1,frames=1,size=64', '-o', out], ['too few frames']],
    ['a run that is none', ['eval', folder, puppet], ['not a run']],
    [
      'eight bits without ranges',
      ['export', 'face-small', '-o', join(folder, 'a.onnx'), '--precision', 'int8'],
      ['no ranges for eight bits', '--calibrate VIDEO'],
    ],
    ['another ending', ['export', out, '-o', join(folder, 'a.bin')], ['.onnx']],
    [
      'no folder to write to',
      ['animate', out, '-s', puppet, '-d', puppet, '-o', join(folder, 'none', 'a.mp4')],
      ['cannot be written', 'no such file or folder'],
    ],
    ['a picture size', ['info', 'lednet', '--input', '3x60x64'], ['multiples of 8', '64x64']],
  ])('%s exits 2, says why, and leaves nothing', async (_, args, words) => {
    const { code, stdout, stderr } = await cli.run(args)
    expect(code, stderr).toBe(2)
    expect(stdout).toBe('')
    for (const word of words) expect(stderr).toContain(word)
    expect(stderr).not.toContain('bug')
    expect(existsSync(out)).toBe(false)
    expect(readdirSync(folder)).toEqual([])
  })

  it('is one JSON value on stdout with --json', async () => {
    const wrongValue = await cli.run(['train', puppet, '-o', out, '--batch', '0', '--json'])
    expect(JSON.parse(wrongValue.stdout)).toMatchObject({
      error: { name: 'InputError', where: '--batch', got: '0', exitCode: 2 },
    })
    const wrongOption = await cli.run(['info', 'lednet', '--nope', '--json'])
    expect(JSON.parse(wrongOption.stdout)).toMatchObject({ error: { name: 'UsageError', exitCode: 2 } })
  })
})

it('info prints its contract as JSON', async () => {
  const { code, stdout, stderr } = await cli.run(['info', 'lednet', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const info: unknown = JSON.parse(stdout)
  const contract = [
    'net',
    'params',
    'macs',
    'activationBytes',
    'receptiveField',
    'ops',
    'outputStride',
    'skips',
  ]
  expect(Object.keys(info as object)).toEqual(expect.arrayContaining(contract))
  expect(info).toMatchObject({ net: 'lednet', params: 915_029, outputStride: 8, skips: false })
  expect(info).toMatchObject({ dilations: 'clipped', clipped: { length: 12 } })
})

it('info counts a detector with the head and the skip that it is asked for', async () => {
  const of = async (...flags: string[]) => {
    const { stdout } = await cli.run(['info', 'lednet', '--as', 'detector', '--json', ...flags])
    return JSON.parse(stdout) as { params: number; head: string; skip: string }
  }
  const [none, sum, gated] = [
    await of('--skip', 'none'),
    await of('--skip', 'sum'),
    await of('--skip', 'gated'),
  ]
  // The encoder's 64 channels go to the head's 32, and a gate reads both.
  expect(sum.params - none.params).toBe(64 * 32 + 32)
  expect(gated.params - sum.params).toBe(2 * 32 + 1)
  expect(await of('--head', 'fomm')).toMatchObject({ head: 'fomm', skip: 'none' })
  expect((await of('--no-jacobian')).params).toBe((await of()).params - 40 * 33)
})

it('info prints a table for people', async () => {
  const { stdout } = await cli.run(['info', 'lednet', '--outputs', '19', '--input', '3x512x1024', '--layers'])
  expect(stdout).toContain('917,387')
  expect(stdout).toContain('11.2 GMAC')
  expect(stdout).toMatch(/^layers\.3 .*1x64x128x256/m)
})
