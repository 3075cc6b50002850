import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { openTorchFile } from '../../../src/formats/torch/torch-file.ts'

const folder = fileURLToPath(new URL('files/', import.meta.url))

interface Expected {
  readonly shape: readonly number[]
  readonly dtype: string
  readonly elements: readonly (number | string)[]
}
const expected: Record<string, Record<string, Record<string, Expected>>> = JSON.parse(
  readFileSync(`${folder}expected.json`, 'utf8'),
)

/** What float32 memory holds of an element; whole numbers as the texts that the file has. */
function heldAs(value: number | string): number | string {
  return typeof value === 'number' ? Math.fround(value) : value
}

it.each(Object.keys(expected))('reads %s as PyTorch does', async (name) => {
  const file = await openTorchFile(folder + name)
  try {
    const states = Object.entries(expected[name]!)
    if (states.length > 0) expect([...file.states.keys()]).toEqual(states.map(([path]) => path))
    for (const [path, tensors] of states) {
      const state = file.states.get(path)!
      expect([...state.keys()].sort()).toEqual(Object.keys(tensors).sort())
      for (const [key, { shape, dtype, elements }] of Object.entries(tensors)) {
        const stored = state.get(key)!
        expect([stored.shape, stored.dtype], key).toEqual([shape, dtype])
        const read = await stored.read()
        const values = Array.from<number | bigint, number | string>(read.data, (value) =>
          typeof elements[0] === 'string' ? String(value) : Number(value),
        )
        expect(read.shape).toEqual(shape)
        expect(values, key).toEqual(elements.map(heldAs))
      }
    }
  } finally {
    await file.close()
  }
})
