import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTorchFile, type TorchFile } from '../../../src/formats/torch/torch-file.ts'
import * as w from './writer.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-foreign-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function open(content: Uint8Array): Promise<TorchFile> {
  const path = join(folder, 'file.pth')
  writeFileSync(path, content)
  return openTorchFile(path)
}

const { none, text, int, tuple, list, dict, global, stackGlobal, reduce } = w
const build = (object: Buffer, state: Buffer) => w.bytes(object, state, 'b')
const newobj = (type: Buffer, ...args: Buffer[]) => w.bytes(type, tuple(...args), 0x81)
const weight = w.tensor({ legacy: true })

/** Each kind of object as Python's pickle writes it at protocol 2, or at 4 where that differs. */
const objects: readonly (readonly [string, Buffer, readonly string[]])[] = [
  ['a path', reduce(global('pathlib', 'PosixPath'), text('/'), text('data')), ['pathlib.PosixPath']],
  ['a path of Windows', reduce(global('pathlib', 'WindowsPath'), text('C:')), ['pathlib.WindowsPath']],
  [
    'a path whose name is no text',
    reduce(
      global('pathlib', 'PosixPath'),
      // Python's U+DCFF, which stands for the byte 255.
      w.bytes('X', Buffer.from([4, 0, 0, 0]), 'a', Buffer.from([0xed, 0xb3, 0xbf])),
    ),
    ['pathlib.PosixPath'],
  ],
  [
    'a date',
    reduce(global('datetime', 'datetime'), reduce(global('_codecs', 'encode'), text('x'), text('latin1'))),
    ['datetime.datetime'],
  ],
  ['a duration', reduce(global('datetime', 'timedelta'), int(1), int(2), int(3)), ['datetime.timedelta']],
  ['an enum', reduce(global('project.modes', 'Mode'), int(1)), ['project.modes.Mode']],
  [
    'a dataclass',
    build(newobj(global('project', 'Config')), dict([text('rate'), int(1)])),
    ['project.Config'],
  ],
  [
    'an object with slots',
    build(newobj(global('project', 'Slots')), tuple(none, dict([text('a'), int(1)]))),
    ['project.Slots'],
  ],
  [
    'a deque',
    w.bytes(reduce(global('collections', 'deque'), tuple(), int(20)), '(', int(1), int(2), 'e'),
    ['collections.deque'],
  ],
  [
    'a class derived from dict',
    w.bytes(newobj(global('lightning', 'AttributeDict')), '(', text('a'), int(1), 'u'),
    ['lightning.AttributeDict'],
  ],
  [
    'a class derived from OrderedDict',
    w.bytes(reduce(global('project', 'Ordered')), '(', text('a'), int(1), 'u'),
    ['project.Ordered'],
  ],
  ['a class derived from list', w.bytes(newobj(global('project', 'Items')), int(1), 'a'), ['project.Items']],
  [
    'a class derived from set',
    w.bytes(newobj(global('project', 'Names')), '(', text('a'), 0x90),
    ['project.Names'],
  ],
  [
    'getattr',
    reduce(global('__builtin__', 'getattr'), newobj(global('torch.optim', 'OneCycleLR')), text('_annealing')),
    ['__builtin__.getattr', 'torch.optim.OneCycleLR'],
  ],
  [
    'a partial function',
    build(
      reduce(global('functools', 'partial'), global('project', 'decay')),
      tuple(global('project', 'decay'), tuple(), dict(), none),
    ),
    ['functools.partial', 'project.decay'],
  ],
  [
    'a scheduler',
    build(newobj(global('torch.optim.lr_scheduler', 'StepLR')), dict([text('step'), int(3)])),
    ['torch.optim.lr_scheduler.StepLR'],
  ],
  ['a pattern', reduce(global('re', '_compile'), text('a+'), int(32)), ['re._compile']],
  ['a UUID', build(newobj(global('uuid', 'UUID')), dict([text('int'), int(5)])), ['uuid.UUID']],
  ['a decimal', reduce(global('decimal', 'Decimal'), text('1.5')), ['decimal.Decimal']],
  [
    'an object by copyreg',
    reduce(
      global('copy_reg', '_reconstructor'),
      global('project', 'Old'),
      global('__builtin__', 'object'),
      none,
    ),
    ['project.Old'],
  ],
  ['an old object of Python 2', w.bytes('(', global('project', 'Older'), int(1), 'o'), ['project.Older']],
  [
    'arguments with names',
    w.bytes(global('project', 'Named'), tuple(), dict([text('a'), int(1)]), 0x92),
    ['project.Named'],
  ],
  ['a slice', reduce(global('__builtin__', 'slice'), int(0), int(5), none), ['__builtin__.slice']],
  [
    'settings with a path',
    build(
      newobj(global('argparse', 'Namespace')),
      dict([text('dir'), reduce(global('pathlib', 'PosixPath'), text('/'))]),
    ),
    ['pathlib.PosixPath'],
  ],
  ['a nested class', stackGlobal('project', 'Outer.Inner'), ['project.Outer.Inner']],
  [
    'names of our own objects',
    reduce(global('__proto__', 'constructor'), text('x')),
    ['__proto__.constructor'],
  ],
  [
    'a call of what a call gave',
    reduce(reduce(global('operator', 'attrgetter'), text('a')), none),
    ['operator.attrgetter'],
  ],
  ['a whole number of a class', reduce(global('builtins', 'int'), text('1')), []],
]

