import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FormatError } from '../../../src/util/errors.ts'
import { readAll } from './attempt.ts'
import * as w from './writer.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-torch-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Names that the reader knows, so that calls get past the first check. */
const known = [
  ...['_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_tensor_v3', '_rebuild_parameter'].map((name) =>
    w.global('torch._utils', name),
  ),
  ...[w.global('torch._utils', '_rebuild_parameter_with_state'), w.global('torch.nn.parameter', 'Parameter')],
  ...[
    w.global('torch._tensor', '_rebuild_from_type_v2'),
    w.global('torch', 'Tensor'),
    w.global('torch', 'Size'),
  ],
  ...['float32', 'int64', 'complex64', 'FloatStorage', 'LongStorage', 'device'].map((name) =>
    w.global('torch', name),
  ),
  ...[
    w.global('torch.storage', 'UntypedStorage'),
    w.global('argparse', 'Namespace'),
    w.global('_codecs', 'encode'),
  ],
  ...['OrderedDict', 'Counter', 'defaultdict'].map((name) => w.global('collections', name)),
  ...[
    w.global('builtins', 'set'),
    w.global('builtins', 'dict'),
    w.global('numpy', 'dtype'),
    w.global('numpy', 'ndarray'),
  ],
  ...[w.global('numpy._core.multiarray', 'scalar'), w.global('numpy.core.multiarray', '_reconstruct')],
]

const number = fc.oneof(fc.nat(5), fc.constantFrom(-1, 2 ** 31, 2n ** 53n, -(2n ** 70n))).map(w.int)
const leaf = fc.oneof(
  number,
  fc.constantFrom(
    w.none,
    w.bytes(0x88),
    w.bytes('C', 1, 7),
    w.bytes(0x8f),
    w.bytes('G', Buffer.alloc(8, 0x40)),
  ),
  fc.constantFrom('', 'w', '0', 'float32', 'storage', '__proto__').map(w.text),
  fc.constantFrom(...known),
  fc.constantFrom(w.storage('0', 4), w.storage('0', 2, 'LongStorage'), w.storage('1', 0), w.tensor({})),
)

/** Pickles that are well formed, of values in every place where one can be. */
const { value } = fc.letrec<{ value: Buffer; args: Buffer[] }>((tie) => ({
  args: fc.array(tie('value'), { maxLength: 8 }),
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    { weight: 4, arbitrary: leaf },
    { weight: 1, arbitrary: tie('args').map((items) => w.tuple(...items)) },
    { weight: 1, arbitrary: tie('args').map((items) => w.list(...items)) },
    {
      weight: 2,
      arbitrary: fc
        .array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 })
        .map((pairs) => w.dict(...pairs)),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(...known), tie('args'))
        .map(([callee, args]) => w.reduce(callee, ...args)),
    },
    // Nearly a tensor: one argument is something else.
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(...known.slice(0, 3)), fc.nat(7), tie('value'), number)
        .map(([callee, at, other, size]) => {
          const args = [w.storage('0', 4), w.int(0), w.tuple(size), w.tuple(w.int(1)), w.none, w.none]
          args.push(w.global('torch', 'float32'))
          args.splice(at, 1, other)
          return w.reduce(callee, ...args)
        }),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(tie('value'), tie('value')).map(([target, state]) => w.bytes(target, state, 'b')),
    },
    { weight: 1, arbitrary: tie('args').map((items) => w.bytes(w.tuple(...items), 'Q')) },
  ),
}))

it('reads or refuses every well-formed pickle of known names', async () => {
  const path = join(folder, 'file.pt')
  let read = 0
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 3 }), async (values) => {
      const named = values.map((item, i) => [w.text(`${i}`), item] as const)
      writeFileSync(path, w.zipFile(w.pickle(w.dict(...named))))
      try {
        await readAll(path)
        read++
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError)
      }
    }),
    { seed: 8, numRuns: 2000 },
  )
  expect(read).toBeGreaterThan(200)
})
