// Makes a starter of a trained run: assets/starters/NAME, in half precision and without anything of the training.
//
//   npm run build && node scripts/starters/pack.mjs RUN NAME
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openModel, packRun, starters } from 'pantin'

/** A starter is downloaded with the package and by pages. */
const mostBytes = 3_000_000

const strings = fileURLToPath(new URL('strings.mjs', import.meta.url))
const [run, name] = process.argv.slice(2)
const starter = starters.find((one) => one.name === name)
if (run === undefined || starter === undefined) {
  throw new Error(`usage: pack.mjs RUN NAME, with a NAME of ${starters.map((one) => one.name).join(', ')}`)
}
const model = await openModel(run, { device: 'cpu' })
if (model.config.size !== starter.size || !model.hasGenerator) {
  throw new Error(
    `${name} is a model that animates at ${starter.size}x${starter.size}: see src/run/starters.ts`,
  )
}
await model.close()
const folder = fileURLToPath(new URL(`../../assets/starters/${name}`, import.meta.url))
// They are those of the weights before.
rmSync(join(folder, 'strings.json'), { force: true })
const { bytes, params } = await packRun(run, folder, { force: true })
process.stdout.write(`${folder}: ${params} parameters, ${bytes} bytes\n`)
const { status } = spawnSync(process.execPath, [strings, name], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
if (bytes > mostBytes) throw new Error(`a starter has at most ${mostBytes} bytes`)
