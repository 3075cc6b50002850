// What an open checkpoint offers, and the format of torch 1.6 and later: parts with names, in a zip archive or in the
// folder that it was unpacked to.
import { lstat, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError } from '../../files/file-errors.ts'
import { bytesInMemory, FileBytes } from '../../files/read.ts'
import { FormatError, InputError } from '../../util/errors.ts'
import { holdersOf } from './foreign.ts'
import { Budget, damaged, limits } from './limits.ts'
import { readPickle } from './pickle-machine.ts'
import { PickleReader } from './pickle-reader.ts'
import { collectStates } from './states.ts'
import type { StoredTensor } from './tensor-view.ts'
import { type Foreign, StorageTable, type Value } from './values.ts'

/** An open checkpoint file. */
export interface TorchFile {
  /**
   * Every dictionary of the file that has tensors, by the path of keys that leads to it, joined with dots: '' is
   * the saved object itself; others are 'state_dict', 'kp_detector', 'optimizer.state.0'. Lists and tuples count
   * as dictionaries with the keys 0, 1, 2. A dictionary has, in their order, the entries that are tensors and
   * whose key is a text (of at most 64 KiB) or a whole number. A dictionary with several paths is listed under
   * each of them, and what is inside it under the first. If two paths or names are the same text, the later one
   * ends in ' (2)'.
   */
  readonly states: ReadonlyMap<string, ReadonlyMap<string, StoredTensor>>
  /** Classes and functions of the file that pantin does not know, as `module.name`. Their objects are passed over. */
  readonly foreign: readonly string[]
  /** Unknown classes that have tensors in them, which cannot be read. */
  readonly holders: readonly string[]
  /** Closes the file; tensors cannot be read after that. Calling it again does no harm. */
  close(): Promise<void>
}

/** What a file holds, as in `TorchFile`. */
export type Content = Omit<TorchFile, 'close'>

/** @throws FormatError if all tensors hang on classes that pantin does not know. */
export function contentOf(
  root: Value,
  foreign: ReadonlyMap<string, Foreign>,
  file: string,
  storedBytes: number,
): Content {
  const states = collectStates(root, file, storedBytes)
  const holders = foreign.size === 0 ? [] : holdersOf(root)
  if (states.size === 0 && holders.length > 0) throw hangsOn(holders, file)
  return { states, foreign: [...foreign.keys()], holders }
}

/** The error for weights inside of objects whose classes pantin does not know. */
export function hangsOn(holders: readonly string[], file: string): FormatError {
  const [first = '', ...more] = holders
  return new FormatError({
    what: 'the weights are inside an object of Python code, and not in a dictionary',
    where: file,
    got: `an object of ${first}${more.length > 0 ? `, and of ${more.length} more classes` : ''}`,
    expected: 'tensors in dictionaries, lists and tuples',
    remedy:
      'if you trust the source of the file, load it in Python with its code, and save only its state_dict() there',
  })
}

/** One part. */
interface Part {
  readonly size: number
  /** Whether a read from the middle costs no more than a read from the start. */
  readonly isRandomAccess: boolean
  read(into: Uint8Array, at: number): Promise<void>
  /** The open file that has the part's bytes as they are, and their place in it, if there is such a file. */
  readonly bytes?: { readonly file: FileBytes; readonly place: number }
}

/** Finds a part by its name; undefined if there is none. */
export type Parts = (name: string) => Promise<Part | undefined>

/**
 * Reads the parts: `data.pkl` is the saved object, `data/KEY` are the bytes of each storage, and `byteorder` says
 * 'little' or 'big' ('little' if it is absent).
 *
 * @throws FormatError
 */
