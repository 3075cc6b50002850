import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { assetFiles, runtimeFiles } from '../../src/server/send-file.ts'
import type { Studio } from '../../src/server/server.ts'
import { request } from './raw.ts'
import { makeWorld } from './world.ts'

/** Pages, scripts and onnxruntime-web's files. */

const world = makeWorld()
let studio: Studio
let port: number

beforeAll(async () => {
  studio = await world.start()
  port = studio.port
})
afterAll(() => world.remove())

const get = (path: string, ...headers: string[]) =>
  request(port, `GET ${path}`, [`Host: localhost:${port}`, ...headers])

it('serves the page at its root, and files under their types', async () => {
  expect((await get('/')).body).toContain('<title>studio</title>')
  expect((await get('/index.html')).body).toContain('<title>studio</title>')
  expect((await get('/worker.js')).headers['content-type']).toBe('text/javascript; charset=utf-8')
  // A link that stays in the folder.
  expect((await get('/inside.js')).body).toContain('postMessage')
  expect((await get('/nothing.js')).status).toBe(404)
})

it('lets browsers keep files whose names change with them, and ask for others', async () => {
  expect((await get('/assets/app-1a2b.js')).headers['cache-control']).toContain('immutable')
  const first = await get('/worker.js')
  expect(first.headers['cache-control']).toBe('no-cache')
  const tag = first.headers.etag!
  const again = await get('/worker.js', `If-None-Match: "other", ${tag}`)
  expect(again).toMatchObject({ status: 304, body: '' })
  writeFileSync(join(world.site, 'worker.js'), 'self.postMessage(22)')
  expect((await get('/worker.js', `If-None-Match: ${tag}`)).status).toBe(200)
})

it('sends compressed forms to those who take them', async () => {
  const coded = async (accept: string) => {
    const { headers, body } = await get('/assets/app-1a2b.js', `Accept-Encoding: ${accept}`)
    return { encoding: headers['content-encoding'], type: headers['content-type'], vary: headers.vary, body }
  }
  const type = 'text/javascript; charset=utf-8'
  const vary = 'Accept-Encoding'
  expect(await coded('gzip, deflate, br')).toEqual({ encoding: 'br', type, vary, body: 'packed with brotli' })
  expect(await coded('gzip;q=0.5, br;q=0')).toEqual({
    encoding: 'gzip',
    type,
    vary,
    body: 'packed with gzip',
  })
  expect(await coded('identity')).toEqual({ encoding: undefined, type, vary, body: 'console.log(1)' })
})

it('serves the files of onnxruntime-web that pages load, whole, and no others', async () => {
  const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'))
  for (const name of runtimeFiles) {
    const file = join(folder, name)
    expect(existsSync(file), name).toBe(true)
    const { status, headers } = await request(port, `HEAD /ort/${name}`, [`Host: localhost:${port}`])
    expect({ status, length: Number(headers['content-length']) }, name).toEqual({
      status: 200,
      length: readFileSync(file).length,
    })
  }
  const wasm = await get('/ort/ort-wasm-simd-threaded.wasm')
  expect(wasm.headers['content-type']).toBe('application/wasm')
  expect(wasm.body).toHaveLength(readFileSync(join(folder, 'ort-wasm-simd-threaded.wasm')).length)
  for (const name of ['ort.node.min.mjs', 'ort.all.js', '../package.json', 'package.json', '']) {
    expect([400, 404], name).toContain((await get(`/ort/${name}`)).status)
  }
})

it('serves the starters and the shapes of heads, whole, and nothing else of the assets', async () => {
  expect(assetFiles.length).toBeGreaterThanOrEqual(7)
  for (const name of assetFiles) {
    const { status, headers } = await request(port, `HEAD /pantin/${name}`, [`Host: localhost:${port}`])
    expect({ status, length: Number(headers['content-length']) }, name).toEqual({
      status: 200,
      length: readFileSync(join('assets', name)).length,
    })
    expect(headers['cache-control']).toBe('no-cache')
  }
  const config = await get('/pantin/starters/face/config.json')
  expect(JSON.parse(config.body)).toMatchObject({ model: { size: 256 } })
  for (const name of ['README.md', '../package.json', 'starters', 'starters/face', 'starters/face/', '']) {
    expect([400, 404], name).toContain((await get(`/pantin/${name}`)).status)
  }
})

it.runIf(existsSync('/proc/self/fd'))('keeps no file open for those who go away', async () => {
  const path = '/ort/ort-wasm-simd-threaded.asyncify.wasm'
  const head = `GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`
  for (let i = 0; i < 10; i++) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(head))
      socket.on('error', reject)
      socket.once('data', () => {
        socket.destroy()
        resolve()
      })
    })
    await request(port, `HEAD ${path}`, [`Host: localhost:${port}`])
  }
  const open = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith('.wasm')
      } catch {
        return false
      }
    })
  await expect.poll(open, { timeout: 5000 }).toEqual([])
})

it('knows each build’s own WebAssembly', () => {
  const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'))
  for (const entry of ['ort.wasm.min.mjs', 'ort.webgpu.min.mjs']) {
    const named = readFileSync(join(folder, entry), 'utf8').match(/ort-wasm-simd[\w.-]*\.mjs/)![0]
    expect(runtimeFiles).toContain(named)
    expect(runtimeFiles).toContain(named.replace('.mjs', '.wasm'))
  }
})

it('says that the pages are not built, where they are not', async () => {
  await expect(world.start({ site: world.saved })).rejects.toThrow(/EnvironmentError|npm run build/)
})

it('says what is wrong with a port or host', async () => {
  await expect(world.start({ port })).rejects.toThrow(/the port is in use[\s\S]*--port 0/)
  await expect(world.start({ host: '192.0.2.1' })).rejects.toThrow(
    /the host is not an address of this machine/,
  )
})