describe.each([
  ['zip', (saved: Buffer) => w.zipFile(saved)],
  ['legacy', (saved: Buffer) => w.legacyFile(saved)],
] as const)('%s: passes over', (_format, file) => {
  it.each(objects)('%s', async (_what, object, names) => {
    for (const pairs of [
      [
        [text('extra'), object],
        [text('w'), weight],
      ],
      [
        [text('w'), weight],
        [text('extra'), list(object, tuple(object))],
      ],
      [
        [object, int(1)],
        [text('w'), weight],
      ],
    ] as const) {
      const opened = await open(file(w.pickle(dict(...pairs))))
      expect([...opened.states].map(([path, state]) => [path, [...state.keys()]])).toEqual([['', ['w']]])
      expect((await opened.states.get('')!.get('w')!.read()).data).toEqual(Float32Array.of(0, 1, 2, 3))
      expect([opened.foreign, opened.holders]).toEqual([names, []])
      await opened.close()
    }
  })
})

it('names the classes that have tensors in them, and reads the dictionaries beside them', async () => {
  const network = build(
    newobj(global('models', 'Net')),
    dict([text('_parameters'), dict([text('w'), weight])]),
  )
  const optimizer = dict([text('0'), weight])
  const opened = await open(
    w.zipFile(w.pickle(dict([text('model'), network], [text('optimizer'), optimizer]))),
  )
  expect([...opened.states.keys()]).toEqual(['optimizer'])
  expect([opened.foreign, opened.holders]).toEqual([['models.Net'], ['models.Net']])
  await opened.close()
})

it('takes tensors of derived classes, and passes over tensors of unknown kinds', async () => {
  const args = tuple(w.storage('0', 4), int(0), tuple(int(4)), tuple(int(1)), none, none)
  const rebuild = global('torch._utils', '_rebuild_tensor_v2')
  const derived = reduce(
    global('torch._tensor', '_rebuild_from_type_v2'),
    rebuild,
    global('fastai', 'TensorImage'),
    args,
    dict(),
  )
  const sparse = reduce(global('torch._utils', '_rebuild_sparse_tensor'), none, tuple(weight))
  const parameter = reduce(global('torch._utils', '_rebuild_parameter'), sparse, none, none)
  const opened = await open(
    w.zipFile(w.pickle(dict([text('w'), derived], [text('s'), sparse], [text('p'), parameter]))),
  )
  expect([...opened.states.get('')!.keys()]).toEqual(['w'])
  expect(opened.holders).toEqual(['torch._utils._rebuild_sparse_tensor', 'torch._utils._rebuild_parameter'])
  await opened.close()
})

it('takes the classes of networks that old files refer to, and no other objects', async () => {
  const id = w.bytes(tuple(text('module'), global('project', 'Loss'), text('loss.py'), text('source')), 'Q')
  const loss = build(reduce(id), dict([text('scale'), int(1)]))
  const opened = await open(w.legacyFile(w.pickle(dict([text('loss'), loss], [text('w'), weight]))))
  expect([[...opened.states.keys()], opened.foreign]).toEqual([[''], ['project.Loss']])
  await opened.close()
})
