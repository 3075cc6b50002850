// The Python names that pantin knows in a checkpoint, and the data that each of them becomes. The list follows what
// PyTorch allows for `weights_only=True`; it adds numpy's scalars and arrays and argparse's settings, which training
// scripts store beside the weights. All other names are foreign: they become objects that nothing looks into.

import { storageTypes, tensorTypes } from './strided-copy.ts'
import { StorageSlice, TensorView } from './tensor-view.ts'
import {
  type Construct,
  type ConstructContext,
  Dict,
  Foreign,
  Global,
  List,
  type Meaning,
  Opaque,
  Tuple,
  type Value,
} from './values.ts'

/** Looks up a name as a pickle gives it; undefined if it is not in the table. */
export function findGlobal(module: string, name: string): Global | undefined {
  // No module or name in the table has a space, so no other pair gives the same key.
  return table.get(`${module} ${name}`)
}

/** A name that may be called with any arguments; nothing of them is kept. */
const opaque = (what: string): Meaning => {
  const value = new Opaque(what)
  return { construct: () => value }
}

/** Steps that are charged for each copied value: the copy stays in memory, and a reference to it may be one byte. */
const copying = 8

function orderedDict(args: readonly Value[], context: ConstructContext): Value {
  const [from] = args
  const dict = new Dict()
  if (args.length > 1) context.refuse('at most one argument')
  if (from === undefined) return dict
  if (from instanceof Dict) {
    context.work(copying * from.pairs.length)
    dict.pairs = from.pairs.slice()
    return dict
  }
  // Python 2 gives the entries as a list of lists.
  if (!(from instanceof List)) context.refuse('a dictionary or a list of pairs')
  context.work(copying * 2 * from.items.length)
  for (const pair of from.items) {
    const items = pair instanceof List || pair instanceof Tuple ? pair.items : []
    if (items.length !== 2) context.refuse('pairs of a key and a value')
    dict.pairs.push(...items)
  }
  return dict
}

/** Its first argument makes missing entries, which are not needed here. */
function defaultDict(args: readonly Value[], context: ConstructContext): Value {
  return orderedDict(args.slice(1), context)
}

/** Arguments (storage, offset, shape, strides, ...), with the element type at `typeAt` if that is given. */
function rebuildTensor(least: number, most: number, typeAt?: number): Construct {
  return (args: readonly Value[], context: ConstructContext) => {
    const [storage, offset, shape, strides] = args
    const isCounted = args.length >= least && args.length <= most
    if (
      !isCounted ||
      !(storage instanceof StorageSlice) ||
      !(shape instanceof Tuple) ||
      !(strides instanceof Tuple)
    ) {
      context.refuse('a storage, an offset, a shape and strides')
    }
    context.work(shape.items.length + strides.items.length)
    if (typeAt === undefined) return TensorView.of(storage, null, offset, shape.items, strides.items)
    const type = args[typeAt]
    const dtype = type instanceof Global ? type.meaning.dtype : undefined
    if (dtype === undefined) context.refuse('an element type')
    return TensorView.of(storage, dtype, offset, shape.items, strides.items)
  }
}

/** A parameter becomes its tensor. Whether it is trained, hooks and further attributes are dropped. */
function parameter([data]: readonly Value[], context: ConstructContext): Value {
  if (!(data instanceof TensorView)) context.refuse('a tensor')
  return data
}

/**
 * Arguments (function, class, its arguments, attributes): a tensor, also one of a class that is derived from torch's,
 * with attributes. The class and the attributes are dropped.
 */
function fromType([rebuild, type, args]: readonly Value[], context: ConstructContext): Value {
  const isRebuild = rebuild instanceof Global && rebuilders.has(rebuild.name)
  const isClass = type instanceof Global || type instanceof Foreign
  if (!isRebuild || !isClass || !(args instanceof Tuple)) {
    context.refuse('a function that rebuilds a tensor, a class, and arguments')
  }
  return rebuild.meaning.construct!(args.items, context)
}

/** Arguments (class, ...): Python's own way to make an object of a class. */
function instance(args: readonly Value[], context: ConstructContext): Value {
  const [type] = args
  if (!(type instanceof Foreign || type instanceof Global)) context.refuse('a class')
  const made = new Foreign(type.name)
  made.held = args.slice(1)
  return made
}

/** torch.Size is a tuple. */
function size([items]: readonly Value[], context: ConstructContext): Value {
  if (!(items instanceof Tuple)) context.refuse('a tuple')
  return items
}

const rebuilders: ReadonlyMap<string, Meaning> = new Map([
  ['torch._utils _rebuild_tensor', { construct: rebuildTensor(4, 4) }],
  ['torch._utils _rebuild_tensor_v2', { construct: rebuildTensor(6, 7) }],
  ['torch._utils _rebuild_tensor_v3', { construct: rebuildTensor(7, 8, 6) }],
  ['torch._utils _rebuild_parameter', { construct: parameter }],
  ['torch._utils _rebuild_parameter_with_state', { construct: parameter }],
])

function* meanings(): Generator<readonly [string, Meaning]> {
  yield* rebuilders
  yield ['torch._tensor _rebuild_from_type_v2', { construct: fromType }]
  yield ['torch.nn.parameter Parameter', { construct: parameter }]
  yield ['torch Tensor', {}]
  yield ['torch Size', { construct: size }]
  yield ['torch device', opaque('a device')]
  for (const dtype of tensorTypes.keys()) yield [`torch ${dtype}`, { dtype }]
  for (const [name, storageOf] of storageTypes) {
    yield [`torch ${name}`, { storageOf }]
    yield [`torch.cuda ${name}`, { storageOf }]
  }
  yield ['torch.storage UntypedStorage', { storageOf: null }]
  yield ['torch UntypedStorage', { storageOf: null }]

  yield ['collections OrderedDict', { construct: orderedDict }]
  yield ['collections Counter', { construct: orderedDict }]
  yield ['collections defaultdict', { construct: defaultDict }]
  yield ['argparse Namespace', opaque('settings')]
  for (const module of ['copyreg', 'copy_reg']) {
    yield [`${module} _reconstructor`, { construct: instance }]
    yield [`${module} __newobj__`, { construct: instance }]
  }
  yield ['_codecs encode', opaque('bytes')]
  // Protocol 2 uses the first name, from Python 2.
  for (const module of ['__builtin__', 'builtins']) {
    for (const name of ['set', 'frozenset', 'bytes', 'bytearray', 'complex']) {
      yield [`${module} ${name}`, opaque(`a ${name}`)]
    }
    // Classes that other classes are derived from, and that make the missing entries of a defaultdict.
    for (const name of ['object', 'dict', 'list', 'tuple', 'int', 'float', 'str', 'bool'])
      yield [`${module} ${name}`, {}]
  }

  yield ['numpy dtype', opaque("numpy's element type")]
  yield ['numpy ndarray', {}]
  // numpy 2 uses the second name.
  for (const module of ['numpy.core', 'numpy._core']) {
    yield [`${module}.multiarray scalar`, opaque('a numpy number')]
    yield [`${module}.multiarray _reconstruct`, opaque('a numpy array')]
    yield [`${module}.numeric _frombuffer`, opaque('a numpy array')]
  }
}

const table: ReadonlyMap<string, Global> = new Map(
  [...meanings()].map(([name, meaning]) => [name, new Global(name, meaning)]),
)
