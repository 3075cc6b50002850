import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTorchFile } from '../../../src/formats/torch/torch-file.ts'
import type { Tensor } from '../../../src/graph/tensor.ts'
import { FormatError, InputError } from '../../../src/util/errors.ts'
import * as w from './writer.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-torch-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const committed = (name: string) => fileURLToPath(new URL(`files/${name}`, import.meta.url))

function write(content: Uint8Array): string {
  const path = join(folder, 'file.pth')
  writeFileSync(path, content)
  return path
}

/** Opens a file, and reads all of its tensors. */
async function readAll(content: Uint8Array): Promise<Map<string, Map<string, Tensor>>> {
  const file = await openTorchFile(write(content))
  try {
    const all = new Map<string, Map<string, Tensor>>()
    for (const [path, state] of file.states) {
      const tensors = new Map<string, Tensor>()
      for (const [name, stored] of state) tensors.set(name, await stored.read())
      all.set(path, tensors)
    }
    return all
  } finally {
    await file.close()
  }
}

async function refused(content: Uint8Array, message: RegExp | string): Promise<void> {
  const error = await readAll(content).then(
    () => 'read without complaint',
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(FormatError)
  expect((error as FormatError).message).toMatch(message)
}

const { none, text, int, tuple, list, dict, global, stackGlobal, reduce, pickle } = w
const command = text('touch executed')
const system = global('os', 'system')
const namespace = global('argparse', 'Namespace')

/** Both formats, for what the pickle alone decides. */
const formats = [
  ['zip', (saved: Buffer) => w.zipFile(saved)],
  ['deflated zip', (saved: Buffer) => w.zipFile(saved, { deflate: true })],
  ['legacy', (saved: Buffer) => w.legacyFile(saved)],
] as const

/** Everything in a pickle that could make Python run something, and what the reader says. */
const attacks: readonly (readonly [string, Buffer, RegExp])[] = [
  ['REDUCE of os.system', pickle(reduce(system, command)), /code.*os\.system/s],
  ['REDUCE of posix.system', pickle(reduce(global('posix', 'system'), command)), /posix\.system/],
  ['REDUCE of eval', pickle(reduce(global('builtins', 'eval'), text('1'))), /builtins\.eval/],
  ['REDUCE of exec, named as in Python 2', pickle(reduce(global('__builtin__', 'exec'), text('1'))), /exec/],
  ['GLOBAL alone', pickle(system), /os\.system/],
  ['GLOBAL that is then dropped', pickle(system, '0', none), /os\.system/],
  ['STACK_GLOBAL', pickle(reduce(stackGlobal('os', 'system'), command)), /os\.system/],
  ['STACK_GLOBAL with a dotted name', pickle(stackGlobal('torch._utils', 'os.system')), /_utils\.os\.system/],
  ['STACK_GLOBAL without a name', pickle(none, none, 0x93), /without a name/],
  ['importlib', pickle(global('importlib', 'import_module')), /importlib/],
  ['torch.load', pickle(reduce(global('torch', 'load'), text('x'))), /torch\.load/],
  ['torch.hub', pickle(global('torch.hub', 'load')), /torch\.hub\.load/],
  ['numpy.load', pickle(global('numpy', 'load')), /numpy\.load/],
  [
    'a network as it is',
    pickle(
      ...[global('modules.generator', 'Generator'), tuple(), 0x81],
      ...[dict([text('weight'), w.tensor({ legacy: true })]), 'b'],
    ),
    /object of modules\.generator\.Generator.*save only its state_dict/s,
  ],
  [
    'NEWOBJ of a forbidden class',
    pickle(global('subprocess', 'Popen'), tuple(command), 0x81),
    /subprocess\.Popen/,
  ],
  ['NEWOBJ_EX', pickle(global('subprocess', 'Popen'), tuple(), dict(), 0x92), /subprocess\.Popen/],
  [
    'NEWOBJ_EX with names of a known class',
    pickle(namespace, tuple(), dict([text('a'), none]), 0x92),
    /arguments with names/,
  ],
  ['INST', pickle('(', command, 'ios\nsystem\n'), /no checkpoint has.*INST/s],
  ['INST of an allowed class', pickle('(iargparse\nNamespace\n'), /INST/],
  ['OBJ of text', pickle('(', command, 'o'), /called that cannot be/],
  ['PERSID', pickle('Pid\n'), /PERSID/],
  ['EXT1', pickle(0x82, 1), /EXT1/],
  ['EXT2', pickle(0x83, 1, 0), /EXT2/],
  ['EXT4', pickle(0x84, 1, 0, 0, 0), /EXT4/],
  ['NEXT_BUFFER', pickle(0x97), /NEXT_BUFFER/],
  ['READONLY_BUFFER', pickle(none, 0x98), /READONLY_BUFFER/],
  ['protocol 0', pickle("S'text'\n"), /STRING/],
  ['an unknown opcode', pickle(0xff), /0xff/],
  ['a protocol of the future', w.bytes(0x80, 6, 'N.'), /newer protocol/],
  ['a call of text', pickle(reduce(command, command)), /called that cannot be.*touch executed/s],
  ['a call of what a call gave', pickle(reduce(reduce(namespace), command)), /settings/],
  ['a call without a tuple', pickle(namespace, list(), 'R'), /called that cannot be/],
  ['BUILD on a class', pickle(namespace, dict([text('__init__'), text('x')]), 'b'), /argparse Namespace/],
  ['BUILD on a list', pickle(list(), dict(), 'b'), /attributes are set/],
  ['BUILD on a tensor', pickle(w.tensor({ legacy: true }), dict(), 'b'), /attributes are set/],
  [
    '_rebuild_from_type_v2 with a function of its own',
    pickle(
      reduce(
        global('torch._tensor', '_rebuild_from_type_v2'),
        namespace,
        global('torch', 'Tensor'),
        tuple(),
        none,
      ),
    ),
    /do not fit/,
  ],
  [
    '_rebuild_from_type_v2 of itself',
    pickle(
      reduce(
        global('torch._tensor', '_rebuild_from_type_v2'),
        ...[global('torch._tensor', '_rebuild_from_type_v2'), global('torch', 'Tensor'), tuple(), none],
      ),
    ),
    /do not fit/,
  ],
  [
    'a defaultdict whose factory is forbidden',
    pickle(reduce(global('collections', 'defaultdict'), system)),
    /os\.system/,
  ],
  ['OrderedDict of no pairs', pickle(reduce(global('collections', 'OrderedDict'), list(int(1)))), /pairs/],
  [
    'OrderedDict of a text',
    pickle(reduce(global('collections', 'OrderedDict'), text('ab'))),
    /list of pairs/,
  ],
  ['BINPERSID of a text', pickle(text('storage'), 'Q'), /no storage/],
  ['BINPERSID of another kind', pickle(tuple(text('file'), text('/etc/passwd')), 'Q'), /no storage/],
  ['BINPERSID of a network', pickle(tuple(text('module'), none, none, none), 'Q'), /whole network/],
  [
    'BINPERSID with a wrong class',
    pickle(tuple(text('storage'), namespace, text('0'), text('cpu'), int(4)), 'Q'),
    /no storage/,
  ],
  [
    'BINPERSID with a wrong key',
    pickle(tuple(text('storage'), global('torch', 'FloatStorage'), none, none, int(4)), 'Q'),
    /no storage/,
  ],
  ['an empty BINPERSID', pickle(tuple(), 'Q'), /no storage/],
  ['a stack that is empty', pickle('0'), /takes more than it has/],
  ['a stack that is empty up to its mark', pickle(none, '(0a'), /takes more than it has/],
  ['no mark', pickle(none, 't'), /no mark/],
  ['a key without a value', pickle('}(', none, 'u'), /without a value/],
  ['an append to nothing', pickle(none, none, 'a'), /than a list/],
  ['entries in a list', pickle(list(), none, none, 's'), /than a dictionary/],
  ['items in no set', pickle(none, '(', none, 0x90), /than a set/],
  ['a memo that was never filled', pickle('h', 9), /never remembered/],
  ['a whole number that is none', pickle('Ix\n'), /malformed whole number/],
  ['a line without an end', pickle(`I${'1'.repeat(300)}`), /malformed line/],
  ['a whole number of 2 GB', pickle(0x8b, 255, 255, 255, 127), /absurd size/],
  ['a text of 4 GB', pickle('X', 255, 255, 255, 255), /cut off/],
  ['bytes of 2^63', pickle(0x8e, 0, 0, 0, 0, 0, 0, 0, 128), /cut off/],
  ['a text that is no UTF-8', pickle('X', 1, 0, 0, 0, 0xff), /UTF-8/],
]

describe.each(formats)('%s', (_format, file) => {
  it.each(attacks)('refuses %s', async (_what, saved, message) => {
    await refused(file(saved), message)
  })

  it('keeps keys with meaning in JavaScript as plain names', async () => {
    const path = dict([
      text('__proto__'),
      dict([text('constructor'), dict([text('toString'), w.tensor({ legacy: true })])]),
    ])
    const states = await readAll(file(pickle(path)))
    expect([...states.keys()]).toEqual(['__proto__.constructor'])
    expect(states.get('__proto__.constructor')!.get('toString')!.data).toEqual(Float32Array.of(0, 1, 2, 3))
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(({} as Record<string, unknown>).constructor).toBe(Object)
  })

  it('walks containers that hold themselves', async () => {
    const inList = [']', w.put(1), w.get(1), 'a', w.get(0), 'a', '0']
    const one = w.tensor({ legacy: true })
    const saved = pickle('}', w.put(0), ...inList, text('a'), w.get(1), 's', text('w'), one, 's')
    const states = await readAll(file(saved))
    expect([...states.keys()]).toEqual(['', 'a.1'])
  })

  it('gives equal paths and names different endings', async () => {
    const one = w.tensor({ legacy: true })
    const inner = dict([int(0), one], [text('0'), one], [text('0 (2)'), one])
    const saved = pickle(dict([text('a.b'), inner], [text('a'), dict([text('b'), dict([text('x'), one])])]))
    const states = await readAll(file(saved))
    expect([...states].map(([path, state]) => [path, [...state.keys()]])).toEqual([
      ['a.b', ['0', '0 (2)', '0 (2) (2)']],
      ['a.b (2)', ['x']],
    ])
  })

  it('takes the last of equal keys, and nothing under keys that are no names', async () => {
    const one = w.tensor({ legacy: true })
    const saved = dict(
      [text('a'), one],
      [text('b'), one],
      [text('a'), none],
      [tuple(), one],
      [none, dict([text('c'), one])],
    )
    const states = await readAll(file(pickle(saved)))
    expect([...states].map(([path, state]) => [path, [...state.keys()]])).toEqual([['', ['b']]])
  })
})

/** Tensors and storages that cannot be. */
const big = 2 ** 40
const wrongTensors: readonly (readonly [string, Parameters<typeof w.tensor>[0], RegExp])[] = [
  ['larger than its storage', { shape: [5] }, /beyond its storage/],
  ['behind its storage', { offset: 1 }, /beyond its storage/],
  ['with strides beyond its storage', { shape: [2], strides: [4] }, /beyond its storage/],
  ['of a negative size', { shape: [-1] }, /cannot be/],
  ['of a negative stride', { shape: [2], strides: [-1] }, /cannot be/],
  ['of a negative offset', { offset: -1 }, /cannot be/],
  ['of two sizes and one stride', { shape: [2, 2] }, /shape that cannot be/],
  ['of 65 axes', { shape: Array(65).fill(1), strides: Array(65).fill(1) }, /at most 64/],
  ['of a size beyond 2^53', { shape: [2n ** 53n], strides: [0] }, /cannot be/],
  ['of a size beyond 2^63', { shape: [2n ** 64n], strides: [0] }, /cannot be/],
  ['of a product beyond 2^53', { shape: [big, big], strides: [0, 0] }, /absurd size/],
  ['of a place beyond 2^53', { shape: [2], strides: [2 ** 52] }, /absurd size/],
  ['that repeats one element 2^40 times', { shape: [big], strides: [0] }, /repeat what the file holds/],
  ['that repeats one element 5 million times', { shape: [5_000_000], strides: [0] }, /repeat/],
  ['of a storage of -1', { from: w.storage('0', -1) }, /size that cannot be/],
  ['of a storage of 2^60', { from: w.storage('0', 2n ** 60n), shape: [1] }, /size that cannot be/],
  ['of a storage larger than the file', { from: w.storage('0', big) }, /lacks data|another size/],
  ['of a storage that is not there', { from: w.storage('../0', 4) }, /lacks data|no tensor uses/],
  [
    'of a part beyond its storage',
    { from: w.storage('0', 4, 'FloatStorage', tuple(text('1'), int(2), int(3))) },
    /part of a storage/,
  ],
  [
    'of a part that is none',
    { from: w.storage('0', 4, 'FloatStorage', tuple(int(2))) },
    /size that cannot be/,
  ],
  ['of something else', { from: none }, /do not fit/],
]

it.each(wrongTensors)('refuses a tensor %s', async (_what, options, message) => {
  const saved = pickle(dict([text('w'), w.tensor(options)]))
  await refused(w.zipFile(saved), message)
  await refused(w.legacyFile(saved), message)
})

it('refuses tensors that together repeat too much, and takes what they may', async () => {
  const repeated = (count: number) =>
    pickle(
      dict(
        ...Array.from(
          { length: count },
          (_, i) => [text(`w${i}`), w.tensor({ shape: [1 << 20], strides: [0] })] as const,
        ),
      ),
    )
  expect((await readAll(w.zipFile(repeated(4)))).get('')!.size).toBe(4)
  await refused(w.zipFile(repeated(5)), /repeat what the file holds/)
})

it('reads what Python 2 wrote: strings that may be bytes, large numbers in digits, OrderedDict from a list', async () => {
  const raw = w.bytes('U', 2, 0xff, 0xfe, 'T', 1, 0, 0, 0, 0xff, '00')
  const pairs = list(
    list(w.bytes('U', 1, 'w'), w.tensor({})),
    tuple(w.bytes('T', 1, 0, 0, 0, 'n'), w.bytes('I99999999999\n')),
  )
  const states = await readAll(
    w.zipFile(pickle(raw, reduce(global('collections', 'OrderedDict'), pairs), w.bytes('I01\nI-5\n00'))),
  )
  expect(states.get('')!.get('w')!.data).toEqual(Float32Array.of(0, 1, 2, 3))
})

it('passes over texts that are too long for a name', async () => {
  const long = text('x'.repeat(70_000))
  const states = await readAll(
    w.zipFile(pickle(dict([text('config'), long], [long, w.tensor({})], [text('w'), w.tensor({})]))),
  )
  expect([...states.get('')!.keys()]).toEqual(['w'])
})

it.each([
  ['a text', text('float32')],
  ['None', none],
  ['another class', namespace],
  ['a storage class', global('torch', 'FloatStorage')],
])('refuses %s as an element type', async (_what, type) => {
  const args = [w.storage('0', 4), int(0), tuple(int(1)), tuple(int(1)), none, none]
  const rebuilt = reduce(global('torch._utils', '_rebuild_tensor_v3'), ...args, type)
  await refused(w.zipFile(pickle(dict([text('w'), rebuilt]))), /do not fit.*an element type/s)
})

it('refuses one storage of two sizes', async () => {
  const saved = dict(
    [text('a'), w.tensor({})],
    [text('b'), w.tensor({ from: w.storage('0', 2), shape: [2] })],
  )
  await refused(w.zipFile(pickle(saved)), /two sizes/)
})

it('reads parts of storages, one storage as two types, big-endian and deflated data', async () => {
  const part = w.tensor({
    from: w.storage('0', 4, 'FloatStorage', tuple(text('1'), int(1), int(3))),
    offset: 1,
    shape: [2],
  })
  const legacy = await readAll(w.legacyFile(pickle(dict([text('w'), part]))))
  expect(legacy.get('')!.get('w')!.data).toEqual(Float32Array.of(2, 3))

  const views = pickle(
    dict(
      [text('floats'), w.tensor({ offset: 1, shape: [2] })],
      [text('turned'), w.tensor({ shape: [2, 2], strides: [1, 2] })],
      [text('ints'), w.tensor({ from: w.storage('0', 4, 'IntStorage') })],
    ),
  )
  const swapped = floatsSwapped()
  for (const options of [{}, { deflate: true }, { order: 'big', storages: new Map([['0', swapped]]) }]) {
    const state = (await readAll(w.zipFile(views, options))).get('')!
    expect(state.get('floats')!.data).toEqual(Float32Array.of(1, 2))
    expect(state.get('turned')!.data).toEqual(Float32Array.of(0, 2, 1, 3))
    expect(state.get('ints')!.data).toEqual(Int32Array.of(0, 0x3f800000, 0x40000000, 0x40400000))
  }
  await refused(w.zipFile(views, { order: 'middle' }), /byte order/)
})

function floatsSwapped(): Buffer {
  return Buffer.from(w.floats(4)).swap32()
}

const saved = pickle(dict([text('w'), w.tensor({})]))
const inFolder = (data: Buffer, more: Partial<w.Entry> = {}): w.Entry => ({
  name: 'a/data.pkl',
  data,
  ...more,
})
const data: w.Entry = { name: 'a/data/0', data: w.floats(4) }
const zeros = Buffer.alloc(8 << 20)

const wrongArchives: readonly (readonly [string, Buffer, RegExp])[] = [
  ['no entries', w.bytes('PK\x03\x04', w.zip([])), /did not write/],
  ['no data.pkl', w.zip([data]), /did not write/],
  [
    'two data.pkl',
    w.zip([inFolder(saved), data, { name: 'b/data.pkl', data: saved }]),
    /did not write.*one entry data.pkl/s,
  ],
  ['a data.pkl elsewhere', w.zip([data, { name: 'b/data.pkl', data: saved }]), /lacks data/],
  [
    'a data.pkl that inflates 1000 times',
    w.zip([inFolder(zeros, { deflate: true }), data]),
    /inflates too much/,
  ],
  [
    'a storage that inflates 1000 times',
    w.zip([inFolder(saved), { ...data, data: zeros, deflate: true }]),
    /inflates too much/,
  ],
  [
    'many entries that inflate 99 times',
    w.zip([
      inFolder(saved),
      ...Array.from({ length: 40 }, (_, i) => ({
        name: `a/${i}`,
        data: Buffer.alloc(1 << 20),
        deflate: true,
      })),
    ]),
    /inflates too much/,
  ],
  [
    'a data.pkl that inflates to more than it says',
    w.zip([inFolder(saved, { deflate: true, lies: { size: 9 } }), data]),
    /damaged|cut off/,
  ],
  [
    'a data.pkl that inflates to less than it says',
    w.zip([inFolder(saved, { deflate: true, lies: { size: 999 } }), data]),
    /not enough/,
  ],
  ['a stored entry of two sizes', w.zip([inFolder(saved, { lies: { size: 5 } }), data]), /size mismatch/],
  [
    'an entry beyond the end',
    w.zip([inFolder(saved), { ...data, lies: { size: 9999, compressedSize: 9999 } }]),
    /beyond the end/,
  ],
  [
    'an entry of 4 GB',
    w.zip([inFolder(saved), { ...data, lies: { size: 2 ** 32 - 2, compressedSize: 2 ** 32 - 2 } }]),
    /beyond the end/,
  ],
  [
    'entries that overlap',
    w.zip([inFolder(saved), data, { ...data, name: 'a/data/1', lies: { offset: 60 } }]),
    /overlap/,
  ],
  ['entries in one place', w.zip([inFolder(saved), { ...data, lies: { offset: 0 } }]), /overlap/],
  [
    'an entry where there is none',
    w.zip([inFolder(saved, { lies: { offset: 1 << 30 } }), data]),
    /beyond the end/,
  ],
  [
    'an encrypted entry',
    w.zip([inFolder(saved, { lies: { flags: 1, compressedSize: saved.length + 12 } }), data]),
    /does not read/,
  ],
  ['strong encryption', w.zip([inFolder(saved, { lies: { flags: 0x41 } }), data]), /encryption/],
  ['an unknown method', w.zip([inFolder(saved, { lies: { method: 93 } }), data]), /method 93/],
  ['one name twice', w.zip([inFolder(saved), data, data]), /one name/],
  ['more entries in the count', w.zip([inFolder(saved), data], { count: 3 }), /beyond the end/],
  ['65535 entries in the count', w.zip([inFolder(saved), data], { count: 65535 }), /too many entries/],
  ['a directory beyond the end', w.zip([inFolder(saved), data], { offset: 99999 }), /beyond the end/],
  ['a directory elsewhere', w.zip([inFolder(saved), data], { offset: 1 }), /damaged/],
  [
    'zip64 sizes that are missing',
    w.zip([inFolder(saved, { lies: { size: 2 ** 32 - 1, extra: w.bytes(1, 0, 0, 0) } }), data]),
    /zip64/,
  ],
  [
    'zip64 sizes of 2^64',
    w.zip([
      inFolder(saved, {
        lies: {
          size: 2 ** 32 - 1,
          compressedSize: 2 ** 32 - 1,
          extra: w.bytes(1, 0, 16, 0, Buffer.alloc(16, 255)),
        },
      }),
      data,
    ]),
    /beyond the end/,
  ],
  [
    'a zip64 offset of 2^64',
    w.zip([
      inFolder(saved, { lies: { offset: 2 ** 32 - 1, extra: w.bytes(1, 0, 8, 0, Buffer.alloc(8, 255)) } }),
      data,
    ]),
    /beyond the end|did not write/,
  ],
  ['a zip64 end record elsewhere', zip64Elsewhere(), /beyond the end|damaged/],
  [
    'an extra field that is cut off',
    w.zip([inFolder(saved, { lies: { extra: w.bytes(1, 0, 99, 0) } }), data]),
    /extra field/,
  ],
  [
    'data of a storage in another place',
    w.zip([inFolder(saved), { ...data, name: 'a/../a/data/0' }]),
    /lacks data/,
  ],
  ['TorchScript', readFileSync(committed('script.pt')), /TorchScript/],
  ['a whole network', readFileSync(committed('network.pt')), /object of torch\.nn\.modules\.linear\.Linear/],
]

function zip64Elsewhere(): Buffer {
  const good = w.zip([inFolder(saved), data])
  const locator = w.bytes('PK\x06\x07', Buffer.alloc(4), Buffer.alloc(8, 255), 1, 0, 0, 0)
  return w.bytes(good.subarray(0, -22), locator, good.subarray(-22))
}

it.each(wrongArchives)('refuses an archive with %s', async (_what, content, message) => {
  await refused(content, message)
})

it('takes names in an archive as names: none is ever a path', async () => {
  const entries = [
    inFolder(saved),
    data,
    { name: '../../x', data: saved },
    { name: '/etc/passwd', data: saved },
    { name: 'C:\\x', data: saved },
  ]
  expect((await readAll(w.zip(entries))).get('')!.get('w')!.data).toEqual(Float32Array.of(0, 1, 2, 3))
  const elsewhere = [
    { name: '../data.pkl', data: saved },
    { name: '../data/0', data: w.floats(4) },
  ]
  expect((await readAll(w.zip(elsewhere))).get('')!.size).toBe(1)
})

const key = (count: number | bigint, content: Buffer) => [['0', count, content]] as const
const wrongLegacy: readonly (readonly [string, Buffer, RegExp])[] = [
  ['another magic number', pickle(int(7)), /did not write/],
  ['a pickle that is not a checkpoint', pickle(reduce(system, command)), /os\.system/],
  ['another version', w.bytes(pickle(int(0x1950a86a20f9469cfc6cn)), pickle(int(1002))), /version/],
  [
    'a storage before the saved object',
    w.bytes(pickle(int(0x1950a86a20f9469cfc6cn)), pickle(w.storage('0', 4))),
    /where none can be/,
  ],
  ['a count of more elements', w.legacyFile(saved, key(5, w.floats(5))), /another size/],
  ['a count of -1', w.legacyFile(saved, key(-1, w.floats(4))), /another size/],
  ['a count of 2^63 - 1', w.legacyFile(saved, key(2n ** 63n - 1n, w.floats(4))), /another size/],
  ['data that is cut off', w.legacyFile(saved, key(4, w.floats(3))), /cut off/],
  ['a storage twice', w.legacyFile(saved, [...key(4, w.floats(4)), ...key(4, w.floats(4))]), /comes twice/],
  [
    'a storage that no tensor has',
    w.legacyFile(saved, [...key(4, w.floats(4)), ['1', 4, w.floats(4)]]),
    /no tensor uses/,
  ],
  ['no storages', w.legacyFile(saved, []), /lacks data/],
]

it.each(wrongLegacy)('refuses an old file with %s', async (_what, content, message) => {
  await refused(content, message)
})

const tar = Buffer.alloc(1024)
tar.write('ustar', 257)
const otherFiles: readonly (readonly [string, Buffer, RegExp])[] = [
  ['nothing', Buffer.alloc(0), /empty file/],
  ['the tar format of 2016', tar, /too old/],
  ['a pointer of git lfs', w.bytes('version https://git-lfs.github.com/spec/v1\n'), /git lfs pull/],
  ['a web page', w.bytes('<!DOCTYPE html><html>'), /web page/],
  ['safetensors', w.bytes(8, 0, 0, 0, 0, 0, 0, 0, '{}      '), /not a PyTorch checkpoint.*08 00/s],
]

it.each(otherFiles)('says what it found in place of a checkpoint: %s', async (_what, content, message) => {
  await refused(content, message)
})

it('says so when there is no file, or a folder', async () => {
  await expect(openTorchFile(join(folder, 'missing.pt'))).rejects.toThrow(InputError)
  await expect(openTorchFile(folder)).rejects.toThrow('a folder')
})

it('refuses to read tensors of types that it does not hold, and after the file was closed', async () => {
  const file = await openTorchFile(committed('unheld.pt'))
  const state = file.states.get('')!
  for (const [name, dtype] of [
    ['complex', 'complex64'],
    ['float8', 'float8_e4m3fn'],
    ['uint64', 'uint64'],
  ]) {
    expect(state.get(name!)!.dtype).toBe(dtype)
    await expect(state.get(name!)!.read()).rejects.toThrow(FormatError)
  }
  expect((await state.get('kept')!.read()).data).toEqual(Float32Array.of(-1.5))
  await file.close()
  await file.close()
  await expect(state.get('kept')!.read()).rejects.toThrow(InputError)
})

it.each([
  ['zip', readFileSync(committed('bare.pt'))],
  ['legacy', w.legacyFile(saved)],
])('refuses a tiny file cut off at every length: %s', async (_format, whole) => {
  for (let length = 0; length < whole.length; length++) await refused(whole.subarray(0, length), /./)
})
