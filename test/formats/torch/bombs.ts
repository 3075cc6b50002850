/** Files of at most 2 MB that ask for all the memory or time there is, each in another way. */
import * as w from './writer.ts'

const { none, text, int, tuple, list, dict, global, reduce, pickle } = w

/** A megabyte of the same bytes. */
const many = (...part: readonly (Buffer | string | number)[]): Buffer => {
  const one = w.bytes(...part)
  return Buffer.alloc(one.length * Math.floor(2 ** 20 / one.length), one)
}

const each = (count: number, part: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => part(i)))
const one = w.tensor({})
const orderedDict = global('collections', 'OrderedDict')
/** Remembers a value under a key, and takes it off the stack. */
const keep = (key: number, value: Buffer): Buffer => w.bytes(value, w.put(key), '0')
const wrapped = (...value: readonly (Buffer | string | number)[]): Buffer => w.zipFile(pickle(...value))

/** Ten references to the level below, fifty levels. */
const laughs = w.bytes(
  keep(0, dict([text('w'), one])),
  each(50, (level) => keep(level + 1, list(...Array.from({ length: 10 }, () => w.get(level))))),
  w.get(50),
)

/** All ways to write a.a.a ... with dots in keys and dots between keys: thousands of dictionaries at one path. */
function waysTo(parts: number): Buffer {
  if (parts === 0) return dict([text('w'), w.get(0)])
  const keys = Array.from({ length: parts }, (_, i) =>
    Array(i + 1)
      .fill('a')
      .join('.'),
  )
  return dict(...keys.map((key, i) => [text(key), waysTo(parts - i - 1)] as const))
}

const longKey = keep(1, text('k'.repeat(60_000)))
const sizes = Array.from({ length: 64 }, () => 1)
const tensorArgs = tuple(
  ...[w.storage('0', 4), int(0), tuple(...sizes.map(int)), tuple(...sizes.map(int)), w.bytes(0x89), none],
)

