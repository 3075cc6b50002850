import { FormatError } from '../../util/errors.ts'
import { bytesInMemory, type FileBytes } from '../torch/file-bytes.ts'
import { Budget, damaged, limits } from '../torch/limits.ts'
import { readPickle } from '../torch/pickle-machine.ts'
import { PickleReader } from '../torch/pickle-reader.ts'
import { collectStates, type States } from '../torch/states.ts'
import { StorageTable } from '../torch/storage-table.ts'
import { ZipArchive, type ZipEntry } from './zip-archive.ts'

/**
 * Reads the format of torch 1.6 and later: a zip archive with one folder of any name, in which `data.pkl` is
 * the saved object, `data/KEY` the bytes of each storage, and `byteorder` says 'little' or 'big' (little, if
 * it is absent).
 *
 * @throws FormatError
 */
export async function readZipFormat(file: FileBytes): Promise<States> {
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

/** Reads the pickle in the file itself where it is stored, and from memory where it is deflated. */
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
