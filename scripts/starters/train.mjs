// Trains the starters from synthetic clips alone, and packs them into assets/starters. It takes hours, and goes on where it
// was stopped: frames, checkpoints and finished stages are kept in a folder.
//
// `faces` stands for the networks that find faces (scripts/faces).
//
//   npm run starters -- [NAME...] [--folder starters-work]

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { starters, train } from 'pantin'
import { recipes } from './recipes.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { folder: { type: 'string', default: 'starters-work' } },
})
const faces = 'faces'
const names = positionals.length > 0 ? positionals : [faces, ...Object.keys(recipes)]
for (const name of names) {
  if (recipes[name] === undefined && name !== faces) {
    const known = [faces, ...starters.map((one) => one.name)].join(', ')
    throw new Error(`there is no starter "${name}": ${known}`)
  }
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort(new Error('stopped')))

const say = (text) => process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`)
const folderOf = (stage) => join(values.folder, stage.replace('/', '-'))

/** The run that a stage begins with: the end of another stage, with more keypoints if it is widened. */
function beginningOf({ from, widened }, stage) {
  if (!widened) return resultOf(from)
  const wide = `${folderOf(stage)}-wide`
  if (!existsSync(join(wide, 'weights.safetensors'))) run('more-keypoints.mjs', resultOf(from), wide, widened)
  return wide
}

/** The run that a stage ends with: its own, or what other scripts make of it, each once. */
function resultOf(stage) {
  const [name, own] = stage.split('/')
  const recipe = recipes[name].find((one) => one.name === own)
  const { part, fresh, painted, mixed } = recipe
  let result = folderOf(stage)
  const made = (suffix, script, argumentsFor) => {
    const out = `${result}-${suffix}`
    if (!existsSync(join(out, 'weights.safetensors'))) run(script, ...argumentsFor(result, out))
    result = out
  }
  if (part !== undefined) {
    const more = fresh ? [fresh] : []
    made('mean', 'mean.mjs', (from, out) => [beginningOf(recipe, stage), from, String(part), out, ...more])
  }
  if (painted) made('painted', 'paint-mouth.mjs', (from, out) => [from, out])
  if (mixed) made('mixed', 'mix.mjs', (from, out) => [from, out, String(mixed)])
  return result
}

/** Steps that a stage has, 0 if it was never begun. */
function stepsOf(stage) {
  const path = join(folderOf(stage), 'metrics.jsonl')
  if (!existsSync(path)) return 0
  return Math.max(
    0,
    ...readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).step),
  )
}

async function runStage(name, recipe) {
  const { name: own, from, clips, options } = recipe
  const stage = `${name}/${own}`
  if (stepsOf(stage) >= options.steps) return say(`${stage} is finished`)
  const resume = existsSync(join(folderOf(stage), 'last', 'checkpoint.safetensors'))
  say(`${stage}: ${clips.length} clips, ${options.steps} steps${resume ? ', from the last checkpoint' : ''}`)
  const run = await train(clips, {
    ...options,
    ...(resume ? { resume } : { force: true }),
    ...(from !== undefined && { init: beginningOf(recipe, stage) }),
    ...{ out: folderOf(stage), cache: join(values.folder, 'frames'), signal: stop.signal },
    onEvent(event) {
      if (event.kind === 'decode' && event.done % 500 === 0) say(`frames: ${event.done} of ${event.total}`)
      if (event.kind !== 'step' || event.step % 50 !== 0) return
      const terms = Object.entries(event.terms).filter(([, value]) => value !== 0)
      const shown = terms.map(([term, value]) => `${term} ${value.toFixed(3)}`).join(', ')
      say(`${stage}: step ${event.step}, ${event.rate.toFixed(2)} per second, ${shown}`)
    },
  })
  if (!run.interrupted) return
  say(`${stage} was stopped at step ${run.steps}; the same command goes on`)
  process.exit(130)
}

/** Runs a stage, of any starter, after all stages that it begins with. */
async function finish(stage) {
  const [name, own] = stage.split('/')
  const recipe = recipes[name].find((one) => one.name === own)
  if (recipe.from !== undefined) await finish(recipe.from)
  await runStage(name, recipe)
}

/** Runs another script of this folder's neighbours to its end. */
function run(script, ...args) {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const { status } = spawnSync(process.execPath, [path, ...args], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

for (const name of names) {
  if (name === faces) {
    run('../faces/run.mjs', join(values.folder, faces))
    continue
  }
  const last = `${name}/${recipes[name].at(-1).name}`
  await finish(last)
  run('pack.mjs', resultOf(last), name)
}
