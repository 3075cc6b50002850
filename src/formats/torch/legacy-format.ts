import { FormatError } from '../../util/errors.ts'
import type { FileBytes } from './file-bytes.ts'
import { Budget, damaged } from './limits.ts'
import { readPickle } from './pickle-machine.ts'
import { PickleReader } from './pickle-reader.ts'
import { collectStates, type States } from './states.ts'
import type { StorageSlice } from './storage.ts'
import { StorageTable } from './storage-table.ts'
import { List, type Value } from './values.ts'

/** What the first pickle of the file must hold. */
const magic = 0x1950a86a20f9469cfc6cn
const version = 1001

/**
 * Reads the format of torch 0.1.10 to 1.5: five pickles (a magic number, a version, facts on the machine, the
 * saved object, the keys of its storages), then each storage as a count of elements in eight bytes and the
 * elements, in the order of the keys. Everything is little-endian on every machine.
 *
 * @throws FormatError
 */
export async function readLegacyFormat(file: FileBytes): Promise<States> {
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
  if (found !== version) refuse(file, 'an unknown version of the format', String(found), `${version}`)
  next('machine', nothingPersistent)

  const table = new StorageTable(file.path)
  const root = next('saved object', (id) => table.find(id))
  const keys = next('storage keys', nothingPersistent)
  const storedBytes = locateStorages(table, keys, file, at)
  return collectStates(root, file.path, storedBytes)
}

/** Finds the place of each storage from byte `at` on. @returns the bytes of all of them. */
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
