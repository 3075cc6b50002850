// Trains into a run, without the training: saves one state after the other until it is killed, or as often
// as the third argument says. Usage: node save-loop.mjs <address of run.js> <address of zod> FOLDER [TIMES]
import { writeSync } from 'node:fs'

const [runModule, zodModule, folder, times = 'Infinity'] = process.argv.slice(2)
const { createRun, openRun } = await import(runModule)
const { z } = await import(zodModule)

/** 1 MB in three tensors, every element the step, so that a mixture of two states would be seen. */
const stateOf = (step) =>
  new Map(
    ['weights', 'moment1', 'moment2'].map((name) => [
      name,
      { dtype: 'float32', shape: [87_382], data: new Float32Array(87_382).fill(step) },
    ]),
  )

/** Tells the parent at once: a pipe may hold lines back in a process that is killed. */
const say = (text) => writeSync(1, `${text}\n`)

const run = await openRun(folder, z.object({}), { write: true }).catch((error) => {
  if (!/no such folder|without config.json/.test(error.message)) throw error
  return createRun(folder, { config: {}, version: '0.0.0' })
})
let step = 0
if (await run.hasCheckpoint()) step = (await run.loadCheckpoint()).step
await run.truncateMetrics(step)
say(`from ${step}`)
const last = step + Number(times)
try {
  while (step < last) {
    step++
    run.appendMetrics({ step, loss: 1 / step })
    const tensors = stateOf(step)
    await run.saveCheckpoint({ step, elapsed: step, randomState: [step, 2, 3, 4], tensors })
    await run.saveWeights(new Map([['weights', tensors.get('weights')]]))
    say(`saved ${step}`)
  }
} catch (error) {
  say(`${error.name} ${error.exitCode}: ${error.message}`)
  process.exitCode = error.exitCode
}
