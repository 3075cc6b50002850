import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FileBytes } from '../formats/torch/file-bytes.ts'
import { ZipArchive, type ZipEntry } from '../formats/zip/zip-archive.ts'
import { FormatError } from '../util/errors.ts'
import { Refusal } from './refusal.ts'
import { isRunFile } from './run-files.ts'

/**
 * Unpacks the zip of a run folder. Only files that run folders have are written, under the names that they have there,
 * so no name in the archive becomes a path elsewhere.
 *
 * @param into the new folder, which exists and is empty.
 * @throws Refusal (422) for anything else than such an archive, or (413) for more than `maxBytes` inflated.
 */
export async function unpackRun(zip: string, into: string, maxBytes: number): Promise<void> {
  const bytes = await FileBytes.open(zip)
  try {
    const archive = await ZipArchive.open(bytes)
    for (const [path, entry] of runEntries(archive.entries, maxBytes)) {
      const target = join(into, ...path.split('/'))
      await mkdir(dirname(target), { recursive: true })
      const file = await open(target, 'wx')
      try {
        await archive.readAll(entry, (piece) => file.writeFile(piece))
        await file.sync()
      } finally {
        await file.close()
      }
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    const { what, got } = error.problem
    throw new Refusal(422, { what, ...(got !== undefined && { got }), expected: 'the zip of a run folder' })
  } finally {
    await bytes.close()
  }
}

/** The archive's files by their paths in the run folder. Archives may hold the folder, or what is in it. */
function runEntries(entries: ReadonlyMap<string, ZipEntry>, maxBytes: number): Map<string, ZipEntry> {
  const config = [...entries.keys()].find((name) => /^(?:[^/]+\/)?config\.json$/.test(name))
  const prefix = config?.slice(0, -'config.json'.length) ?? ''
  const files = [...entries].filter(([name]) => !isFolder(name, prefix))
  const size = files.reduce((sum, [, entry]) => sum + entry.size, 0)
  if (size > maxBytes) {
    throw new Refusal(413, {
      what: 'this run is too large to be saved here',
      got: `${size} bytes unpacked`,
      expected: `at most ${maxBytes} bytes`,
    })
  }
  return new Map(
    files.map(([name, entry]) => {
      const path = name.startsWith(prefix) ? name.slice(prefix.length) : name
      if (isRunFile(path)) return [path, entry]
      throw new Refusal(422, {
        what: 'the zip holds a file that no run has',
        got: JSON.stringify(name.slice(0, 100)),
        expected: 'config.json, weights.safetensors, metrics.jsonl, env.json, last/ and previews/',
      })
    }),
  )
}

const isFolder = (name: string, prefix: string): boolean =>
  ['', 'last/', 'previews/'].some((folder) => name === prefix + folder && name !== '')
