import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  writeSafetensors,
} from '../../src/formats/safetensors/safetensors.ts'
import {
  allocate,
  floats,
  halfToNumber,
  ints,
  numberToHalf,
  sizeOf,
  type Tensor,
  tensor,
} from '../../src/graph/tensor.ts'
import { FormatError, InputError } from '../../src/util/errors.ts'
import { fileOf, joined } from './safetensors-bytes.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-safetensors-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const name = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'a"b\\c', 'encoder.0.conv.weight', ' '),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !/\p{Surrogate}/u.test(text)),
)

const anyTensor: fc.Arbitrary<Tensor> = fc
  .record({
    dtype: fc.constantFrom('float32', 'int64', 'int32', 'uint8', 'bool'),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
    bytes: fc.uint8Array({ minLength: 2048, maxLength: 2048 }),
  })
  .map(({ dtype, shape, bytes }) => {
    const data = allocate(dtype, sizeOf(shape))
    const view = new Uint8Array(data.buffer)
    view.set(bytes.subarray(0, view.length))
    if (dtype === 'bool') for (let i = 0; i < view.length; i++) view[i]! &= 1
    return tensor(dtype, shape, data)
  })

const anyMap = fc.array(fc.tuple(name, anyTensor), { maxLength: 6 }).map((items) => new Map(items))
const anyMetadata = fc.array(fc.tuple(name, fc.string()), { maxLength: 4 }).map((items) => new Map(items))

const bits = (value: Tensor) => [value.dtype, value.shape, Buffer.from(value.data.buffer).toString('hex')]

