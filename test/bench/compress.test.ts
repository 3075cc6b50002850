// The part `compress`: each form of a detector is written, timed and compared with the form in float; the peer's too.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { benchCompress } from '../../bench/src/compress.ts'
import { compressBenchCsv, describeCompress } from '../../bench/src/compress-report.ts'
import { checkBenchFlags } from '../../src/cli/bench-parts.ts'
import { InputError } from '../../src/util/errors.ts'
import { untrained } from '../compress/pruned-network.ts'

let folder: string
let run: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-bench-compress-'))
  run = await untrained(join(folder, 'small'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const few = { clips: ['puppet:1'], frames: 3, rounds: 2 }

/** A program in the place of Python, which answers with a file of pantin's as the peer's. */
function standIn(name: string, lines: readonly string[]): string {
  const path = join(folder, name)
  writeFileSync(path, ['#!/bin/sh', ...lines, ''].join('\n'))
  chmodSync(path, 0o755)
  return path
}

describe('the bench', () => {
  it('compares eight bits with float, and says that no peer was named', async () => {
    const at = join(folder, 'alone')
    const found = await benchCompress([run], { folder: at, ...few })
    expect(found).toMatchObject({ threads: 1, steps: null, peer: null })
    const [network] = found.networks
    expect(network).toMatchObject({ name: run, size: 32, frames: { calibration: 3, measured: 3 } })
    const [float, best, plain, ...others] = network!.forms
    expect([float!.by, best!.by, plain!.by, others]).toEqual(['float', 'pantin', 'pantin', []])
    expect([float!.ratio, float!.distance]).toEqual([1, 0])
    for (const { bytes, ratio, distance, latency } of [best!, plain!]) {
      expect(bytes).toBeLessThan(float!.bytes)
      expect(distance).toBeGreaterThan(0)
      expect(distance).toBeLessThan(0.1)
      expect(latency.min).toBeGreaterThan(0)
      expect(ratio).toBeCloseTo(float!.latency.median / latency.median, 6)
    }
    expect(best!.how).toMatch(/minmax|percentile|entropy|mse/)
    for (const [file, form] of [
      ['float.onnx', float],
      ['pantin-1.onnx', best],
      ['pantin-2.onnx', plain],
    ] as const) {
      expect(readFileSync(join(at, '1-small', file)).byteLength).toBe(form!.bytes)
    }
    expect(JSON.parse(readFileSync(join(at, '1-small', 'measured.json'), 'utf8'))).toEqual(network)
    const text = describeCompress(found)
    expect(text).toContain('ONNX Runtime: not measured')
    expect(text).toMatch(/left out: .*--python/)
    expect(compressBenchCsv(found).trim().split('\r\n')).toHaveLength(4)
    await expect(benchCompress([run], { folder: at, ...few })).rejects.toThrow(InputError)
  })

  it('leaves layers in float for a distance, and trains with rounding, if it is told so', async () => {
    const whole = await benchCompress([run], { folder: join(folder, 'whole'), ...few })
    const maxDistance = whole.networks[0]!.forms[1]!.distance / 2
    const options = { maxDistance, roundedSteps: 2, ...few }
    const found = await benchCompress([run], { folder: join(folder, 'within'), ...options })
    const forms = found.networks[0]!.forms.slice(3)
    expect(forms.map(({ how }) => how.replace(/\d+$/, 'N'))).toEqual([
      `within ${maxDistance}, layers in float: N`,
      expect.stringMatching(/^(minmax|percentile|entropy|mse), 2 steps of rounded training$/),
    ])
    expect(forms[0]!.distance).toBeLessThanOrEqual(maxDistance)
    expect(forms[0]!.distance).toBeGreaterThan(0)
    // Other weights than those of the form that is not trained.
    expect(forms[1]!.distance).not.toBe(whole.networks[0]!.forms[1]!.distance)
  })

  it("times the peer's files in turn, and compares their keypoints", async () => {
    const python = standIn('python', [
      'cp "$2/float.onnx" "$2/peer-1.onnx"',
      'cp "$2/pantin-2.onnx" "$2/peer-6.onnx"',
      `echo '{"version":"9.9","files":[{"kinds":["Conv"],"file":"peer-1.onnx"},{"kinds":["Conv","Add"],"file":"peer-6.onnx"}]}'`,
    ])
    const at = join(folder, 'beside')
    const found = await benchCompress([run], { folder: at, python, ...few })
    expect([found.peer, found.leftOut]).toEqual(['9.9', []])
    const [float, , plain, conv, chains] = found.networks[0]!.forms
    expect([conv!.by, conv!.how, chains!.how]).toEqual(['onnxruntime', 'min-max, Conv', 'min-max, Conv Add'])
    expect([conv!.bytes, conv!.distance]).toEqual([float!.bytes, 0])
    expect([chains!.bytes, chains!.distance]).toEqual([plain!.bytes, plain!.distance])
    expect(readFileSync(join(at, '1-small/calibration.f32')).byteLength).toBe(3 * 3 * 32 * 32 * 4)
    const text = describeCompress(found)
    expect(text).toContain('ONNX Runtime 9.9')
    expect(text).not.toMatch(/left out|not measured/)
  })

  it('says why a Python does not serve', async () => {
    const python = standIn('bare', [
      'echo "ModuleNotFoundError: No module named \'onnxruntime\'" >&2',
      'exit 1',
    ])
    await expect(benchCompress([run], { folder: join(folder, 'bare-out'), python, ...few })).rejects.toThrow(
      /No module named 'onnxruntime'/,
    )
  })

  it('refuses a network that is not there before anything is made', async () => {
    const at = join(folder, 'unknown')
    await expect(benchCompress([], { folder: at, nets: ['ficelle', 'fisel'], ...few })).rejects.toThrow(
      /fisel/,
    )
    expect(existsSync(at)).toBe(false)
  })

  it('stops when it is told to', async () => {
    const signal = AbortSignal.abort()
    await expect(benchCompress([run], { folder: join(folder, 'stop'), signal, ...few })).rejects.toThrow(
      'abort',
    )
  })
})

describe('the flags of bench', () => {
  const flags = { device: 'cpu' } as const

  it('compress takes runs, or networks that learn', () => {
    const own = { python: 'py', clips: 'a.mp4', keep: 'kept', rounds: 3, threads: 1 }
    expect(() =>
      checkBenchFlags('compress', [], { ...flags, ...own, nets: 'lednet', steps: 9 }),
    ).not.toThrow()
    expect(() => checkBenchFlags('compress', ['a', 'b'], { ...flags, ...own })).not.toThrow()
    expect(() => checkBenchFlags('compress', ['a'], { ...flags, nets: 'lednet' })).toThrow(/--nets/)
    expect(() => checkBenchFlags('compress', ['a'], { ...flags, steps: 9 })).toThrow(/--steps/)
    expect(() => checkBenchFlags('compress', [], { device: 'webgpu' })).toThrow(/--device/)
  })

  it('its own are for no other part', () => {
    for (const choice of ['all', 'step', 'faces'] as const) {
      expect(() => checkBenchFlags(choice, [], { ...flags, steps: 9 }), choice).toThrow(/bench compress/)
      expect(() => checkBenchFlags(choice, [], { ...flags, clips: 'a' }), choice).toThrow(/bench compress/)
    }
  })
})
