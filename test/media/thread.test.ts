// A thread is given up for what it computes itself. What others compute at the same time does not count.
import { describe, expect, test } from 'vitest'
import { inThread } from '../../src/media/video-file.ts'

const spin = `
  let x = 0
  for (let i = 0; i < workerData.turns; i++) x = Math.sin(x + i)
  return x
`
const program = `
const { parentPort, workerData } = require('node:worker_threads')
const work = new Function('workerData', workerData.spin)
parentPort.postMessage({})
parentPort.postMessage({ done: typeof work(workerData) })
`

/** Turns that take about this many seconds of a core. */
function turnsFor(seconds: number): number {
  const work = new Function('workerData', spin) as (data: { turns: number }) => number
  const turns = 1e6
  work({ turns })
  const before = process.cpuUsage().user
  work({ turns })
  return Math.round((turns * seconds * 1e6) / (process.cpuUsage().user - before))
}

const limits = (patience: number) => ({ patience, megabytes: 160, hostile: (got: string) => new Error(got) })

// Other systems do not tell how long one thread has computed.
describe.skipIf(process.platform !== 'linux')('threads that compute at the same time', () => {
  test('have their patience each', async () => {
    const data = { spin, turns: turnsFor(0.2) }
    const together = Array.from({ length: 12 }, () => inThread(program, data, limits(1)))
    expect(await Promise.all(together)).toEqual(Array(12).fill('number'))
  })

  test('are given up if they compute for too long', async () => {
    const data = { spin, turns: turnsFor(60) }
    await expect(inThread(program, data, limits(0.5))).rejects.toThrow('no progress within 0.5 s')
  })
})
