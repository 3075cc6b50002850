// 200 connections at once, while some clients stall: how long the studio's server, a process of its own, takes to answer.
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeRun, studioSite } from '../support/shared.ts'
import { addressIn, type Commands, compileCommands, tokenOf } from './process.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-load-'))
let commands: Commands
let address: URL
let paths: string[]
const stalled: Socket[] = []

beforeAll(async () => {
  const site = await studioSite()
  commands = compileCommands(site)
  for (const name of ['one', 'two', 'three']) await makeRun(join(folder, name))
  const studio = commands.start(['studio', folder, '--port', '0'])
  address = addressIn(await studio.line)
  const page = await (await fetch(address)).text()
  const script = /src="\.?(\/[^"]+\.js)"/.exec(page)![1]!
  const listing = await fetch(new URL('/api/runs', address), {
    headers: { 'X-Pantin-Token': tokenOf(address) },
  })
  const { runs } = (await listing.json()) as { runs: { id: string }[] }
  paths = ['/', script, '/api/runs', `/api/runs/${runs[0]!.id}/files/weights.safetensors`]
})
afterAll(() => {
  for (const socket of stalled) socket.destroy()
  commands?.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Clients that begin something and do not go on: half of a request's head, a body that does not come, an answer not read. */
function stall(): void {
  const host = `Host: ${address.host}\r\n`
  const token = `X-Pantin-Token: ${tokenOf(address)}\r\n`
  const begun = [
    `GET / HTTP/1.1\r\n${host}`,
    `PUT /api/runs/never HTTP/1.1\r\n${host}${token}Origin: ${address.origin}\r\nContent-Length: 100000\r\n\r\n{`,
    `GET ${paths[3]} HTTP/1.1\r\n${host}${token}\r\n`.repeat(500),
  ]
  for (const bytes of begun) {
    const socket = connect(Number(address.port), '127.0.0.1')
    socket.on('error', () => {})
    socket.pause()
    socket.write(bytes)
    stalled.push(socket)
  }
}

/** Milliseconds that one request takes, from its start until the last byte of its answer. */
function answer(agent: Agent, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const begin = performance.now()
    const asked = request(
      new URL(path, address),
      { agent, headers: { 'X-Pantin-Token': tokenOf(address) } },
      (answered) => {
        answered.resume()
        answered.on('error', reject)
        answered.on('end', () => {
          if (answered.statusCode === 200) resolve(performance.now() - begin)
          else reject(new Error(`${path}: ${answered.statusCode}`))
        })
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}

const clients = 200
/** Requests that each client makes, and the mean time between two of them, in milliseconds. */
const [each, pause] = [8, 500]

/** Every client keeps its connection, and waits a while before each request, as people and pages do. */
async function round(): Promise<number[]> {
  const times: number[] = []
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      for (let i = 0; i < each; i++) {
        await wait(2 * pause * Math.random())
        times.push(await answer(agent, paths[(client + i) % paths.length]!))
      }
      agent.destroy()
    }),
  )
  return times.sort((a, b) => a - b)
}

test('200 connections are answered within 300 ms (99 of 100 answers) while other clients stall', async () => {
  stall()
  const rounds: number[] = []
  // Another program may hold a core for a while.
  for (let i = 0; i < 3 && !rounds.some((p99) => p99 < 300); i++) {
    const times = await round()
    expect(times).toHaveLength(clients * each)
    const part = (p: number) => times[Math.floor(p * times.length)]!
    rounds.push(part(0.99))
    // biome-ignore lint/suspicious/noConsole: the figure that is claimed
    console.log(`${times.length} answers: median ${part(0.5).toFixed(1)} ms, p99 ${part(0.99).toFixed(1)} ms`)
  }
  expect(Math.min(...rounds)).toBeLessThan(300)
  // The clients that stall are still connected: it is beside them that the others were answered.
  expect(stalled.filter((socket) => !socket.destroyed)).toHaveLength(3)
})
