// A zip cannot fill the memory of the page that opens it, whatever it says about its sizes.
import { expect, test } from 'vitest'
import { openRun } from '../../src/web/run.ts'

const bytes = (value: number, count: number) => {
  const written = Buffer.alloc(count)
  written.writeUIntLE(value, 0, count)
  return written
}
const words = (...values: readonly number[]) => Buffer.concat(values.map((value) => bytes(value, 2)))
const long = (...values: readonly number[]) => Buffer.concat(values.map((value) => bytes(value, 4)))

/** A zip whose entries are all the same stored bytes, and say that they have none unpacked. */
function overlapping(entries: number, stored: number): Blob {
  const data = Buffer.alloc(stored)
  const local = Buffer.concat([
    ...[long(0x04034b50), words(20, 0, 0), long(0, 0), long(stored, 0), words(1, 0)],
    ...[Buffer.from('x'), data],
  ])
  const central = Array.from({ length: entries }, (_, i) => {
    const name = Buffer.from(`run/previews/step-${String(i).padStart(8, '0')}.png`)
    const facts = [
      words(20, 20, 0, 0),
      long(0, 0),
      long(stored, 0),
      words(name.length, 0, 0, 0, 0),
      long(0, 0),
    ]
    return Buffer.concat([long(0x02014b50), ...facts, name])
  })
  const all = Buffer.concat(central)
  const end = [long(0x06054b50), words(0, 0, entries, entries), long(all.length, local.length), words(0)]
  return new Blob([local, all, ...end])
}

test('entries that say they have no bytes count with the bytes that are stored', async () => {
  await expect(openRun(overlapping(1100, 2 ** 20))).rejects.toThrow(/too large for a page/)
})
