/** Arguments: a folder to work in, a seed, a number of mutants, and files to make them of. Prints a report. */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Random } from '../../../src/util/random.ts'
import { Attempts, readAll } from './attempt.ts'
import { mutantOf, sourceOf } from './mutants.ts'

const [folder = '', seed = '', count = '', ...paths] = process.argv.slice(2)
for (const path of paths) await readAll(path)
const sources = await Promise.all(paths.map((path) => sourceOf(basename(path), readFileSync(path))))
const random = new Random(Number(seed))
const attempts = new Attempts()
/** A few at a time, since most of the time goes into waiting for the file system. */
const together = 5
for (let i = 0; i < Number(count); i += together) {
  const batch = Array.from({ length: together }, (_, k) => {
    const source = sources[(i + k) % sources.length]!
    const path = join(folder, `mutant-${k}.pt`)
    writeFileSync(path, mutantOf(source, random))
    return attempts.add(`mutant ${i + k} of ${source.name}`, path)
  })
  await Promise.all(batch)
}
process.stdout.write(JSON.stringify(attempts.report()))
