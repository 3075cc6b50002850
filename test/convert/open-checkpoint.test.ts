import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/convert/open-checkpoint.ts'
import { encodeSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { floats } from '../../src/graph/tensor.ts'
import { FormatError, InputError } from '../../src/util/errors.ts'
import * as w from '../formats/torch/writer.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pantin-open-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, content)
  return path
}

/** Names and first numbers of all tensors. */
async function content(path: string): Promise<Record<string, number>> {
  const file = await openCheckpoint(path)
  try {
    const found: Record<string, number> = {}
    for (const [place, state] of file.states) {
      for (const [name, tensor] of state) found[`${place}:${name}`] = Number((await tensor.read()).data[1])
    }
    return found
  } finally {
    await file.close()
  }
}

const safetensors = (...names: string[]) =>
  Buffer.concat(encodeSafetensors(new Map(names.map((name, i) => [name, floats([i, i + 1], [2])]))))
const saved = w.pickle(w.dict([w.text('w'), w.tensor({})]))
const index = (map: Record<string, string>) => JSON.stringify({ metadata: {}, weight_map: map })

describe('a checkpoint in several files', () => {
  const name = (i: number, of = 2) => `m-0000${i}-of-0000${of}.safetensors`

  it('is read by its index, and by each of its files', async () => {
    await write('all/m-00001-of-00002.safetensors', safetensors('a', 'b'))
    const second = await write('all/m-00002-of-00002.safetensors', safetensors('c'))
    const path = await write('all/m.safetensors.index.json', index({ a: name(1), b: name(1), c: name(2) }))
    const expected = { ':a': 1, ':b': 2, ':c': 1 }
    expect(await content(path)).toEqual(expected)
    expect(await content(second)).toEqual(expected)
  })

  it('may have files of PyTorch, and tensors that the index leaves out', async () => {
    await write('torch/p-1.bin', w.zipFile(saved))
    const path = await write('torch/p.bin.index.json', index({ w: 'p-1.bin' }))
    expect(await content(path)).toEqual({ ':w': 1 })
    await write('torch/s.safetensors', safetensors('a', 'b'))
    expect(await content(await write('torch/s.index.json', index({ b: 's.safetensors' })))).toEqual({
      ':b': 2,
    })
  })

  it.each([
    ['a missing file', { a: 'm-00009-of-00009.safetensors' }, /a file of the checkpoint is missing/],
    ['a missing tensor', { a: 'one.safetensors', z: 'one.safetensors' }, /lacks a tensor.*no z/s],
    ['a folder in a name', { a: '../bad/one.safetensors' }, /in the same folder/],
    ['an absolute path', { a: '/etc/passwd' }, /in the same folder/],
    ['a drive', { a: 'c:one' }, /in the same folder/],
    ['a hidden file', { a: '.one' }, /in the same folder/],
    ['an empty name', { a: '' }, /in the same folder/],
  ])('is refused with %s', async (_what, map, message) => {
    await write('bad/one.safetensors', safetensors('a'))
    const opened = content(await write('bad/x.index.json', index(map)))
    await expect(opened).rejects.toThrow(message)
    await expect(opened).rejects.toBeInstanceOf(FormatError)
  })

  it.each(['{', '[]', '{"weight_map": 3}', '{"weight_map": {"a": 3}}'])('is no index: %s', async (text) => {
    await expect(content(await write('x.json.index.json', text))).rejects.toThrow(/not the index/)
  })

  it('says which file is missing, and that one tensor is in two files', async () => {
    const first = await write('part/m-00001-of-00002.safetensors', safetensors('a'))
    await expect(content(first)).rejects.toThrow('m-00002-of-00002.safetensors')
    await write('part/m-00002-of-00002.safetensors', safetensors('a'))
    await expect(content(first)).rejects.toThrow(/two files of the checkpoint have one tensor/)
  })
})

describe('a file with gzip', () => {
  it('is read as what it contains', async () => {
    expect(await content(await write('m.pth.gz', gzipSync(w.zipFile(saved))))).toEqual({ ':w': 1 })
    expect(
      await content(
        await write('l.pth.gz', gzipSync(w.legacyFile(w.pickle(w.tensor({ legacy: true })).subarray(0)))),
      ),
    ).toEqual({})
    expect(await content(await write('s.gz', gzipSync(safetensors('a'))))).toEqual({ ':a': 1 })
  })

  it('is refused if it is damaged, inflates too much, or contains something else', async () => {
    const whole = gzipSync(w.zipFile(saved))
    await expect(content(await write('cut.gz', whole.subarray(0, -20)))).rejects.toThrow(/gzip, and damaged/)
    const bomb = gzipSync(Buffer.alloc(40 << 20))
    await expect(content(await write('bomb.gz', bomb))).rejects.toThrow(/inflates too much/)
    await expect(content(await write('text.gz', gzipSync('hello')))).rejects.toThrow(
      /not a PyTorch checkpoint/,
    )
  })
})

describe('an unpacked checkpoint', () => {
  it('is read by its folder, the folder around it, and its data.pkl', async () => {
    const pickle = await write('un/archive/data.pkl', saved)
    await write('un/archive/data/0', w.floats(4))
    await write('un/archive/byteorder', 'little')
    await write('un/.DS_Store', 'x')
    for (const path of [pickle, join(folder, 'un'), join(folder, 'un/archive')]) {
      expect(await content(path)).toEqual({ ':w': 1 })
    }
  })

  it('is refused without its data, with keys that lead out of the folder, and as another folder', async () => {
    const bare = await write('bare/data.pkl', saved)
    await expect(content(bare)).rejects.toThrow(/lacks data of a storage/)
    await write('escape/0', w.floats(4))
    for (const key of ['../0', '..', '.', '../data/../0']) {
      const from = w.tensor({ from: w.storage(key, 4) })
      const path = await write('escape/data.pkl', w.pickle(w.dict([w.text('w'), from])))
      await expect(content(path)).rejects.toThrow(/lacks data of a storage/)
    }
    await mkdir(join(folder, 'nothing'))
    await expect(content(join(folder, 'nothing'))).rejects.toThrow(InputError)
    await expect(content(join(folder, 'nothing'))).rejects.toThrow(/without an unpacked checkpoint/)
  })

  it('may be packed again, with the files that macOS adds', async () => {
    const entries = [
      { name: 'un/archive/data.pkl', data: saved },
      { name: '__MACOSX/un/archive/data.pkl', data: Buffer.from('x') },
      { name: 'un/archive/data/0', data: w.floats(4) },
    ]
    expect(await content(await write('packed.zip', w.zip(entries)))).toEqual({ ':w': 1 })
  })
})
