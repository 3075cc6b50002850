import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { writeSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { floats, ints, type Tensor } from '../../src/graph/tensor.ts'
import { createRun, openRun, readMetrics } from '../../src/run/run.ts'
import { FormatError, InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'

const schema = z.strictObject({ net: z.string(), train: z.object({ steps: z.int() }) })
const config = { net: 'lednet', train: { steps: 10 } }
const options = { config, version: '0.1.0' }
const tensors = new Map<string, Tensor>([
  ['conv.weight', floats([1, 2, 3, 4], [2, 2])],
  ['adam.step', ints([5], [])],
])

let folder = ''
let path = ''
const at = (...names: string[]) => join(path, ...names)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-run-'))
  path = join(folder, 'runs', 'me')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** The error of a promise that must fail with an InputError whose message matches. */
async function refused(work: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(InputError)
  expect((error as Error).message).toMatch(message)
}

describe('createRun and openRun', () => {
  it('makes the folder of the contract and gives everything back', async () => {
    const run = await createRun(path, { ...options, environment: { device: 'cpu', onnxruntime: '1.30.0' } })
    expect(readdirSync(path).sort()).toEqual(['config.json', 'env.json', 'last', 'lock', 'previews'])
    expect(JSON.parse(readFileSync(at('config.json'), 'utf8'))).toEqual({
      pantin: { format: 1, version: '0.1.0' },
      ...config,
    })
    const machine: unknown = JSON.parse(readFileSync(at('env.json'), 'utf8'))
    expect(machine).toMatchObject({ device: 'cpu', node: process.versions.node, pantin: '0.1.0' })

    const random = new Random(3)
    const extra = new Map([['loader', '17']])
    const checkpoint = { step: 7, elapsed: 0.1 + 0.2, randomState: random.state, tensors, extra }
    await run.saveCheckpoint(checkpoint)
    await run.saveWeights(tensors, new Map([['net', 'lednet']]))
    run.close()
    expect(readdirSync(path)).not.toContain('lock')

    const opened = await openRun(path, schema)
    expect(opened.config).toEqual(config)
    expect(opened.version).toBe('0.1.0')
    expect(await opened.loadCheckpoint()).toEqual({ ...checkpoint, tensors: new Map([...tensors].reverse()) })
    const weights = await opened.loadWeights()
    expect(weights.tensors.get('conv.weight')).toEqual(tensors.get('conv.weight'))
    expect(weights.metadata.get('net')).toBe('lednet')
    expect(opened.previewPath(120)).toBe(at('previews', 'step-00000120.png'))
    await refused(opened.saveWeights(tensors), /reading only/)
  })

  it('never replaces without force, and with force only a run', async () => {
    const run = await createRun(path, options)
    await run.saveWeights(tensors)
    run.appendMetrics({ step: 1 })
    writeFileSync(at('mine.onnx'), 'kept')
    await refused(createRun(path, options), /--resume/)
    await refused(createRun(path, { ...options, force: true }), /in use/)
    run.close()
    const again = await createRun(path, { ...options, force: true })
    expect(readdirSync(path)).toContain('mine.onnx')
    expect(readdirSync(path)).not.toContain('weights.safetensors')
    expect(await again.readMetrics()).toEqual([])
    again.close()

    const home = join(folder, 'home')
    mkdirSync(home)
    writeFileSync(join(home, 'thesis.txt'), '')
    await refused(createRun(home, { ...options, force: true }), /thesis\.txt/)
    writeFileSync(join(home, 'config.json'), '{ "port": 80 }')
    await refused(createRun(home, { ...options, force: true }), /not a run/)
    expect(readdirSync(home).sort()).toEqual(['config.json', 'thesis.txt'])
    await refused(createRun(join(home, 'thesis.txt'), options), /cannot be written/)
    await refused(createRun(join(home, 'thesis.txt', 'x'), options), /cannot be written/)
  })

  it('accepts what a kill at the very start leaves', async () => {
    mkdirSync(path, { recursive: true })
    writeFileSync(at('lock'), JSON.stringify({ pid: 4194999, host: 'elsewhere', born: '' }))
    await refused(createRun(path, options), /process 4194999 on elsewhere/)
    rmSync(at('lock'))
    const run = await createRun(path, options)
    run.close()
  })

  it('counts a folder as empty where file managers alone have left something', async () => {
    mkdirSync(path, { recursive: true })
    for (const name of ['.DS_Store', '._clip.mp4', 'Thumbs.db']) writeFileSync(at(name), '')
    const run = await createRun(path, options)
    run.close()
    expect(readdirSync(path)).toContain('.DS_Store')
  })

  it('refuses a configuration that JSON would change', async () => {
    const loop: Record<string, unknown> = {}
    loop.self = loop
    await refused(createRun(path, { ...options, config: { rate: Number.NaN } }), /rate is NaN/)
    await refused(createRun(path, { ...options, config: loop }), /circular/)
    await refused(createRun(path, { ...options, config: { pantin: 1 } }), /key pantin/)
    expect(readdirSync(path)).toEqual([])
  })

  it('says what is wrong with a folder', async () => {
    await refused(openRun(path, schema), /no such folder/)
    mkdirSync(path, { recursive: true })
    await refused(openRun(path, schema, { write: true }), /without config\.json/)
    expect(readdirSync(path)).toEqual([])
    await refused(openRun(join(folder, 'runs', 'me', 'x', 'y'), schema), /no such folder/)
    const cases: [string, RegExp][] = [
      ['{', /not valid JSON/],
      ['', /not valid JSON/],
      ['[]', /pantin did not write/],
      ['{"net":"lednet"}', /pantin did not write/],
      ['{"pantin":{"format":2,"version":"3.1.0"}}', /newer pantin[\s\S]*upgrade pantin to 3\.1\.0/],
      ['{"pantin":{"format":1,"version":"0.1.0"},"net":"x","train":{"steps":"many"}}', /train\.steps: /],
      ['{"pantin":{"format":1,"version":"0.1.0"},"net":"x","train":{"steps":1},"y":1}', /the whole: .*"y"/],
    ]
    for (const [text, message] of cases) {
      writeFileSync(at('config.json'), text)
      await refused(openRun(path, schema), message)
    }
    writeFileSync(join(folder, 'file'), '')
    await refused(openRun(join(folder, 'file'), schema), /a file/)
  })

  it('says which file is missing and what to do', async () => {
    const run = await createRun(path, options)
    expect(await run.hasCheckpoint()).toBe(false)
    await refused(run.loadCheckpoint(), /checkpoint\.safetensors: this run has no checkpoint/)
    await refused(run.loadWeights(), /weights\.safetensors[\s\S]*--resume/)
    run.close()
  })

  it('does not take weights without a checkpoint for a run at its beginning', async () => {
    const run = await createRun(path, options)
    await run.saveWeights(tensors)
    await refused(run.hasCheckpoint(), /checkpoint\.safetensors: this run has no checkpoint[\s\S]*--from/)
    await run.saveCheckpoint({ step: 1, elapsed: 1, randomState: new Random(1).state, tensors })
    expect(await run.hasCheckpoint()).toBe(true)
    run.close()
  })
})

describe('checkpoints', () => {
  it('refuses one that could not be resumed', async () => {
    const run = await createRun(path, options)
    const good = { step: 1, elapsed: 1, randomState: new Random(1).state, tensors }
    await refused(run.saveCheckpoint({ ...good, step: 0.5 }), /could not be resumed/)
    await refused(run.saveCheckpoint({ ...good, elapsed: Number.NaN }), /could not be resumed/)
    await refused(run.saveCheckpoint({ ...good, extra: new Map([['pantin.step', '1']]) }), /reserved/)
    expect(await run.hasCheckpoint()).toBe(false)

    const file = at('last', 'checkpoint.safetensors')
    const write = (metadata: Record<string, string>) =>
      writeSafetensors(file, tensors, new Map(Object.entries(metadata)))
    await write({})
    await refused(run.loadCheckpoint(), /not a checkpoint/)
    await write({ 'pantin.format': '2' })
    await refused(run.loadCheckpoint(), /newer pantin/)
    const fields = { 'pantin.format': '1', 'pantin.step': '1', 'pantin.elapsed': '1' }
    for (const state of ['', '1 2 3', '1 2 3 -4', '1 2 3 4 5', '1 2 3 x', '1  2 3']) {
      await write({ ...fields, 'pantin.randomState': state })
      await refused(run.loadCheckpoint(), /not a checkpoint/)
    }
    await write({ ...fields, 'pantin.randomState': '1 2 3 4' })
    expect((await run.loadCheckpoint()).randomState).toEqual([1, 2, 3, 4])
    writeFileSync(file, 'garbage that is long enough')
    await expect(run.loadCheckpoint()).rejects.toThrow(FormatError)
    run.close()
  })
})

describe('metrics', () => {
  it('appends, drops what comes after a step, and forgives only a torn last line', async () => {
    const run = await createRun(path, options)
    for (const step of [1, 2, 3]) run.appendMetrics({ step, loss: 1 / step })
    run.appendMetrics({ step: 4, loss: Number.NaN })
    expect((await run.readMetrics()).at(-1)).toEqual({ step: 4, loss: null })
    await run.truncateMetrics(2)
    expect(await run.readMetrics()).toEqual([
      { step: 1, loss: 1 },
      { step: 2, loss: 0.5 },
    ])
    expect(() => run.appendMetrics({ step: -1 })).toThrow(InputError)
    run.close()

    const file = at('metrics.jsonl')
    for (const tail of ['{"step":3,"lo', '{', '\0\0\0', '12']) {
      writeFileSync(file, `{"step":1}\n${tail}`)
      expect(await readMetrics(file)).toEqual([{ step: 1 }])
    }
    writeFileSync(file, '{"step":1}\n{"st')
    const resumed = await openRun(path, schema, { write: true })
    resumed.appendMetrics({ step: 2 })
    expect(await readMetrics(file)).toEqual([{ step: 1 }, { step: 2 }])
    resumed.close()
    for (const bad of ['{"step":1}\n{\n{"step":2}\n', '{"step":1}\n\n', '{"loss":1}\n', 'null\n']) {
      writeFileSync(file, bad)
      await refused(readMetrics(file), /metrics\.jsonl, line [12]/)
    }
    expect(await readMetrics(join(folder, 'none'))).toEqual([])
  })
})
