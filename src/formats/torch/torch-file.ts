// Checkpoints of PyTorch (.pth, .pt, .pth.tar), read as data: no code in a file ever runs. Here are the two containers,
// zip (its parts are in parts.ts) and legacy; pickle-machine.ts reads the pickles in them, and limits.ts says how much a
// file may cost.
import { fileError } from '../../files/file-errors.ts'
import { FileBytes } from '../../files/read.ts'
import { FormatError } from '../../util/errors.ts'
import { ZipArchive } from '../zip/zip-archive.ts'
import { Budget, damaged } from './limits.ts'
import { type Content, contentOf, type Parts, readParts, type TorchFile } from './parts.ts'
import { readPickle } from './pickle-machine.ts'
import { PickleReader } from './pickle-reader.ts'
import { type Foreign, List, StorageTable, type Value } from './values.ts'

export type { TorchFile } from './parts.ts'
export type { StoredTensor } from './tensor-view.ts'

/**
 * Opens a checkpoint that torch.save wrote, in either format, which its content tells. Reads the shapes and types
 * of the tensors, and no tensor data.
 *
 * @param source a path, or the content of a file that was inflated.
 * @throws FormatError for a file that is damaged, is no checkpoint, has its weights inside of objects of code, or asks
 * for more than `limits`; InputError or EnvironmentError for one that cannot be read.
 */
export async function openTorchFile(source: string | FileBytes): Promise<TorchFile> {
  let file: FileBytes | undefined
  try {
    file = source instanceof FileBytes ? source : await FileBytes.open(source, 'a PyTorch file')
    const content = await readContent(file)
    return { ...content, close: () => file!.close() }
  } catch (error) {
    await file?.close()
    throw fileError(error, source instanceof FileBytes ? source.path : source, 'read')
  }
}

async function readContent(file: FileBytes): Promise<Content> {
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

/** @throws FormatError */
async function readZipFormat(file: FileBytes): Promise<Content> {
  const archive = await ZipArchive.open(file)
  const names = [...archive.entries.keys()]
  const pickles = names.filter((name) => /^(?!__MACOSX\/)(.*\/)?data\.pkl$/.test(name))
  const folder = pickles[0]?.slice(0, -'data.pkl'.length)
  if (folder === undefined || pickles.length > 1) {
    throw new FormatError({
      what: 'a zip archive that torch.save did not write',
      where: file.path,
      got: `${names.length} entries, the first ${JSON.stringify((names[0] ?? '').slice(0, 80))}`,
      expected: 'one entry data.pkl',
      remedy: 'if the checkpoint was packed into this archive, unpack it',
    })
  }
  const parts: Parts = async (name) => {
    const entry = archive.entries.get(folder + name)
    if (entry === undefined) return undefined
    const read = (into: Uint8Array, at: number) => archive.read(entry, into, at)
    // A stored pickle is read from the file itself, a deflated one from memory.
    const place = entry.isDeflated || name !== 'data.pkl' ? undefined : await archive.placeOf(entry)
    return {
      size: entry.size,
      isRandomAccess: !entry.isDeflated,
      read,
      ...(place !== undefined && { bytes: { file, place } }),
    }
  }
  return readParts(parts, file.path)
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
async function readLegacyFormat(file: FileBytes): Promise<Content> {
  const budget = new Budget(file.path)
  let at = 0
  const foreign = new Map<string, Foreign>()
  const next = (name: string, persistent: (id: Value) => Value): Value => {
    const reader = new PickleReader(file, at, file.size, `${file.path}, ${name}`)
    const value = readPickle(reader, budget, persistent, foreign)
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
  return contentOf(root, foreign, file.path, storedBytes)
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
