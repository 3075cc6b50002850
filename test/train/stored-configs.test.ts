// config.json of runs that were made before options stood in tables: they are read, and resumed as they were begun.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { detectorGraph } from '../../src/motion/model.ts'
import { parseConfig } from '../../src/run/config.ts'
import { resolveConfig, runConfigSchema, type TrainOptions } from '../../src/train/config.ts'
import { distilConfigSchema } from '../../src/train/distil/config.ts'
import { beginRun } from '../../src/train/setup.ts'

const stored = new URL('configs/', import.meta.url)
const names = readdirSync(stored)
const textOf = (name: string) => readFileSync(new URL(name, stored), 'utf8')

const folder = mkdtempSync(join(tmpdir(), 'pantin-stored-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(names)('%s', (name) => {
  it('is read as it stands, and its detector is built', () => {
    const text = textOf(name)
    const { pantin: _, ...written } = JSON.parse(text) as { pantin: object; distillation?: object }
    const schema = written.distillation === undefined ? runConfigSchema : distilConfigSchema
    const { config } = parseConfig<{ model: Parameters<typeof detectorGraph>[0] }>(text, name, schema)
    // Options that are newer have the value that changes nothing.
    const isDistilled = written.distillation !== undefined
    const training = {
      ...(isDistilled ? {} : { tie: 'none' }),
      ...(written as { training?: object }).training,
    }
    const distillation = isDistilled && { distillation: { what: 'detector', ...written.distillation } }
    expect(config).toEqual({ ...written, training, ...distillation })
    expect(detectorGraph(config.model).outputs.get('value')!.shape).toEqual([1, 10, 2])
  })
})

it('reads skips that were said as true or false', () => {
  const said = textOf('default.json').replace('"skip": "all"', '"skip": true')
  expect(parseConfig(said, 'config.json', runConfigSchema).config.model.detector.head.skip).toBe('all')
})

it('says what to do about a network that is not known, and about options that are not its own', () => {
  const own = textOf('default.json').replace('"net": "ficelle"', '"net": "mine", "plugin": "mine.mjs"')
  expect(() => parseConfig(own, 'config.json', runConfigSchema)).toThrow(
    /"mine" is not known here \(it was loaded from mine.mjs\)[\s\S]*remedy: .*--plugin mine.mjs/,
  )
  const mixed = textOf('default.json').replace('"net": "ficelle"', '"net": "enet"')
  expect(() => parseConfig(mixed, 'config.json', runConfigSchema)).toThrow('enet has no design of its own')
  const bent = textOf('default.json').replace('"upsampling": "nearest"', '"upsampling": "cubic"')
  expect(() => parseConfig(bent, 'config.json', runConfigSchema)).toThrow('design.decoder.upsampling')
})

describe('a run that was begun before', () => {
  const clips = ['puppet:3', 'puppet:5']
  const resumed = async (name: string, options: Omit<TrainOptions, 'out'>) => {
    const out = join(folder, name)
    mkdirSync(out, { recursive: true })
    writeFileSync(join(out, 'config.json'), textOf(`${name}.json`))
    const asked = { ...options, out, resume: true }
    const config = resolveConfig(clips, asked)
    const run = await beginRun({ config, options: asked, schema: runConfigSchema, reads: {} })
    run.close()
    return run.config
  }

  it('goes on as it was begun, whatever it computes on', async () => {
    const asked = { net: 'lednet', skip: 'gated', steps: 3, seed: 8 } as const
    expect((await resumed('lednet', asked)).model.net).toBe('lednet')
    await resumed('lednet', { ...asked, device: 'cpu', threads: 7 })
    await resumed('light128', { generator: 'light', size: 128, batch: 2 })
  })

  it.each<[string, string, Omit<TrainOptions, 'out'>]>([
    ['skip', 'lednet', { net: 'lednet', skip: 'all' }],
    ['net', 'lednet', { net: 'enet' }],
    ['head', 'default', { head: 'fomm' }],
    ['dilations', 'default', { dilations: 'published' }],
    ['size', 'light128', { size: 64 }],
    ['generator', 'light128', { generator: 'small' }],
    ['batch', 'default', { batch: 7 }],
    ['colour', 'default', { augment: { flip: false, colour: 0.7 } }],
    ['mirror', 'default', { augment: { flip: true, colour: 0 } }],
    [
      'netOptions',
      'fomm',
      { net: 'hourglass', netOptions: { blockExpansion: 8, maxFeatures: 16, blocks: 3 } },
    ],
  ])('does not go on with another %s', async (what, name, options) => {
    await expect(resumed(name, options)).rejects.toThrow(`the run was begun with another ${what}`)
  })
})
