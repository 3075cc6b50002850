import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compile } from './support/compile.ts'

/** The examples run as they stand, on the sources as they are now. */

test('a graph of one’s own is counted, run and written', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-examples-'))
  const compiled = compile('src/index.ts')
  try {
    const code = readFileSync('examples/own-graph.mjs', 'utf8')
    const script = join(folder, 'own-graph.mjs')
    writeFileSync(script, code.replace("'pantin'", JSON.stringify(compiled.url('src/index.ts'))))
    const child = spawnSync(process.execPath, [script], { cwd: folder, encoding: 'utf8', timeout: 55_000 })
    expect(child.stderr).toBe('')
    const [cost, result] = child.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(cost).toMatchObject({ params: expect.any(Number), macs: expect.any(Number) })
    expect(result).toEqual({ maps: [1, 10, 32, 32] })
    expect(statSync(join(folder, 'own-network.onnx')).size).toBeGreaterThan(10_000)
  } finally {
    compiled.remove()
    rmSync(folder, { recursive: true, force: true })
  }
})

test('the server of the example page answers to its own names alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-examples-'))
  const child = spawn(process.execPath, ['examples/live-keypoints/serve.mjs', folder])
  try {
    const [address] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
    const { port } = new URL(address)
    const statusFor = async (host: string) => {
      const asked = get({ host: '127.0.0.1', port, headers: { host } })
      const [response] = (await once(asked, 'response')) as [IncomingMessage]
      response.resume()
      return response.statusCode
    }
    for (const host of ['localhost', '127.0.0.1']) expect(await statusFor(`${host}:${port}`)).toBe(200)
    for (const host of [`evil.example:${port}`, 'localhost', `localhost.evil.example:${port}`]) {
      expect(await statusFor(host), host).toBe(403)
    }
  } finally {
    child.kill()
    rmSync(folder, { recursive: true, force: true })
  }
})
