// The stack machine of Python pickles, which builds data only and calls nothing that a file names.
import { assertHarmless, buildKnown, foreignObject } from './foreign.ts'
import { findGlobal } from './globals.ts'
import { type Budget, limits } from './limits.ts'
import { opcodes as op, type PickleReader, refusedOpcodes, smallest } from './pickle-reader.ts'
import { Dict, describe, Foreign, Global, List, Opaque, Tuple, type Value } from './values.ts'

/** The newest protocol that Python has. */
const maxProtocol = 5

const bytes = new Opaque('bytes')
const set = new Opaque('a set')
const longText = new Opaque('a long text')
const emptyTuple = new Tuple([])

/**
 * Reads one pickle as data. A pickle is a program for a stack machine. This machine knows lists, tuples,
 * dictionaries, numbers and texts, and the objects in `globals.ts`, which it builds itself. Every other object
 * becomes a `Foreign`. It never calls anything that a file names.
 *
 * @param reader at the first byte of the pickle; afterwards, at the byte after the pickle.
 * @param persistent returns the value of a persistent id.
 * @param foreign gets the classes and functions of the pickle that pantin does not know, by their names.
 * @throws FormatError for anything else than a pickle of such data, for one that was made to harm programs that
 * load it, and beyond `limits`.
 */
export function readPickle(
  reader: PickleReader,
  budget: Budget,
  persistent: (id: Value) => Value,
  foreign: Map<string, Foreign> = new Map(),
): Value {
  return new PickleMachine(reader, budget, persistent, foreign).run()
}

class PickleMachine {
  private readonly stack: Value[] = []
  /** Heights of the stack at which there are marks. */
  private readonly marks: number[] = []
  private readonly memo = new Map<number, Value>()
  private opcode = 0

  constructor(
    private readonly reader: PickleReader,
    private readonly budget: Budget,
    private readonly persistent: (id: Value) => Value,
    private readonly foreign: Map<string, Foreign>,
  ) {}

  run(): Value {
    const { reader } = this
    if (reader.byte() !== op.PROTO) this.refuse('not a pickle as torch writes it')
    const protocol = reader.byte()
    if (protocol > maxProtocol)
      this.refuse('a pickle of a newer protocol', `${protocol}`, `at most ${maxProtocol}`)
    for (;;) {
      this.budget.work()
      this.opcode = reader.byte()
      if (this.opcode === op.STOP) return this.pop()
      this.step(this.opcode)
      if (this.stack.length + this.marks.length > limits.stackDepth) {
        this.refuse('the pickle nests too deep', `over ${limits.stackDepth} values on the stack`)
      }
    }
  }

