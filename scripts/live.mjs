// Makes a heavy model live: distils the whole of it into a light one, trains this one further on the true frames, and compares
// the frames per second of both, and their pictures on clips that neither has seen. A run that is there is gone on with.
//
//   npm run build
//   node scripts/live.mjs TEACHER --train a.mp4 --train b.mp4 --test c.mp4 --out runs/live --minutes 20 --fine 20
//
// TEACHER is a run folder, such as `pantin import vox-cpk.pth.tar --net hourglass` makes.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { distil, evaluate, openModel, train } from 'pantin'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    train: { type: 'string', multiple: true },
    test: { type: 'string', multiple: true },
    out: { type: 'string', default: 'runs/live' },
    net: { type: 'string' },
    minutes: { type: 'string', default: '20' },
    fine: { type: 'string', default: '20' },
    variants: { type: 'string', default: '3' },
    batch: { type: 'string', default: '8' },
  },
})
const [teacher] = positionals
if (teacher === undefined || !values.train || !values.test) {
  throw new Error('usage: node scripts/live.mjs TEACHER --train CLIP --test CLIP [--train CLIP]...')
}

const say = (text) => process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`)
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort(new Error('stopped')))

/** A run, finished or gone on with. */
async function stage(name, make) {
  const out = join(values.out, name)
  const resume = existsSync(join(out, 'config.json'))
  let said = 0
  const onEvent = (event) => {
    if (event.kind === 'preview') say(`${name}: ${JSON.stringify(event.measures)}`)
    if (performance.now() - said < 30_000) return
    if (event.kind === 'step') say(`${name}: step ${event.step}, loss ${event.loss.toFixed(4)}`)
    else if (event.done !== undefined) say(`${name}: ${event.kind} ${event.done} of ${event.total}`)
    else return
    said = performance.now()
  }
  const run = await make({
    out,
    signal: stop.signal,
    onEvent,
    cache: join(values.out, 'cache'),
    ...(resume && { resume }),
  })
  if (run.interrupted) process.exit(1)
  say(`${name}: ${run.steps} steps in ${Math.round(run.seconds)} s`)
  return run.path
}

const light = await stage('distilled', (common) =>
  distil(values.train, {
    ...common,
    ...{ teacher, what: 'model', minutes: Number(values.minutes) },
    ...{ variants: Number(values.variants), batch: Number(values.batch) },
    ...(values.net && { net: values.net }),
  }),
)
const fine =
  Number(values.fine) > 0
    ? await stage('fine', (common) =>
        train(values.train, { ...common, from: light, minutes: Number(values.fine) }),
      )
    : undefined

const names = { teacher, distilled: light, ...(fine && { fine }) }
const models = Object.entries(names)
const times = await timed(models)
const rows = {}
for (const [name, path] of models) {
  const { psnr, l1, ssim, still } = await evaluate(path, values.test, { from: 0, signal: stop.signal })
  rows[name] = {
    'frames/s': Number((1000 / times[name].wall).toFixed(1)),
    'ms of processor time per frame': Number(times[name].cpu.toFixed(1)),
    'PSNR dB': Number(psnr.toFixed(2)),
    'PSNR of the still picture': Number(still.psnr.toFixed(2)),
    L1: Number(l1.toFixed(4)),
    SSIM: Number(ssim.toFixed(3)),
  }
}
for (const [name, row] of Object.entries(rows)) say(`${name}: ${JSON.stringify(row)}`)

/** Median times of keypoints and picture for one frame, in milliseconds, models in turn. */
async function timed(models) {
  const opened = []
  for (const [name, path] of models) opened.push([name, await openModel(path, { device: 'cpu' })])
  const { size } = opened[0][1].config
  const frame = new Uint8Array(size * size * 3).map((_, i) => (i * 7919) % 256)
  const times = Object.fromEntries(models.map(([name]) => [name, { wall: [], cpu: [] }]))
  const sources = new Map()
  for (const [name, model] of opened) {
    sources.set(name, { picture: await model.encode(frame), points: await model.detect(frame) })
  }
  for (let round = 0; round < 25; round++) {
    for (const [name, model] of opened) {
      const { picture, points } = sources.get(name)
      const [began, used] = [performance.now(), process.cpuUsage()]
      await model.generate(picture, points, await model.detect(frame))
      times[name].wall.push(performance.now() - began)
      const { user, system } = process.cpuUsage(used)
      times[name].cpu.push((user + system) / 1000)
    }
  }
  for (const [, model] of opened) await model.close()
  const median = (all) => all.sort((a, b) => a - b)[all.length >> 1]
  return Object.fromEntries(
    Object.entries(times).map(([name, { wall, cpu }]) => [name, { wall: median(wall), cpu: median(cpu) }]),
  )
}
