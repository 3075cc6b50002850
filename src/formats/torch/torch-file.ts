// Checkpoints of PyTorch (.pth, .pt, .pth.tar), read as data: no code in a file ever runs, and whatever is more than
// data is refused. Here are the two containers, zip and legacy; pickle-machine.ts reads the pickles in them, and
// limits.ts says how much a file may cost.
import { fileError } from '../../files/file-errors.ts'
import { bytesInMemory, FileBytes } from '../../files/read.ts'
import { FormatError } from '../../util/errors.ts'
import { ZipArchive, type ZipEntry } from '../zip/zip-archive.ts'
import { Budget, damaged, limits } from './limits.ts'
import { readPickle } from './pickle-machine.ts'
import { PickleReader } from './pickle-reader.ts'
import { collectStates, type States } from './states.ts'
import type { StorageSlice, StoredTensor } from './tensor-view.ts'
import { List, StorageTable, type Value } from './values.ts'

export type { StoredTensor } from './tensor-view.ts'

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
  /** Closes the file; tensors cannot be read after that. Calling it again does no harm. */
  close(): Promise<void>
}

/**
 * Opens a checkpoint that torch.save wrote, in either format, which its content tells. Reads the shapes and types
 * of the tensors, and no tensor data.
 *
 * @throws FormatError for a file that is damaged, is no checkpoint, holds anything but data, or asks for more
 * than `limits`; InputError or EnvironmentError for one that cannot be read.
 */
export async function openTorchFile(path: string): Promise<TorchFile> {
  let file: FileBytes | undefined
  try {
    file = await FileBytes.open(path, 'a PyTorch file')
    const states = await readStates(file)
    return { states, close: () => file!.close() }
  } catch (error) {
    await file?.close()
    throw fileError(error, path, 'read')
  }
}

async function readStates(file: FileBytes): Promise<States> {
  const head = new Uint8Array(Math.min(512, file.size))
  await file.read(head, 0)
  const text = Buffer.from(head.buffer).toString('latin1')
  if (text.startsWith('PK\x03\x04')) return readZipFormat(file)
  // The opcode PROTO, which begins every pickle of protocol 2 and up.
  if (text.startsWith('\x80')) return readLegacyFormat(file)
  if (text.slice(257, 262) === 'ustar') {
    throw new FormatError({
      what: 'a tar archive: a checkpoint of torch before 0.1.10 (2017), too old, or a packed one',
      where: file.path,
      expected: 'a file that a later torch.save wrote',
      remedy: 'unpack it if it was packed; otherwise load it in PyTorch, and save it again',
    })
  }
  const { got, remedy } = guess(text, file.size)
  throw new FormatError({
    what: 'not a PyTorch checkpoint',
    where: file.path,
    got,
    expected: 'a file that torch.save wrote',
    remedy,
  })
}

/** Recognises the files that users most often give instead of a checkpoint. */
function guess(text: string, size: number): { got: string; remedy: string } {
  if (size === 0) return { got: 'an empty file', remedy: 'download it again' }
  if (text.startsWith('version https://git-lfs')) {
    return { got: "a pointer of git's large file storage", remedy: 'fetch the file itself with git lfs pull' }
  }
  if (/^\s*<(!doctype|html)/i.test(text)) {
    return { got: 'a web page', remedy: 'open the address in a browser, and download the file from there' }
  }
  const bytes = Array.from(text.slice(0, 8), (character) =>
    character.charCodeAt(0).toString(16).padStart(2, '0'),
  )
  return { got: `a file that begins with ${bytes.join(' ')}`, remedy: 'check that it is the right file' }
}

/**
 * Reads the format of torch 1.6 and later: a zip archive with one folder of any name. In it, `data.pkl` is the
 * saved object, `data/KEY` are the bytes of each storage, and `byteorder` says 'little' or 'big' ('little' if it
 * is absent).
 *
 * @throws FormatError
 */
async function readZipFormat(file: FileBytes): Promise<States> {
  const archive = await ZipArchive.open(file)
  const [first = ''] = archive.entries.keys()
  const folder = first.slice(0, first.indexOf('/') + 1)
  const entryOf = (name: string): ZipEntry | undefined => archive.entries.get(folder + name)

  const pickle = entryOf('data.pkl')
  if (pickle === undefined) {
    throw new FormatError({
      what: 'a zip archive that torch.save did not write',
      where: file.path,
      got: `${archive.entries.size} entries, the first ${JSON.stringify(first.slice(0, 80))}`,
      expected: 'an entry data.pkl in the folder of the first entry',
      remedy: 'if the checkpoint was packed into this archive, unpack it',
    })
  }
  if (entryOf('constants.pkl') !== undefined) {
    throw new FormatError({
      what: 'a TorchScript archive, which is a program',
      where: file.path,
      expected: 'a checkpoint, as torch.save writes it',
      remedy: 'in PyTorch, save its state_dict() with torch.save',
    })
  }
  const littleEndian = await readByteOrder(archive, entryOf('byteorder'), file)

  const table = new StorageTable(file.path)
  const reader = await readerOf(archive, pickle, file)
  const root = readPickle(reader, new Budget(file.path), (id) => table.find(id))
  let storedBytes = 0
  for (const [key, storage] of table.storages) {
    const entry = entryOf(`data/${key}`)
    if (entry === undefined || entry.size < storage.byteLength) {
      throw new FormatError({
        what: 'the file lacks data of a storage',
        where: `${file.path}, storage ${JSON.stringify(key.slice(0, 80))}`,
        got: entry === undefined ? 'no entry' : `${entry.size} bytes`,
        expected: `${storage.byteLength} bytes`,
        remedy: damaged,
      })
    }
    storage.locate({
      littleEndian,
      isRandomAccess: !entry.isDeflated,
      read: (into, at) => archive.read(entry, into, at),
    })
    storedBytes += storage.byteLength
  }
  return collectStates(root, file.path, storedBytes)
}