export const bombs: ReadonlyMap<string, Buffer> = new Map([
  ['lists', wrapped(many(']'))],
  [
    'lists in a list',
    wrapped(
      '](',
      each(200_000, () => w.bytes(']')),
      'e',
    ),
  ],
  [
    'lists in lists',
    wrapped(
      each(90_000, () => w.bytes(']')),
      each(89_999, () => w.bytes('a')),
    ),
  ],
  ['tuples in tuples', wrapped(')', many(0x85))],
  ['fewer tuples in tuples', wrapped(')', Buffer.alloc(200_000, 0x85))],
  [
    'dictionaries',
    wrapped(
      '](',
      each(90_000, () => w.bytes('}')),
      'e',
    ),
  ],
  ['marks', wrapped(many('('))],
  ['copies of the top', wrapped('N', many('2'))],
  [
    'memo',
    wrapped(
      'N',
      each(170_000, (i) => w.put(i * 7919)),
    ),
  ],
  ['memo of all numbers', wrapped('N', many(0x94))],
  ['a billion laughs', wrapped(laughs)],
  [
    'a billion laughs of dictionaries',
    wrapped(
      keep(0, dict([text('w'), one])),
      each(60, (level) =>
        keep(level + 1, dict(...['a', 'b', 'c', 'd'].map((key) => [text(key), w.get(level)] as const))),
      ),
      w.get(60),
    ),
  ],
  [
    'copies of a dictionary',
    wrapped(
      keep(0, dict(...Array.from({ length: 20_000 }, (_, i) => [int(i), none] as const))),
      '](',
      each(20_000, () => reduce(orderedDict, w.get(0))),
    ),
  ],
  [
    'copies of a list of pairs',
    wrapped(
      ...[keep(1, tuple(none, none)), keep(0, list(...Array.from({ length: 20_000 }, () => w.get(1)))), ']('],
      each(20_000, () => reduce(orderedDict, w.get(0))),
    ),
  ],
  [
    'tensors of 64 axes',
    wrapped(
      keep(0, global('torch._utils', '_rebuild_tensor_v2')),
      keep(1, tensorArgs),
      many('(', 'h', 0, 'h', 1, 'R1'),
    ),
  ],
  [
    'tensors of 64 axes that stay',
    wrapped(
      keep(0, global('torch._utils', '_rebuild_tensor_v2')),
      keep(1, tensorArgs),
      '](',
      each(90_000, () => w.bytes('h', 0, 'h', 1, 'R')),
    ),
  ],
  [
    'tensors under many names',
    wrapped(
      keep(0, one),
      '}(',
      each(45_000, (i) => w.bytes(text(`${i}`), 'h', 0)),
      'u',
    ),
  ],
  [
    'tensors in many dictionaries',
    wrapped(
      keep(0, one),
      keep(1, text('w')),
      '](',
      each(45_000, () => w.bytes('}h', 1, 'h', 0, 's')),
      'e',
    ),
  ],
  [
    'tensors in fewer dictionaries',
    wrapped(
      keep(0, one),
      keep(1, text('w')),
      '](',
      each(19_000, () => w.bytes('}h', 1, 'h', 0, 's')),
      'e',
    ),
  ],
  [
    'one dictionary in many places',
    wrapped(
      keep(0, dict([text('w'), one])),
      '](',
      each(90_000, () => w.bytes('h', 0)),
      'e',
    ),
  ],
  [
    'long paths',
    wrapped(
      ...[longKey, keep(0, one), keep(2, text('w')), each(60, () => w.bytes('}h', 2, 'h', 0, 'sh', 1))],
      ...['}h', 2, 'h', 0, 's', each(60, () => w.bytes('s'))],
    ),
  ],
  ['one path many times', wrapped(keep(0, one), waysTo(13))],
  ['numbers in words', wrapped(many('I', '9'.repeat(150), '\n0'), none)],
  ['numbers of 64 bytes', wrapped(many(0x8a, 64, Buffer.alloc(64, 0x7f), '0'), none)],
  [
    'long texts',
    wrapped(
      '](',
      each(25, () => text('x'.repeat(40_000))),
      'e',
    ),
  ],
  ['a tensor of 16 MiB', wrapped(dict([text('w'), w.tensor({ shape: [4 << 20], strides: [0] })]))],
  ['tensors of 2^40', wrapped(dict([text('w'), w.tensor({ shape: [2 ** 40], strides: [0] })]))],
  ['a deflated pickle of lists', w.zipFile(pickle(many(']')), { deflate: true })],
  [
    'a deflated pickle of zeros',
    w.zip([{ name: 'a/data.pkl', data: Buffer.alloc(64 << 20), deflate: true }]),
  ],
  [
    'a deflated storage of zeros',
    w.zipFile(pickle(dict([text('w'), w.tensor({ from: w.storage('0', 1 << 24), shape: [1 << 24] })])), {
      deflate: true,
      storages: new Map([['0', Buffer.alloc(1 << 26)]]),
    }),
  ],
  [
    'tensors of a deflated storage',
    w.zipFile(
      pickle(
        dict(
          ...Array.from(
            { length: 40 },
            (_, i) =>
              [
                text(`${i}`),
                w.tensor({ from: w.storage('0', 1 << 18), offset: i, shape: [1000, 3], strides: [1, 1000] }),
              ] as const,
          ),
        ),
      ),
      { deflate: true, storages: new Map([['0', Buffer.alloc(1 << 20)]]) },
    ),
  ],
  [
    'entries',
    w.zip([
      { name: 'a/data.pkl', data: pickle(one) },
      { name: 'a/data/0', data: w.floats(4) },
      ...Array.from({ length: 20_000 }, (_, i) => ({ name: `a/${i}`, data: Buffer.alloc(0) })),
    ]),
  ],
  [
    'entries with long extra fields',
    w.zip(
      Array.from({ length: 30 }, (_, i) => ({
        name: `a/${i}`,
        data: Buffer.alloc(0),
        lies: { extra: Buffer.alloc(65_532) },
      })),
    ),
  ],
  [
    'entries with long names',
    w.zip(
      Array.from({ length: 15 }, (_, i) => ({ name: `${i}`.padEnd(65_000, 'x'), data: Buffer.alloc(0) })),
    ),
  ],
  [
    'old storages',
    w.legacyFile(
      pickle(list(...Array.from({ length: 9_000 }, (_, i) => w.storage(`${i}`, 0, 'FloatStorage', none)))),
      Array.from({ length: 9_000 }, (_, i) => [`${i}`, 0, Buffer.alloc(0)] as const),
    ),
  ],
])