export async function readParts(parts: Parts, path: string): Promise<Content> {
  const pickle = await parts('data.pkl')
  if (pickle === undefined) throw new Error('there is no data.pkl')
  if ((await parts('constants.pkl')) !== undefined) {
    throw new FormatError({
      what: 'a TorchScript archive, which is a program',
      where: path,
      expected: 'a checkpoint, as torch.save writes it',
      remedy: 'in PyTorch, save its state_dict() with torch.save',
    })
  }
  const littleEndian = await readByteOrder(await parts('byteorder'), path)
  const table = new StorageTable(path)
  const foreign = new Map<string, Foreign>()
  const reader = await readerOf(pickle, path)
  const root = readPickle(reader, new Budget(path), (id) => table.find(id), foreign)
  let storedBytes = 0
  for (const [key, storage] of table.storages) {
    const part = await parts(`data/${key}`)
    if (part === undefined || part.size < storage.byteLength) {
      throw new FormatError({
        what: 'the file lacks data of a storage',
        where: `${path}, storage ${JSON.stringify(key.slice(0, 80))}`,
        got: part === undefined ? 'no entry' : `${part.size} bytes`,
        expected: `${storage.byteLength} bytes`,
        remedy: damaged,
      })
    }
    const { isRandomAccess, read } = part
    storage.locate({ littleEndian, isRandomAccess, read })
    storedBytes += storage.byteLength
  }
  return contentOf(root, foreign, path, storedBytes)
}

async function readByteOrder(part: Part | undefined, where: string): Promise<boolean> {
  if (part === undefined) return true
  const bytes = new Uint8Array(Math.min(part.size, 16))
  await part.read(bytes, 0)
  const order = new TextDecoder().decode(bytes)
  if (order !== 'little' && order !== 'big') {
    const expected = 'little or big'
    const what = 'an unknown byte order'
    throw new FormatError({ what, where, got: JSON.stringify(order), expected, remedy: damaged })
  }
  return order === 'little'
}

async function readerOf({ size, read, bytes }: Part, path: string): Promise<PickleReader> {
  const where = `${path}, data.pkl`
  if (size > limits.pickleBytes) {
    const expected = `at most ${limits.pickleBytes}`
    const what = 'a pickle of absurd size'
    throw new FormatError({ what, where, got: `${size} bytes`, expected, remedy: damaged })
  }
  if (bytes !== undefined) return new PickleReader(bytes.file, bytes.place, bytes.place + size, where)
  const content = new Uint8Array(size)
  await read(content, 0)
  return new PickleReader(bytesInMemory(content), 0, size, where)
}

/**
 * Opens the folder into which a checkpoint was unpacked, as file managers do by themselves.
 *
 * @param path the folder with `data.pkl`, the folder around it, or `data.pkl` itself.
 * @throws FormatError as `openTorchFile`, InputError for a folder that holds no unpacked checkpoint.
 */
export async function openTorchFolder(path: string): Promise<TorchFile> {
  const folder = await findFolder(path)
  const parts: Parts = async (name) => {
    // Keys of storages are numbers. Any other key may not lead out of the folder.
    if (!/^(data\/)?[\w.]+$/.test(name) || /(^|\/)\.+$/.test(name)) return undefined
    const file = join(folder, name)
    const found = await lstat(file).catch(() => undefined)
    if (found?.isFile() !== true) return undefined
    return { size: found.size, isRandomAccess: true, read: (into, at) => readFrom(file, into, at) }
  }
  try {
    return { ...(await readParts(parts, folder)), close: async () => {} }
  } catch (error) {
    throw fileError(error, folder, 'read')
  }
}

async function findFolder(path: string): Promise<string> {
  const hasPickle = (folder: string) =>
    lstat(join(folder, 'data.pkl')).then(
      (found) => found.isFile(),
      () => false,
    )
  if (basename(path) === 'data.pkl') return dirname(path)
  if (await hasPickle(path)) return path
  const names = await readdir(path).catch((error: unknown) => {
    throw fileError(error, path, 'read')
  })
  const found: string[] = []
  for (const name of names) if (await hasPickle(join(path, name))) found.push(join(path, name))
  const [folder] = found
  if (folder !== undefined && found.length === 1) return folder
  throw new InputError({
    what: 'this is a folder',
    where: path,
    got:
      found.length > 1 ? `${found.length} unpacked checkpoints` : 'a folder without an unpacked checkpoint',
    expected: 'a checkpoint file, or the folder that one was unpacked to',
    remedy: 'name a file in it, as it was downloaded',
  })
}

async function readFrom(path: string, into: Uint8Array, at: number): Promise<void> {
  const file = await FileBytes.open(path, 'a part of a checkpoint')
  try {
    await file.read(into, at)
  } finally {
    await file.close()
  }
}
