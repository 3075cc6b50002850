import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readDesignFile } from '../../src/convert/network-folder.ts'
import { resolveConfig } from '../../src/train/config.ts'
import { resolveDistil } from '../../src/train/distil/config.ts'
import { FormatError, InputError } from '../../src/util/errors.ts'
import type { Design } from '../../src/zoo/design.ts'

const design: Design = {
  stem: { kind: 'convolutions', widths: [16] },
  stages: [{ stride: 2, width: 16, block: 'rep-vgg', depth: 1, dilations: [] }],
  decoder: { widths: [16], depth: 1, upsampling: 'nearest', skips: 'sum' },
}
const folder = mkdtempSync(join(tmpdir(), 'pantin-design-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const teacher = {
  ...{ path: 'teacher.onnx', size: 64, keypoints: 5, jacobian: true, device: 'cpu' as const },
  ...{ heatmap: undefined, features: undefined },
  detect: () => Promise.reject(new Error('unused')),
  close: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}

describe('a design as an option', () => {
  it('decides the detector of train and of distil, and stands in config.json', () => {
    const trained = resolveConfig(['a.mp4'], { out: 'run', net: 'ficelle', design })
    expect(trained.model.detector.design).toEqual(design)
    const asked = { out: 'run', teacher: 'teacher.onnx', net: 'ficelle', design }
    const distilled = resolveDistil(['a.mp4'], teacher, undefined, asked)
    expect(distilled.model).toMatchObject({ net: 'ficelle', keypoints: 5, detector: { design } })
  })

  it('is for the network that has one', () => {
    expect(() => resolveConfig(['a.mp4'], { out: 'run', net: 'lednet', design })).toThrow(
      /no design of its own[\s\S]*ficelle/,
    )
  })

  it('is read from a file', async () => {
    const path = join(folder, 'design.json')
    writeFileSync(path, JSON.stringify(design))
    expect(await readDesignFile(path)).toEqual(design)
  })

  it.each<[string, string | undefined, typeof InputError, string]>([
    ['no file', undefined, InputError, 'no such file'],
    ['no JSON', '{"stem":', FormatError, 'not valid JSON'],
    ['no design', '{"stem":{}}', InputError, 'design.stem'],
    ['a file of another kind', '1'.repeat(2 << 20), FormatError, 'too large'],
  ])('is refused where it is %s', async (name, text, kind, words) => {
    const path = join(folder, `${name}.json`)
    if (text !== undefined) writeFileSync(path, text)
    await expect(readDesignFile(path)).rejects.toThrow(kind)
    await expect(readDesignFile(path)).rejects.toThrow(words)
  })

  it.skipIf(process.platform === 'win32')(
    'is refused where it is a pipe, which nobody writes to',
    async () => {
      const path = join(folder, 'pipe.json')
      execFileSync('mkfifo', [path])
      await expect(readDesignFile(path)).rejects.toThrow(/not a file[\s\S]*pipe/)
    },
  )
})
