/** Argument: a folder of files. Opens each of them, and prints a report. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Attempts, readAll } from './attempt.ts'

const [harmless = '', folder = ''] = process.argv.slice(2)
await readAll(harmless)
const attempts = new Attempts()
for (const name of readdirSync(folder)) {
  await attempts.add(name, join(folder, name))
  globalThis.gc?.()
}
process.stdout.write(JSON.stringify(attempts.report()))
