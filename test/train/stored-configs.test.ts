// config.json of runs that were made before options stood in tables: they are read, and resumed as they were begun.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { detectorGraph } from '../../src/motion/model.ts'
import { parseConfig } from '../../src/run/config.ts'
import { resolveConfig, runConfigSchema, type TrainOptions } from '../../src/train/config.ts'
import { distilConfigSchema } from '../../src/train/distil/config.ts'
import { type AnyConfig, beginRun } from '../../src/train/setup.ts'
import { FormatError } from '../../src/util/errors.ts'

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
    /"mine" is not known here \(it was loaded from mine.mjs\)[\s\S]*remedy: .*--plugin mine.mjs \(with its folder before the name\)/,
  )
  const mixed = textOf('default.json').replace('"net": "ficelle"', '"net": "enet"')
  expect(() => parseConfig(mixed, 'config.json', runConfigSchema)).toThrow('enet has no design of its own')
  const bent = textOf('default.json').replace('"upsampling": "nearest"', '"upsampling": "cubic"')
  expect(() => parseConfig(bent, 'config.json', runConfigSchema)).toThrow('design.decoder.upsampling')
})

describe('a folder that another command made', () => {
  const [train, distil] = ['lednet.json', 'distil.json'].map((name) => JSON.parse(textOf(name)) as object)
  const { pantin, model } = train as { pantin: object; model: object }
  const bare = { pantin, model, training: { fit: 'crop', crop: 'motion' } }
  const folders = {
    ...{ trained: train!, distilled: distil!, packed: bare },
    network: { pantin, network: { net: 'enet', outputs: 4 } },
    compressed: { ...bare, compression: { device: 'cpu', eightBits: {} } },
  }
  const resume = (by: 'train' | 'distil', name: keyof typeof folders) => {
    const out = join(folder, 'foreign', name)
    mkdirSync(out, { recursive: true })
    writeFileSync(join(out, 'config.json'), JSON.stringify(folders[name]))
    const options = { out, resume: true }
    const { config } =
      by === 'train'
        ? parseConfig(textOf('lednet.json'), out, runConfigSchema)
        : parseConfig(textOf('distil.json'), out, distilConfigSchema)
    const schema: z.ZodType<AnyConfig> = by === 'train' ? runConfigSchema : distilConfigSchema
    return beginRun({ config, options, schema, reads: {} })
  }

  it.each([
    ['train', 'compressed', 'it was compressed', 'pantin train VIDEO --from OUT --out OTHER'],
    ['distil', 'compressed', 'it was compressed', 'pantin train VIDEO --from OUT --out OTHER'],
    ['train', 'packed', 'a model alone', 'pantin train VIDEO --from OUT --out OTHER'],
    ['train', 'network', 'a plain network', 'pantin train VIDEO --net enet --init OUT --out OTHER'],
    ['train', 'distilled', 'it was distilled', 'pantin distil VIDEO --teacher TEACHER --out OUT --resume'],
    ['distil', 'trained', 'it was trained', 'pantin train VIDEO --out OUT --resume'],
  ] as const)(
    'is not resumed by %s if it is %s, and the right command is named',
    async (by, name, got, remedy) => {
      const refused = resume(by, name)
      await expect(refused).rejects.toThrow(FormatError)
      const { teacher } = (distil as { distillation: { teacher: string } }).distillation
      const out = join(folder, 'foreign', name)
      const command = remedy.replace('OUT ', `${out} `).replace('TEACHER', teacher)
      await expect(refused).rejects.toMatchObject({
        problem: { where: out, got: expect.stringContaining(got), remedy: expect.stringContaining(command) },
      })
      await expect(refused).rejects.not.toThrow(/by hand/)
    },
  )
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
