import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  decodeSafetensors,
  encodeSafetensors,
  type TensorFile,
} from '../../src/formats/safetensors/safetensors.ts'
import { floats, ints, type Tensor, tensor } from '../../src/graph/tensor.ts'
import { FormatError } from '../../src/util/errors.ts'
import { fileOf, joined } from './safetensors-bytes.ts'

const tensors = new Map<string, Tensor>([
  ['conv.weight', floats([1, 2, 3, 4, 5, 6], [3, 2])],
  ['steps', ints([7, 8])],
  ['mask', tensor('bool', [4], Uint8Array.of(1, 0, 1, 1))],
  ['empty', floats([], [0])],
])
const good = joined(encodeSafetensors(tensors, new Map([['step', '7']])))
const headerLength = Number(Buffer.from(good).readBigUInt64LE(0))
const header = Buffer.from(good.subarray(8, 8 + headerLength)).toString()
const data = good.subarray(8 + headerLength)

/**
 * What a mutant may do: be refused with a FormatError, or be a valid file. Of a valid file, the tensors are
 * exactly the file's data, which an independent reading with JSON.parse confirms.
 */
async function check(bytes: Uint8Array): Promise<'refused' | 'valid'> {
  let file: TensorFile
  try {
    file = await decodeSafetensors(bytes, 'mutant')
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return 'refused'
  }
  const length = Number(Buffer.from(bytes).readBigUInt64LE(0))
  const raw = JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)).toString())
  delete raw.__metadata__
  const ranges = Object.entries(raw as Record<string, { data_offsets: [number, number]; shape: number[] }>)
  expect(ranges.map(([name]) => name).sort()).toEqual([...file.tensors.keys()].sort())
  const owners = new Uint8Array(bytes.length - 8 - length)
  for (const [name, { data_offsets, shape }] of ranges) {
    expect(file.tensors.get(name)!.shape).toEqual(shape)
    for (let i = data_offsets[0]; i < data_offsets[1]; i++) owners[i]! += 1
  }
  expect(owners.every((count) => count === 1)).toBe(true)
  return 'valid'
}

const position = fc.nat(good.length - 1)
const byte = fc.integer({ min: 0, max: 255 })

/** Raw bytes: changed, cut, inserted, anywhere in the file. */
const bytesMutant = fc
  .array(fc.tuple(fc.constantFrom('set', 'flip', 'cut', 'insert', 'end'), position, byte), {
    minLength: 1,
    maxLength: 4,
  })
  .map((edits) => {
    let bytes = Buffer.from(good)
    for (const [kind, where, value] of edits) {
      const at = Math.min(where, bytes.length - 1)
      if (at < 0) break
      if (kind === 'set') bytes[at] = value
      else if (kind === 'flip') bytes[at]! ^= 1 << (value % 8)
      else if (kind === 'cut')
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + (value % 16))])
      else if (kind === 'insert')
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(value), bytes.subarray(at)])
      else bytes = bytes.subarray(0, at)
    }
    return new Uint8Array(bytes)
  })

/** Header text: pieces of JSON and hostile numbers in place of its own, with a right header length. */
const piece = fc.constantFrom(
  ...['{', '}', '[', ']', ',', ':', '"', '""', '\\', 'null', 'NaN', '-1', '0', '1e3', '0.5', '-0', '01', ' '],
  ...['9007199254740991', '9007199254740993', '18446744073709551616', '1e999', '4294967296', '4,4', '0,0'],
  ...['"F16"', '"F64"', '"U8"', '"steps"', '"__metadata__"', '"__proto__"', '"\\u0073teps"', '"\\ud800"'],
)
const textMutant = fc
  .array(fc.tuple(fc.nat(header.length - 1), fc.nat(8), piece), { minLength: 1, maxLength: 3 })
  .map((edits) => {
    let text = header
    for (const [at, length, by] of edits) text = text.slice(0, at) + by + text.slice(at + length)
    return fileOf(text, data)
  })

/** A header built whole, so that most mutants are refused only by the checks on sizes and offsets. */
const size = fc.oneof(fc.nat(9), fc.constantFrom(2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64, -1))
const entry = fc.record({
  dtype: fc.constantFrom('F32', 'I64', 'U8', 'BOOL', 'F16', 'BF16', 'F64', 'F8', ''),
  shape: fc.array(size, { maxLength: 3 }),
  data_offsets: fc.tuple(size, size),
})
const builtMutant = fc
  .tuple(fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), entry), fc.nat(40))
  .map(([entries, bytes]) => fileOf(JSON.stringify(entries), bytes))

it('reads the file that the mutants come from', async () => {
  expect(await check(good)).toBe('valid')
})

it.each([
  ['bytes', bytesMutant, 40_000],
  ['header text', textMutant, 40_000],
  ['headers built whole', builtMutant, 20_000],
] as const)('30 MB are enough for every mutant: %s', async (_what, mutants, numRuns) => {
  let refused = 0
  let most = 0
  await fc.assert(
    fc.asyncProperty(mutants, async (bytes) => {
      if ((await check(bytes)) === 'refused') refused++
      most = Math.max(most, process.memoryUsage().arrayBuffers)
    }),
    { seed: 20, numRuns },
  )
  expect(refused).toBeGreaterThan(numRuns / 4)
  expect(most).toBeLessThan(30e6)
})
