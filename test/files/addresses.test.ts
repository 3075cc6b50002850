/** Addresses instead of paths, and files that name addresses: all are refused or read as they are, and nothing is connected to. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { openClip, readSource } from '../../src/clips/source.ts'
import { openCheckpoint } from '../../src/convert/open-checkpoint.ts'
import { addressError } from '../../src/files/file-errors.ts'
import { readOnnxFile } from '../../src/model/onnx-file.ts'
import { loadPlugin } from '../../src/model/plugin.ts'
import { PantinError } from '../../src/util/errors.ts'
import { runHere } from '../cli/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-addresses-'))
const before = process.cwd()
let server: Server
let port: number
/** Connections that reached the server. */
let reached = 0
/** Sockets that this process opened to anywhere. */
let opened = 0
const count = () => {
  opened++
}

beforeAll(async () => {
  server = createServer((socket) => {
    reached++
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  port = (server.address() as AddressInfo).port
  subscribe('net.client.socket', count)
  // What would be written under a relative path is seen here.
  process.chdir(folder)
})
afterEach(() => {
  expect([reached, opened]).toEqual([0, 0])
  reached = 0
  opened = 0
})
afterAll(() => {
  process.chdir(before)
  unsubscribe('net.client.socket', count)
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Of the local port by every name of this machine, of private and link-local machines, with secrets, and of other kinds. */
const addresses = (): readonly string[] => [
  ...['127.0.0.1', 'localhost', '[::1]', '0.0.0.0', '2130706433', '127.1', '[::ffff:127.0.0.1]'].map(
    (host) => `http://${host}:${port}/x`,
  ),
  `http://someone:hunter2@127.0.0.1:${port}/x`,
  `https://127.0.0.1:${port}/x?token=hunter2`,
  `HTTP://127.0.0.1:${port}/x#hunter2`,
  ...[
    'http://169.254.169.254/latest/meta-data',
    'http://[fe80::1]/x',
    'http://10.0.0.1/x',
    'http://192.168.0.1/x',
  ],
  ...[`ftp://127.0.0.1:${port}/x`, `rtsp://127.0.0.1:${port}/x`, 's3://bucket/x', 'file:///etc/passwd'],
]

const refusal = /this is an address, and pantin reads and writes files alone/

it('refuses an address as a clip, a picture, a checkpoint, a model and a plugin, in plain words', async () => {
  for (const address of addresses()) {
    const readers: Record<string, () => Promise<unknown>> = {
      clip: () => openClip(`${address}.mp4`),
      picture: () => readSource(`${address}.png`),
      checkpoint: () => openCheckpoint(`${address}.pth`),
      safetensors: () => openCheckpoint(`${address}.safetensors`),
      onnx: () => readOnnxFile(`${address}.onnx`),
      plugin: () => loadPlugin(`${address}.mjs`),
    }
    for (const [what, read] of Object.entries(readers)) {
      const error = await read().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error, `${what} ${address}`).toBeInstanceOf(PantinError)
      expect((error as Error).message, `${what} ${address}`).toMatch(refusal)
      expect((error as Error).message, `${what} ${address}`).not.toContain('hunter2')
    }
  }
})

const puppet = 'puppet:1,frames=2,size=64'
it.each<[string, (address: string) => string[]]>([
  ['animate: a picture', (at) => ['animate', 'face-small', '-s', `${at}.png`, '-d', puppet, '-o', 'a.mp4']],
  ['animate: a video', (at) => ['animate', 'face-small', '-s', puppet, '-d', `${at}.mp4`, '-o', 'a.mp4']],
  ['animate: a model', (at) => ['animate', at, '-s', puppet, '-d', puppet, '-o', 'a.mp4']],
  ['animate: a result', (at) => ['animate', 'face-small', '-s', puppet, '-d', puppet, '-o', `${at}.mp4`]],
  ['track: a video', (at) => ['track', 'face-small', `${at}.mp4`, '-o', 'a.csv']],
  ['train: a clip', (at) => ['train', `${at}.mp4`, '-o', 'run', '--steps', '1']],
  ['train: a run', (at) => ['train', 'puppet:1,frames=8,size=64', '-o', at, '--steps', '1']],
  ['eval: a video', (at) => ['eval', 'face-small', `${at}.mp4`]],
  ['info: a video', (at) => ['info', `${at}.mp4`]],
  ['info: a model', (at) => ['info', `${at}.onnx`]],
  ['import: a checkpoint', (at) => ['import', `${at}.pth`, '--net', 'lednet', '-o', 'net']],
  ['export: a run', (at) => ['export', at, '-o', 'a.onnx']],
])('the command line refuses it too: %s', async (_, args) => {
  const { code, stdout, stderr } = await runHere(...args(`http://someone:hunter2@127.0.0.1:${port}/x`))
  expect(stderr).toMatch(refusal)
  expect(stderr).toMatch(/remedy:/)
  expect(code).toBe(2)
  expect(stdout + stderr).not.toContain('hunter2')
  expect(readdirSync(folder).filter((name) => /^(http|run|net|a\.)/.test(name))).toEqual([])
})

it('takes no path for an address', async () => {
  for (const path of [
    'C:\\clips\\a.mp4',
    'clips/a.mp4',
    'notes: x/a.mp4',
    'puppet:3',
    'https.mp4',
    '/a/ftp/x',
  ]) {
    expect(addressError(path), path).toBeUndefined()
  }
})

it('connects to no address that a file names', async () => {
  const address = `http://127.0.0.1:${port}/x`
  const files: Record<string, string> = {
    'list.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${address}.ts\n#EXT-X-ENDLIST\n`,
    'list.mp4': `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${address}.ts\n#EXT-X-ENDLIST\n`,
    'list.ffconcat': `ffconcat version 1.0\nfile ${address}.mp4\n`,
    'stream.sdp': `v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video ${port} RTP/AVP 96\na=rtpmap:96 H264/90000\n`,
    'manifest.mpd': `<?xml version="1.0"?><MPD><BaseURL>${address}</BaseURL></MPD>`,
    'picture.svg': `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9"><image width="9" height="9" href="${address}.png" xlink:href="${address}.png"/></svg>`,
  }
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name)
    writeFileSync(path, text)
    const mayFail = (error: unknown) => expect(error, name).toBeInstanceOf(PantinError)
    await readSource(path).catch(mayFail)
    await openClip(path, { pictures: true }).then((clip) => clip.close(), mayFail)
  }
  // A run whose files are links of the web: its configuration names no file at all.
  const run = join(folder, 'starter')
  mkdirSync(run)
  cpSync(join(before, 'assets/starters/face-small/config.json'), join(run, 'config.json'))
  writeFileSync(join(run, 'weights.safetensors'), address)
  const { code } = await runHere('track', 'starter', puppet, '-o', 'b.csv')
  expect(code).toBe(2)
})

it('counts a connection if there is one', async () => {
  await new Promise<void>((resolve) => {
    connect(port, '127.0.0.1')
      .on('error', () => {})
      .on('close', () => resolve())
  })
  expect([reached, opened]).toEqual([1, 1])
  reached = 0
  opened = 0
})
