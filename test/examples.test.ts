import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
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

/** The network's file, so that it imports pantin from `compiled`; and the compiled command line of the same modules. */
function ownNetwork() {
  const compiled = compile('src/cli/main.ts', 'src/index.ts')
  const folder = mkdtempSync(join(tmpdir(), 'pantin-examples-'))
  const place = (name: string) => {
    const path = join(folder, name)
    const code = readFileSync(join('examples', name), 'utf8')
    writeFileSync(path, code.replace("'pantin'", JSON.stringify(compiled.url('src/index.ts'))))
    return path
  }
  const node = (...args: string[]) => {
    const child = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: 200_000 })
    return { ...child, json: () => JSON.parse(child.stdout) as Record<string, unknown> }
  }
  const remove = () => {
    compiled.remove()
    rmSync(folder, { recursive: true, force: true })
  }
  return { folder, place, node, main: new URL(compiled.url('src/cli/main.ts')).pathname, remove }
}

test('a network of one’s own is trained, distilled, compared and exported by library', {
  timeout: 250_000,
}, () => {
  const { folder, place, node, remove } = ownNetwork()
  try {
    place('own-network.mjs')
    const done = node(place('train-own-network.mjs'), 'runs', '2')
    expect(done.stderr).toBe('')
    const { name, costs, outputs } = done.json() as { name: string; costs: object[]; outputs: object }
    expect(name).toBe('my-net')
    expect(costs).toContainEqual({ net: 'my-net', as: 'detector', params: 84_920 })
    expect(outputs).toEqual({ value: [1, 10, 2], jacobian: [1, 10, 2, 2] })
    const config = JSON.parse(readFileSync(join(folder, 'runs/student/config.json'), 'utf8')) as object
    expect(config).toMatchObject({ model: { net: 'my-net', plugin: 'own-network.mjs' } })
    expect(statSync(join(folder, 'runs/detector.onnx')).size).toBeGreaterThan(100_000)
  } finally {
    remove()
  }
})

test('and by command, in the processes of a study too', { timeout: 400_000 }, () => {
  const { folder, place, node, main, remove } = ownNetwork()
  try {
    const plugin = ['--plugin', place('own-network.mjs')]
    const pantin = (...args: string[]) => node(main, ...args, '--json', '--quiet')
    const clip = 'puppet:3,frames=8,size=64'
    const brief = ['--net', 'my-net', '--steps', '1', '--batch', '1', '--device', 'cpu', ...plugin]

    expect(pantin('train', clip, '-o', 'trained', ...brief).json()).toMatchObject({ steps: 1 })
    const student = ['-t', 'trained', '-o', 'student', '--variants', '0']
    expect(pantin('distil', clip, ...student, ...brief).json()).toMatchObject({ steps: 1 })
    const compared = pantin(
      'compare',
      '--nets',
      'my-net',
      '--as',
      'detector',
      '--no-latency',
      ...plugin,
    ).json()
    expect(compared).toMatchObject({ rows: [{ net: 'my-net', params: 84_920 }] })
    const tried = pantin(
      ...['study', clip, '-o', 'study', '--nets', 'my-net', '--skips', 'all', '--seeds', '1', '--steps', '1'],
      ...['--batch', '1', '--device', 'cpu', '--no-latency', ...plugin],
    )
    expect(tried.status, tried.stdout).toBe(0)
    expect(tried.json()).toMatchObject({ unfinished: 0 })
    expect(pantin('export', 'student', '-o', 'a.onnx', ...plugin).json()).toMatchObject({ part: 'detector' })

    // A run folder loads nothing by itself: it says which file its network is from.
    const alone = pantin('export', 'student', '-o', 'b.onnx')
    expect(alone.status).toBe(2)
    expect(alone.json()).toMatchObject({
      error: { remedy: expect.stringContaining('--plugin own-network.mjs') },
    })
    expect(existsSync(join(folder, 'b.onnx'))).toBe(false)
  } finally {
    remove()
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