async function readByteOrder(
  archive: ZipArchive,
  entry: ZipEntry | undefined,
  file: FileBytes,
): Promise<boolean> {
  if (entry === undefined) return true
  const bytes = new Uint8Array(Math.min(entry.size, 16))
  await archive.read(entry, bytes, 0)
  const order = new TextDecoder().decode(bytes)
  if (order !== 'little' && order !== 'big') {
    const expected = 'little or big'
    const what = 'an unknown byte order'
    throw new FormatError({ what, where: file.path, got: JSON.stringify(order), expected, remedy: damaged })
  }
  return order === 'little'
}

/** Reads a stored pickle from the file itself, and a deflated one from memory. */
async function readerOf(archive: ZipArchive, entry: ZipEntry, file: FileBytes): Promise<PickleReader> {
  const where = `${file.path}, data.pkl`
  if (entry.size > limits.pickleBytes) {
    const expected = `at most ${limits.pickleBytes}`
    const what = 'a pickle of absurd size'
    throw new FormatError({ what, where, got: `${entry.size} bytes`, expected, remedy: damaged })
  }
  if (!entry.isDeflated) {
    const start = await archive.placeOf(entry)
    return new PickleReader(file, start, start + entry.size, where)
  }
  const bytes = new Uint8Array(entry.size)
  await archive.read(entry, bytes, 0)
  return new PickleReader(bytesInMemory(bytes), 0, entry.size, where)
}

/** The values of the first two pickles of a legacy file. */
const magic = 0x1950a86a20f9469cfc6cn
const legacyVersion = 1001

/**
 * Reads the legacy format, of torch 0.1.10 to 1.5: five pickles (a magic number, a version, facts about the
 * machine, the saved object, the keys of its storages), then each storage as a count of elements in eight bytes
 * and the elements, in the order of the keys. Everything is little-endian on every machine.
 *
 * @throws FormatError
 */
async function readLegacyFormat(file: FileBytes): Promise<States> {
  const budget = new Budget(file.path)
  let at = 0
  const next = (name: string, persistent: (id: Value) => StorageSlice): Value => {
    const reader = new PickleReader(file, at, file.size, `${file.path}, ${name}`)
    const value = readPickle(reader, budget, persistent)
    at = reader.at
    return value
  }
  const nothingPersistent = (): never => refuse(file, 'a storage where none can be', 'a persistent id')
  if (next('magic number', nothingPersistent) !== magic) {
    refuse(file, 'a pickle that torch.save did not write', 'another first value', "torch's magic number")
  }
  const found = next('version', nothingPersistent)
  if (found !== legacyVersion) {
    refuse(file, 'an unknown version of the format', String(found), `${legacyVersion}`)
  }
  next('machine', nothingPersistent)

  const table = new StorageTable(file.path)
  const root = next('saved object', (id) => table.find(id))
  const keys = next('storage keys', nothingPersistent)
  const storedBytes = locateStorages(table, keys, file, at)
  return collectStates(root, file.path, storedBytes)
}

/** Finds the position of each storage from byte `at` on. @returns the number of bytes of all storages. */
function locateStorages(table: StorageTable, keys: Value, file: FileBytes, at: number): number {
  if (!(keys instanceof List)) refuse(file, 'the list of storages is missing', 'something else')
  const missing = new Set(table.storages.keys())
  const count = new Uint8Array(8)
  let start = at
  let storedBytes = 0
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? table.storages.get(key) : undefined
    if (storage === undefined || !missing.delete(storage.key)) {
      refuse(
        file,
        'a storage that no tensor uses, or that comes twice',
        JSON.stringify(String(key).slice(0, 80)),
      )
    }
    file.readNow(count, start)
    const elements = new DataView(count.buffer).getBigInt64(0, true)
    const expected = storage.byteLength / storage.elementBytes
    if (elements !== BigInt(expected)) {
      refuse(file, 'a storage has another size than the tensors say', `${elements} elements`, `${expected}`)
    }
    const place = start + 8
    start = place + storage.byteLength
    if (start > file.size) {
      refuse(file, 'the file is cut off', `${file.size - place} bytes of a storage`, `${storage.byteLength}`)
    }
    storage.locate({
      littleEndian: true,
      isRandomAccess: true,
      read: (into, from) => file.read(into, place + from),
    })
    storedBytes += storage.byteLength
  }
  const [left] = missing
  if (left !== undefined) refuse(file, 'the file lacks data of a storage', JSON.stringify(left.slice(0, 80)))
  return storedBytes
}

function refuse(file: FileBytes, what: string, got: string, expected?: string): never {
  const more = expected === undefined ? {} : { expected }
  throw new FormatError({ what, where: file.path, got, ...more, remedy: damaged })
}