  private step(opcode: number): void {
    const { reader, stack } = this
    switch (opcode) {
      case op.PROTO:
        reader.skip(1)
        return
      case op.FRAME:
        // A frame only says how many bytes to read at once.
        reader.skip(8)
        return

      case op.NONE:
        stack.push(null)
        return
      case op.NEWTRUE:
        stack.push(true)
        return
      case op.NEWFALSE:
        stack.push(false)
        return
      case op.BININT1:
        stack.push(reader.byte())
        return
      case op.BININT2:
        stack.push(reader.uint16())
        return
      case op.BININT:
        stack.push(reader.int32())
        return
      case op.LONG1:
        stack.push(reader.integer(reader.byte()))
        return
      case op.LONG4:
        stack.push(reader.integer(reader.uint32()))
        return
      case op.INT:
        stack.push(this.decimal(reader.line()))
        return
      case op.BINFLOAT:
        stack.push(reader.float64())
        return

      case op.SHORT_BINUNICODE:
        stack.push(reader.text(reader.byte()) ?? longText)
        return
      case op.BINUNICODE:
        stack.push(reader.text(reader.uint32()) ?? longText)
        return
      case op.BINUNICODE8:
        stack.push(reader.text(reader.uint64()) ?? longText)
        return
      case op.SHORT_BINSTRING:
        stack.push(reader.string(reader.byte()) ?? bytes)
        return
      case op.BINSTRING:
        stack.push(reader.string(reader.uint32()) ?? bytes)
        return
      case op.SHORT_BINBYTES:
        this.bytes(reader.byte())
        return
      case op.BINBYTES:
        this.bytes(reader.uint32())
        return
      case op.BINBYTES8:
      case op.BYTEARRAY8:
        this.bytes(reader.uint64())
        return

      case op.EMPTY_TUPLE:
        stack.push(emptyTuple)
        return
      case op.TUPLE1:
      case op.TUPLE2:
      case op.TUPLE3:
        this.tuple(this.popMany(opcode - op.TUPLE1 + 1))
        return
      case op.TUPLE:
        this.tuple(this.popToMark())
        return
      case op.EMPTY_LIST:
        this.budget.object()
        stack.push(new List())
        return
      case op.APPEND:
        this.append(this.popMany(1))
        return
      case op.APPENDS:
        this.append(this.popToMark())
        return
      case op.EMPTY_DICT:
        this.budget.object()
        stack.push(new Dict())
        return
      case op.SETITEM:
        this.setItems(this.popMany(2))
        return
      case op.SETITEMS:
        this.setItems(this.popToMark())
        return
      case op.EMPTY_SET:
        stack.push(set)
        return
      case op.FROZENSET:
        this.popToMark()
        stack.push(set)
        return
      case op.ADDITEMS:
        this.addItems(this.popToMark())
        return

      case op.MARK:
        this.marks.push(stack.length)
        return
      case op.POP:
        // This opcode removes a mark as it removes a value.
        if (this.marks.at(-1) === stack.length) this.marks.pop()
        else this.pop()
        return
      case op.POP_MARK:
        this.popToMark()
        return
      case op.DUP:
        stack.push(this.top())
        return
      case op.BINPUT:
        this.remember(reader.byte())
        return
      case op.LONG_BINPUT:
        this.remember(reader.uint32())
        return
      case op.MEMOIZE:
        this.remember(this.memo.size)
        return
      case op.BINGET:
        this.recall(reader.byte())
        return
      case op.LONG_BINGET:
        this.recall(reader.uint32())
        return

      case op.GLOBAL:
        this.global(reader.line(), reader.line())
        return
      case op.STACK_GLOBAL: {
        const [module, name] = this.popMany(2)
        if (typeof module !== 'string' || typeof name !== 'string') this.refuse('a global without a name')
        this.global(module, name)
        return
      }
      case op.REDUCE:
      case op.NEWOBJ: {
        const [callee, args] = this.popMany(2)
        this.construct(callee, args)
        return
      }
      case op.NEWOBJ_EX: {
        const [callee, args, named] = this.popMany(3)
        if (!(named instanceof Dict) || (named.pairs.length > 0 && !(callee instanceof Foreign)))
          this.refuse('arguments with names', describe(named))
        this.construct(callee, args, named)
        return
      }
      case op.OBJ: {
        // Objects of the oldest kind of classes in Python 2.
        const [callee, ...args] = this.popToMark()
        this.construct(callee, new Tuple(args))
        return
      }
      case op.BUILD:
        this.setAttributes()
        return
      case op.BINPERSID:
        this.budget.object()
        stack.push(this.persistent(this.pop()))
        return

      default:
        this.refuse(
          'an opcode that no checkpoint has',
          refusedOpcodes.get(opcode) ?? `0x${opcode.toString(16)}`,
        )
    }
  }

  private top(): Value {
    if (this.stack.length === (this.marks.at(-1) ?? 0)) this.refuse('the pickle takes more than it has')
    return this.stack.at(-1)!
  }

  private pop(): Value {
    const value = this.top()
    this.stack.length--
    return value
  }

  private popMany(count: number): Value[] {
    const start = this.stack.length - count
    if (start < (this.marks.at(-1) ?? 0)) this.refuse('the pickle takes more than it has')
    return this.stack.splice(start)
  }

