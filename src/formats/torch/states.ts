// Finds the dictionaries of tensors in the object that a checkpoint holds.
import { FormatError } from '../../util/errors.ts'
import { damaged, limits } from './limits.ts'
import { TensorView } from './tensor-view.ts'
import { Dict, List, Tuple, type Value } from './values.ts'

/** Dictionaries of tensors by path. */
export type States = ReadonlyMap<string, ReadonlyMap<string, TensorView>>

type Container = Dict | List | Tuple

/** A container on the path from the root to the current container of the walk. */
interface Level {
  readonly path: string
  readonly children: Iterator<readonly [string, Value]>
}

/**
 * Every dictionary that has tensors, by its path (see `TorchFile.states`). Each container is visited once, however
 * often the file refers to it, so cycles and shared containers cost nothing.
 *
 * @param storedBytes bytes of all storages in the file, which limit the bytes of all tensors.
 * @throws FormatError beyond `limits`.
 */
export function collectStates(root: Value, file: string, storedBytes: number): States {
  return new Walk(file, limits.expansion * storedBytes + limits.expansionSlack).from(root)
}

class Walk {
  private readonly states = new Map<string, ReadonlyMap<string, TensorView>>()
  /** The visited containers, each with its tensors if it has some. */
  private readonly walked = new Map<Container, ReadonlyMap<string, TensorView> | undefined>()
  private readonly levels: Level[] = []
  private readonly paths = new Names()
  private pathCharacters = 0
  private tensors = 0
  private bytes = 0

  constructor(
    private readonly file: string,
    private readonly mostBytes: number,
  ) {}

  from(root: Value): States {
    if (isContainer(root)) this.enter(root, '')
    for (let level = this.levels.at(-1); level !== undefined; level = this.levels.at(-1)) {
      const next = level.children.next()
      if (next.done === true) {
        this.levels.pop()
        continue
      }
      const [key, child] = next.value
      if (isContainer(child)) this.enter(child, level.path === '' ? key : `${level.path}.${key}`)
    }
    return this.states
  }

  private enter(container: Container, path: string): void {
    if (this.walked.has(container)) {
      const state = this.walked.get(container)
      if (state !== undefined) this.list(path, state)
      return
    }
    if (this.levels.length === limits.depth)
      this.refuse('containers nest too deep', `over ${limits.depth} levels`)
    if (!(container instanceof Dict)) {
      this.walked.set(container, undefined)
      if (container.items.some(isContainer)) this.levels.push({ path, children: numbered(container.items) })
      return
    }
    const entries = container.entries()
    const state = this.tensorsOf(entries)
    this.walked.set(container, state)
    if (state !== undefined) this.list(path, state)
    this.levels.push({ path, children: named(entries) })
  }

  private tensorsOf(entries: ReadonlyMap<Value, Value>): ReadonlyMap<string, TensorView> | undefined {
    let state: Map<string, TensorView> | undefined
    const names = new Names()
    for (const [key, value] of named(entries)) {
      if (!(value instanceof TensorView)) continue
      state ??= new Map()
      state.set(names.unused(key, state), value)
      this.bytes += value.memoryBytes
      if (++this.tensors > limits.tensors) this.refuse('too many tensors', `over ${limits.tensors}`)
      if (this.bytes > this.mostBytes) {
        this.refuse(
          'the tensors repeat what the file holds too often',
          `over ${this.mostBytes} bytes of tensors`,
        )
      }
    }
    return state
  }

  private list(path: string, state: ReadonlyMap<string, TensorView>): void {
    this.pathCharacters += path.length
    if (this.states.size === limits.states) this.refuse('too many dictionaries', `over ${limits.states}`)
    if (this.pathCharacters > limits.pathCharacters)
      this.refuse('the keys are too long', `${this.pathCharacters} characters`)
    this.states.set(this.paths.unused(path, this.states), state)
  }

  private refuse(what: string, got: string): never {
    throw new FormatError({ what, where: this.file, got, remedy: damaged })
  }
}

function isContainer(value: Value): value is Container {
  return value instanceof Dict || value instanceof List || value instanceof Tuple
}

/** The entries whose keys are texts or whole numbers; only they have a path. */
function* named(entries: ReadonlyMap<Value, Value>): Generator<readonly [string, Value]> {
  for (const [key, value] of entries) {
    if (typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint')
      yield [String(key), value]
  }
}

function* numbered(items: readonly Value[]): Generator<readonly [string, Value]> {
  for (const [i, value] of items.entries()) yield [String(i), value]
}

/** Makes names that are equal different. */
class Names {
  /** The next number for a name, so that many equal names take no longer than many different ones. */
  private readonly next = new Map<string, number>()

  /** `name`, or `name (2)` and so on if `name` is taken, as by the text 0 and the number 0. */
  unused(name: string, taken: ReadonlyMap<string, unknown>): string {
    let unused = name
    while (taken.has(unused)) {
      const count = this.next.get(name) ?? 2
      this.next.set(name, count + 1)
      unused = `${name} (${count})`
    }
    return unused
  }
}
