// Python names that pantin does not know: objects of theirs, which are made without calling anything; the search for
// tensors that hang on them; and the names that only a harmful file has.
import { FormatError } from '../../util/errors.ts'
import { TensorView } from './tensor-view.ts'
import { type Construct, Dict, Foreign, type Global, List, Tuple, type Value } from './values.ts'

/** The object that a call of a class or function makes, if pantin cannot build it. */
export function foreignObject(callee: Global | Foreign, held: Value[]): Foreign {
  const made = new Foreign(callee.name.replace(' ', '.'))
  made.held = held
  return made
}

/** Ends a construction whose arguments do not fit because one of them is foreign. */
const isForeignResult = Symbol('the result is foreign')

/**
 * Builds what a known name makes of its arguments. If they do not fit because one of them is foreign, the result is
 * foreign too: a parameter around a tensor of an unknown kind, for instance.
 */
export function buildKnown(
  callee: Global,
  make: Construct,
  args: Tuple,
  context: { work(steps: number): void; refuse(expected: string): never },
): Value {
  const refuse = (expected: string): never => {
    if (args.items.some(isForeign)) throw isForeignResult
    return context.refuse(expected)
  }
  try {
    return make(args.items, { work: context.work, refuse })
  } catch (error) {
    if (error !== isForeignResult) throw error
    return foreignObject(callee, [args])
  }
}

const isForeign = (value: Value): boolean =>
  value instanceof Foreign || (value instanceof Tuple && value.items.some((item) => item instanceof Foreign))

/**
 * The unknown classes on which tensors hang. A tensor that is also in a dictionary, list or tuple which leads to the
 * root does not count. Each value is visited once.
 */
export function holdersOf(root: Value): string[] {
  const seen = new Set<Value>()
  const foreign: Foreign[] = []
  for (const value of walk([root], seen)) if (value instanceof Foreign) foreign.push(value)
  const holders = new Set<string>()
  for (const object of foreign) {
    for (const value of walk(object.held, seen, 'with foreign')) {
      if (value instanceof TensorView) holders.add(object.name)
    }
  }
  return [...holders]
}

/** The values inside of values, and they themselves; what is inside of foreign objects only if `into` says so. */
function* walk(from: readonly Value[], seen: Set<Value>, into?: 'with foreign'): Generator<Value> {
  const waiting = [from]
  for (let items = waiting.pop(); items !== undefined; items = waiting.pop()) {
    for (const value of items) {
      if (value === null || typeof value !== 'object' || seen.has(value)) continue
      seen.add(value)
      yield value
      if (value instanceof Dict) waiting.push(value.pairs)
      else if (value instanceof List || value instanceof Tuple) waiting.push(value.items)
      else if (value instanceof Foreign && into !== undefined) waiting.push(value.held)
    }
  }
}

/** No training script stores these. pantin runs nothing of them, but the user should know what the file is. */
const attacks: readonly RegExp[] = [
  /(^|\.)(os|posix|nt)\.(system|popen|startfile|exec|spawn|posix_spawn|fork|kill)/,
  /(^|\.)(os|posix|nt)\.(remove|unlink|rmdir|rename|replace|truncate|chmod|chown|link|symlink)/,
  /^_?(subprocess|posixsubprocess)\.(Popen|run|call|check_|getoutput|getstatusoutput|fork_exec)/,
  /^(pty\.spawn|runpy\.|webbrowser\.|commands\.get|code\.(interact|Interactive)|timeit\.(timeit|Timer|repeat))/,
  /^(pdb|bdb|cProfile|profile)\.(run|Pdb|Bdb|set_trace)/,
  /^(builtins|__builtin__)\.(eval|exec|execfile|compile|open|__import__|breakpoint|input)$/,
  /^importlib\.(import_module|__import__|reload|_bootstrap)/,
  /^shutil\.(rmtree|move|copy)/,
  /^socket\.(socket|create)/,
  /^(io|_io|codecs)\.(open|open_code|FileIO)$/,
  /^(torch|torch\.(serialization|jit|hub|ops)|numpy|joblib|pickle|_pickle|dill)\.(load|loads|load_library)$/,
  /^_?ctypes\.(CDLL|cdll|PyDLL|windll|dlopen|LoadLibrary)/,
]

/** @throws FormatError for a Python name, as `module.name`, that only a harmful file has. */
export function assertHarmless(name: string, where: string): void {
  if (!attacks.some((pattern) => pattern.test(name))) return
  throw new FormatError({
    what: 'the file wants to run code, or to change files, when it is loaded in Python',
    where,
    got: JSON.stringify(name),
    expected: 'tensors, numbers and texts in dictionaries, lists and tuples',
    remedy: 'do not load it in Python; take the checkpoint from another source',
  })
}