  private popToMark(): Value[] {
    const start = this.marks.pop()
    if (start === undefined) this.refuse('the pickle has no mark where one is needed')
    return this.stack.splice(start)
  }

  private bytes(length: number): void {
    this.reader.skip(length)
    this.stack.push(bytes)
  }

  /** A whole number in digits; 00 and 01 are False and True in Python 2. */
  private decimal(line: string): Value {
    if (line === '00' || line === '01') return line === '01'
    if (!/^-?\d{1,150}$/.test(line))
      this.refuse('a malformed whole number', JSON.stringify(line.slice(0, 80)))
    return smallest(BigInt(line))
  }

  private tuple(items: Value[]): void {
    this.budget.object()
    this.stack.push(new Tuple(items))
  }

  private append(items: Value[]): void {
    const list = this.top()
    if (list instanceof Foreign) this.hold(list, items)
    else if (!(list instanceof List))
      this.refuse('items are added to something else than a list', describe(list))
    else if (list.items.length === 0) list.items = items
    else for (const item of items) list.items.push(item)
  }

  private setItems(pairs: Value[]): void {
    const dict = this.top()
    if (dict instanceof Foreign) this.hold(dict, pairs)
    else if (!(dict instanceof Dict))
      this.refuse('entries are set in something else than a dictionary', describe(dict))
    else if (pairs.length % 2 !== 0) this.refuse('a key without a value')
    else if (dict.pairs.length === 0) dict.pairs = pairs
    else for (const item of pairs) dict.pairs.push(item)
  }

  private addItems(items: Value[]): void {
    const target = this.top()
    if (target instanceof Foreign) this.hold(target, items)
    else if (target !== set) this.refuse('items are added to something else than a set')
  }

  private hold(object: Foreign, items: Value[]): void {
    if (object.held.length === 0) object.held = items
    else for (const item of items) object.held.push(item)
  }

  private remember(key: number): void {
    this.memo.set(key, this.top())
    if (this.memo.size > limits.memoEntries)
      this.refuse('too many remembered values', `over ${limits.memoEntries}`)
  }

  private recall(key: number): void {
    const value = this.memo.get(key)
    if (value === undefined) this.refuse('a value is recalled that was never remembered', `number ${key}`)
    this.stack.push(value)
  }

  private global(module: string, name: string): void {
    const known = findGlobal(module, name)
    if (known !== undefined) {
      this.stack.push(known)
      return
    }
    const path = `${module.slice(0, 80)}.${name.slice(0, 80)}`
    assertHarmless(path, this.reader.where)
    let foreign = this.foreign.get(path)
    if (foreign === undefined) {
      this.budget.object()
      foreign = new Foreign(path)
      this.foreign.set(path, foreign)
    }
    this.stack.push(foreign)
  }

  private construct(callee: Value | undefined, args: Value | undefined, named?: Dict): void {
    if (!(callee instanceof Global || callee instanceof Foreign) || !(args instanceof Tuple)) {
      this.refuse('something is called that cannot be', describe(callee))
    }
    this.budget.object()
    const make = callee instanceof Global ? callee.meaning.construct : undefined
    if (make === undefined) {
      this.stack.push(foreignObject(callee, named === undefined ? [args] : [args, named]))
      return
    }
    const refuse = (expected: string) =>
      this.refuse(`the arguments of ${describe(callee)} do not fit`, describe(args), expected)
    this.stack.push(
      buildKnown(callee as Global, make, args, { work: (steps) => this.budget.work(steps), refuse }),
    )
  }

  /** Attributes for the object on the stack. Known objects drop them. */
  private setAttributes(): void {
    const attributes = this.pop()
    const target = this.top()
    if (target instanceof Dict || target instanceof Opaque) return
    if (target instanceof Foreign) this.hold(target, [attributes])
    else this.refuse('attributes are set on something that has none', describe(target))
  }

  private refuse(what: string, got = `opcode 0x${this.opcode.toString(16)}`, expected?: string): never {
    this.reader.refuse(what, got, expected)
  }
}