describe('round trips', () => {
  it('gives back every tensor bit by bit, and the metadata', async () => {
    await fc.assert(
      fc.asyncProperty(anyMap, anyMetadata, async (tensors, metadata) => {
        if ([...metadata.values()].some((text) => /\p{Surrogate}/u.test(text))) return
        const read = await decodeSafetensors(joined(encodeSafetensors(tensors, metadata)), 'memory')
        expect([...read.metadata].sort()).toEqual([...metadata].sort())
        expect(read.tensors.size).toBe(tensors.size)
        for (const [key, value] of tensors) expect(bits(read.tensors.get(key)!)).toEqual(bits(value))
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  it('goes through a file, and writes the same bytes whatever the order', async () => {
    const items: [string, Tensor][] = [
      ['w', floats([1, -2, Number.NaN, 4], [2, 2])],
      ['steps', ints([7], [])],
      ['mask', tensor('bool', [3], Uint8Array.of(1, 0, 1))],
      ['empty', floats([], [0, 3])],
    ]
    const [a, b] = [join(folder, 'a.safetensors'), join(folder, 'b.safetensors')]
    await writeSafetensors(a, new Map(items), new Map([['step', '7']]))
    await writeSafetensors(b, new Map(items.reverse()), new Map([['step', '7']]))
    expect(readFileSync(a).equals(readFileSync(b))).toBe(true)
    expect(Number(readFileSync(a).readBigUInt64LE(0)) % 8).toBe(0)
    const read = await readSafetensors(a)
    for (const [key, value] of items) expect(bits(read.tensors.get(key)!)).toEqual(bits(value))
    const header = await readSafetensorsHeader(a)
    expect(header.entries.get('w')).toMatchObject({ dtype: 'F32', shape: [2, 2], length: 16 })
    expect(header.metadata.get('step')).toBe('7')
  })

  it('refuses to write what it could not read back', () => {
    const one = floats([1])
    for (const key of ['', '__metadata__', 'half \ud800']) {
      expect(() => encodeSafetensors(new Map([[key, one]]))).toThrow(InputError)
    }
    const torn = { ...one, shape: [2] }
    expect(() => encodeSafetensors(new Map([['x', torn]]))).toThrow(/another number of elements/)
  })
})

describe('conversion to float32', () => {
  it.each([
    ['F16', [0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0xfe00, 0x8000], 2],
    ['BF16', [0x3f80, 0xc000, 0x7f7f, 0x0001, 0x7f80, 0xffc0, 0x8000], 2],
  ])('%s', async (dtype, words, size) => {
    const data = new Uint8Array(Uint16Array.from(words).buffer)
    const header = `{"x":{"dtype":"${dtype}","shape":[${words.length}],"data_offsets":[0,${words.length * size}]}}`
    const { tensors } = await decodeSafetensors(fileOf(header, data), 'memory')
    const most = dtype === 'F16' ? 65504 : 3.3895313892515355e38
    const least = dtype === 'F16' ? 2 ** -24 : 2 ** -133
    const got = [...(tensors.get('x')!.data as Float32Array)]
    expect(got).toEqual([1, -2, most, least, Number.POSITIVE_INFINITY, Number.NaN, -0])
  })

  it('F64, over more than one piece, from an offset that is not aligned', async () => {
    const values = Float64Array.from({ length: 200_000 }, (_, i) => i / 3)
    const data = joined([Uint8Array.of(9), new Uint8Array(values.buffer)])
    const header = `{"d":{"dtype":"F64","shape":[200000],"data_offsets":[1,1600001]},"b":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`
    const { tensors } = await decodeSafetensors(fileOf(header, data), 'memory')
    expect(
      Buffer.from(tensors.get('d')!.data.buffer).equals(Buffer.from(Float32Array.from(values).buffer)),
    ).toBe(true)
    expect(tensors.get('b')!.data).toEqual(Uint8Array.of(9))
  })
})

describe('F16', () => {
  it('has a number for each of its 65,536 patterns, and gives the pattern back', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = halfToNumber(bits)
      if (!Number.isNaN(value)) expect(numberToHalf(value)).toBe(bits)
    }
  })

  it('takes the nearest number, and the even one of two', () => {
    const rounded = (value: number) => halfToNumber(numberToHalf(value))
    expect([1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -11 + 2 ** -20].map(rounded)).toEqual([
      ...[1, 1 + 2 * 2 ** -10, 1 + 2 ** -10],
    ])
    expect([2 ** -25, 3 * 2 ** -25, 2047.7, 65519.9, 65520].map(rounded)).toEqual([
      ...[0, 2 * 2 ** -24, 2048, 65504, Number.POSITIVE_INFINITY],
    ])
    expect(Object.is(rounded(-1e-9), -0)).toBe(true)
    expect(rounded(Number.NaN)).toBeNaN()
  })

  it('halves the bytes of float32 tensors alone, and is read as float32', async () => {
    const mixed = new Map<string, Tensor>([
      ['a', floats([0.1, -3, 1e-7], [3])],
      ['steps', ints([7], [])],
      ['mask', tensor('bool', [3], Uint8Array.of(1, 0, 1))],
    ])
    const bytes = joined(encodeSafetensors(mixed, new Map(), { floats: 'F16' }))
    const { tensors } = await decodeSafetensors(bytes, 'memory')
    const read = tensors.get('a')!
    expect(read).toMatchObject({ dtype: 'float32', shape: [3] })
    expect(Math.abs((read.data as Float32Array)[0]! - 0.1)).toBeLessThan(0.1 * 2 ** -11)
    expect(bits(tensors.get('steps')!)).toEqual(bits(mixed.get('steps')!))
    expect(bits(tensors.get('mask')!)).toEqual(bits(mixed.get('mask')!))
    const header = Number(new DataView(bytes.buffer).getBigUint64(0, true))
    expect(bytes.length - 8 - header).toBe(3 * 2 + 8 + 3)
  })

  it.each([65505, Number.NaN, Number.NEGATIVE_INFINITY])('is refused for %s', (value) => {
    const write = () => encodeSafetensors(new Map([['w', floats([1, value])]]), new Map(), { floats: 'F16' })
    expect(write).toThrow(InputError)
    expect(write).toThrow(/tensor "w"[\s\S]*65504/)
  })
})

const entry = (shape: string, offsets: string, dtype = 'F32') =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`

/** What, header, bytes of data, and words of the message. */
const hostile: [string, string, number, RegExp][] = [
  ['overlap', `{"a":${entry('[2]', '[0,8]')},"b":${entry('[2]', '[4,12]')}}`, 12, /overlaps/],
  ['equal ranges', `{"a":${entry('[2]', '[0,8]')},"b":${entry('[2]', '[0,8]')}}`, 8, /overlaps/],
  ['a hole', `{"a":${entry('[1]', '[0,4]')},"b":${entry('[1]', '[8,12]')}}`, 12, /hole/],
  ['a hole at the start', `{"a":${entry('[1]', '[4,8]')}}`, 8, /hole/],
  ['bytes left over', `{"a":${entry('[1]', '[0,4]')}}`, 8, /belong to no tensor/],
  ['data without tensors', '{}', 4, /belong to no tensor/],
  ['cut off', `{"a":${entry('[4]', '[0,16]')}}`, 8, /cut off/],
  ['2^53 elements', `{"a":${entry('[9007199254740992,2]', '[0,4]')}}`, 4, /whole number from 0 to 2\^53/],
  ['overflow', `{"a":${entry('[9007199254740991,2]', '[0,4]')}}`, 4, /beyond 2\^53/],
  ['overflow to zero', `{"a":${entry('[4294967296,4294967296,0]', '[0,0]')}}`, 0, /beyond 2\^53/],
  ['2^64 wraps to 0', `{"a":${entry('[4294967296,4294967296]', '[0,0]')}}`, 0, /beyond 2\^53/],
  ['end before start', `{"a":${entry('[1]', '[4,0]')}}`, 4, /disagree/],
  ['shape and offsets', `{"a":${entry('[3]', '[0,16]')}}`, 16, /disagree/],
  ['negative axis', `{"a":${entry('[-1]', '[0,4]')}}`, 4, /whole number/],
  ['fraction', `{"a":${entry('[1.0]', '[0,4]')}}`, 4, /malformed/],
  ['exponent', `{"a":${entry('[1e0]', '[0,4]')}}`, 4, /malformed/],
  ['leading zero', `{"a":${entry('[01]', '[0,4]')}}`, 4, /malformed/],
  ['NaN', `{"a":${entry('[NaN]', '[0,4]')}}`, 4, /whole number/],
  ['number as text', `{"a":${entry('["1"]', '[0,4]')}}`, 4, /whole number/],
  ['too many digits', `{"a":${entry(`[${'9'.repeat(400)}]`, '[0,4]')}}`, 4, /whole number/],
  ['three offsets', `{"a":${entry('[1]', '[0,4,4]')}}`, 4, /at most 2/],
  ['one offset', `{"a":${entry('[1]', '[0]')}}`, 4, /two data_offsets/],
  ['1000 axes', `{"a":${entry(`[${'1,'.repeat(999)}1]`, '[0,4]')}}`, 4, /at most 64/],
  ['unknown type', `{"a":${entry('[1]', '[0,4]', 'F8_E4M3')}}`, 4, /does not read/],
  ['inherited type name', `{"a":${entry('[1]', '[0,4]', 'constructor')}}`, 4, /does not read/],
  ['duplicate tensor', `{"a":${entry('[1]', '[0,4]')},"a":${entry('[1]', '[0,4]')}}`, 4, /each key once/],
  [
    'duplicate by escape',
    `{"a":${entry('[1]', '[0,4]')},"\\u0061":${entry('[1]', '[0,4]')}}`,
    4,
    /each key once/,
  ],
  [
    'duplicate field',
    '{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
    4,
    /each key once/,
  ],
  ['duplicate metadata', '{"__metadata__":{"k":"a","k":"b"}}', 0, /each key once/],
  ['two metadata', '{"__metadata__":{},"__metadata__":{}}', 0, /each key once/],
  ['metadata number', '{"__metadata__":{"k":1}}', 0, /a string/],
  ['metadata nested', '{"__metadata__":{"k":{}}}', 0, /a string/],
  ['metadata list', '{"__metadata__":[]}', 0, /malformed/],
  ['extra field', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', 4, /only dtype/],
  ['missing field', '{"a":{"dtype":"F32","shape":[1]}}', 4, /without all/],
  [
    '__proto__ as field',
    '{"a":{"__proto__":{"dtype":"F32"},"shape":[1],"data_offsets":[0,4]}}',
    4,
    /only dtype/,
  ],
  ['empty name', `{"":${entry('[1]', '[0,4]')}}`, 4, /not empty/],
  ['half a character', `{"\\ud800":${entry('[1]', '[0,4]')}}`, 4, /whole characters/],
  ['bad escape', `{"\\x":${entry('[1]', '[0,4]')}}`, 4, /valid JSON/],
  ['control character', `{"a\u0001":${entry('[1]', '[0,4]')}}`, 4, /valid JSON/],
  ['open string', '{"a', 0, /malformed/],
  ['ends in a backslash', '{"a\\', 0, /malformed/],
  ['deep nesting', '{"a":'.repeat(200_000), 0, /only dtype/],
  ['deep lists', `{"a":${'['.repeat(200_000)}`, 0, /malformed/],
  ['a list', '[]', 0, /as the first byte/],
  ['null', 'null', 0, /as the first byte/],
  ['space before', ' {}', 0, /as the first byte/],
  ['byte order mark', '\ufeff{}', 0, /as the first byte/],
  ['text after', '{}{}', 0, /nothing but spaces/],
  ['NUL after', '{}\0', 0, /nothing but spaces/],
  ['comma at the end', `{"a":${entry('[1]', '[0,4]')},}`, 4, /a string/],
  ['only NULs', '\0'.repeat(64), 0, /as the first byte/],
]

describe('hostile headers', () => {
  it.each(hostile)('%s', async (_what, header, data, message) => {
    const error = await decodeSafetensors(fileOf(header, data), 'bad.safetensors').catch((e: unknown) => e)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as Error).message).toMatch(message)
    expect((error as Error).message).toContain('bad.safetensors')
    expect((error as Error).message.length).toBeLessThan(800)
  })

  it('invalid UTF-8', async () => {
    const bytes = fileOf('{"a":1}')
    bytes[10] = 0xff
    await expect(decodeSafetensors(bytes, 'f')).rejects.toThrow(/not valid UTF-8/)
  })

  it('a BOOL of 2', async () => {
    const bytes = fileOf(`{"a":${entry('[2]', '[0,2]', 'BOOL')}}`, Uint8Array.of(1, 2))
    await expect(decodeSafetensors(bytes, 'f')).rejects.toThrow(/neither 0 nor 1/)
  })

  it.each([0n, 1n, 3n, 100_000_001n, 2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n])(
    'a header length of %s',
    async (length) => {
      const bytes = Buffer.from(fileOf('{}'))
      bytes.writeBigUInt64LE(length)
      await expect(decodeSafetensors(bytes, 'f')).rejects.toThrow(FormatError)
    },
  )

  it('accepts the edge cases of the format', async () => {
    const edge = `{"a":${entry('[0]', '[0,0]')},"b":${entry('[]', '[0,4]')},"c":${entry('[2,0]', '[4,4]')}}   `
    const { tensors } = await decodeSafetensors(fileOf(edge, 4), 'f')
    expect([...tensors.keys()]).toEqual(['a', 'b', 'c'])
    expect((await decodeSafetensors(fileOf('{}'), 'f')).tensors.size).toBe(0)
    const proto = await decodeSafetensors(fileOf(`{"__proto__":${entry('[1]', '[0,4]')}}`, 4), 'f')
    expect(proto.tensors.has('__proto__')).toBe(true)
  })
})

describe('files that cannot be read', () => {
  it('names each cause', async () => {
    const write = (file: string, bytes: Uint8Array | string) => {
      writeFileSync(join(folder, file), bytes)
      return readSafetensors(join(folder, file))
    }
    await expect(readSafetensors(join(folder, 'nowhere'))).rejects.toThrow(/no such file/)
    await expect(readSafetensors(folder)).rejects.toThrow(/a folder/)
    await expect(readSafetensors('/dev/null')).rejects.toThrow(InputError)
    await expect(write('empty', '')).rejects.toThrow(/an empty file/)
    await expect(write('short', 'abc')).rejects.toThrow(/3 bytes/)
    await expect(write('text', 'a text that is no tensor file')).rejects.toThrow(FormatError)
    const good = fileOf(`{"a":${entry('[4]', '[0,16]')}}`, 16)
    for (const length of [8, 9, 20, good.length - 1]) {
      await expect(write('cut', good.subarray(0, length))).rejects.toThrow(/cut off|header length/)
    }
  })

  it('refuses a huge file by its header, without reading it', async () => {
    const huge = join(folder, 'huge')
    const bytes = Buffer.from(fileOf(`{"a":${entry('[1]', '[0,4]')}}`))
    for (const length of [bytes.length - 8, 100_000_001, 50_000_000]) {
      bytes.writeBigUInt64LE(BigInt(length))
      writeFileSync(huge, bytes)
      // Sparse: it takes no room on the disk.
      truncateSync(huge, 2 ** 34)
      const before = performance.now()
      await expect(readSafetensors(huge)).rejects.toThrow(FormatError)
      expect(performance.now() - before).toBeLessThan(5000)
    }
    rmSync(huge)
  })
})
