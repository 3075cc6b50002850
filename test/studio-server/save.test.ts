import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Zippable, zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel } from '../../src/model/open-model.ts'
import type { Studio } from '../../src/server/server.ts'
import { FormatError } from '../../src/util/errors.ts'
import type { RunSummary } from '../../src/web/studio-api.ts'
import { sendRaw } from './raw.ts'
import { makeRun, makeWorld } from './world.ts'

/** A run that a page sends, and archives that are none. */

const world = makeWorld()
const maxUploadBytes = 4 << 20
let studio: Studio
let files: Record<string, Uint8Array>

beforeAll(async () => {
  await makeRun(world.run)
  studio = await world.start({
    save: world.saved,
    maxUploadBytes,
  })
  const names = [
    'config.json',
    'weights.safetensors',
    'metrics.jsonl',
    'env.json',
    'last/checkpoint.safetensors',
  ]
  const all = [...names, 'previews/step-00000003.png']
  files = Object.fromEntries(all.map((name) => [name, new Uint8Array(readFileSync(join(world.run, name)))]))
})
afterAll(() => world.remove())

function put(
  name: string,
  body: NonNullable<RequestInit['body']>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`http://127.0.0.1:${studio.port}/api/runs/${name}`, {
    method: 'PUT',
    body,
    headers: {
      'X-Pantin-Token': studio.token,
      Origin: `http://127.0.0.1:${studio.port}`,
      'Content-Type': 'application/zip',
      // Test and server are one process: what packs an archive for seconds must not meet a connection that idled away.
      Connection: 'close',
      ...headers,
    },
    // A stream needs it.
    ...{ duplex: 'half' },
  })
}

/** config.json of the run, for frames of another size. */
function ofSize(size: number): Uint8Array<ArrayBuffer> {
  const config = JSON.parse(new TextDecoder().decode(files['config.json'])) as { model: object }
  return new TextEncoder().encode(JSON.stringify({ ...config, model: { ...config.model, size } }))
}

const zip = (entries: Zippable) => zipSync(entries, { level: 1 }) as Uint8Array<ArrayBuffer>
const inSaved = () => readdirSync(world.saved).sort()

async function expectRefused(response: Response, status: number, what: RegExp): Promise<void> {
  const { error } = (await response.json()) as { error: { what: string } }
  expect(response.status, error.what).toBe(status)
  expect(error.what).toMatch(what)
  expect(JSON.stringify(error)).not.toContain(world.folder)
}

it('puts a run into the folder, whole, and shows it', async () => {
  const response = await put('mine', zip(files))
  expect(response.status).toBe(201)
  const made = (await response.json()) as RunSummary
  expect(made).toMatchObject({ name: 'mine', state: 'finished', step: 3, hasWeights: true })
  for (const [name, bytes] of Object.entries(files)) {
    expect(readFileSync(join(world.saved, 'mine', name)).equals(bytes), name).toBe(true)
  }
  const list = await fetch(`http://127.0.0.1:${studio.port}/api/runs`, {
    headers: { 'X-Pantin-Token': studio.token, Connection: 'close' },
  })
  expect(await list.json()).toMatchObject({ canSave: true, maxUploadBytes, runs: [{ id: made.id }] })
  const model = await openModel(join(world.saved, 'mine'), { device: 'cpu' })
  expect(model.hasGenerator).toBe(true)
  await model.close()
})

it('takes an archive of the folder itself, too', async () => {
  const inFolder = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`me/${name}`, bytes]))
  expect((await put('nested', zip({ ...inFolder, 'me/last/': new Uint8Array() }))).status).toBe(201)
  expect(readdirSync(join(world.saved, 'nested'))).toContain('weights.safetensors')
})

it('never replaces one', async () => {
  const before = readFileSync(join(world.saved, 'mine', 'weights.safetensors'))
  await expectRefused(await put('mine', zip(files)), 409, /saved already/)
  expect(readFileSync(join(world.saved, 'mine', 'weights.safetensors')).equals(before)).toBe(true)
  symlinkSync(world.folder, join(world.saved, 'link'))
  await expectRefused(await put('link', zip(files)), 409, /saved already/)
  mkdirSync(join(world.saved, 'empty'))
  await expectRefused(await put('empty', zip(files)), 409, /saved already/)
  expect(readdirSync(join(world.saved, 'empty'))).toEqual([])
})

it('lets one of two win who send the same name at once', async () => {
  const answers = await Promise.all([put('twice', zip(files)), put('twice', zip(files))])
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409])
  const more = await Promise.all(['a1', 'a2', 'a3', 'a4'].map((name) => put(name, zip(files))))
  const statuses = new Set(more.map(({ status }) => status))
  expect([...statuses].sort()).toEqual([201, 503])
})

describe('what is no run', () => {
  const leftBefore: string[] = []
  beforeAll(() => {
    leftBefore.push(...inSaved())
  })
  afterAll(() => expect(inSaved()).toEqual(leftBefore))

  it('names in archives are no paths: zip-slip', async () => {
    const slips = [
      '../escaped.json',
      '../../escaped.json',
      'last/../../escaped.json',
      'previews/../../../escaped.json',
      '/tmp/escaped.json',
      '/../../escaped.json',
      '..\\escaped.json',
      'C:\\escaped.json',
      'previews/..\\..\\escaped.png',
      'last/checkpoint.safetensors/../../../escaped.json',
      './config.json',
      'other/config.json',
      'previews/step-00000001.png\0',
      'previews/step-00000001.html',
      '.ssh/authorized_keys',
      'lock',
    ]
    for (const name of slips) {
      const response = await put('slip', zip({ ...files, [name]: new TextEncoder().encode('{}') }))
      await expectRefused(response, 422, /holds a file that no run has/)
    }
    expect(readdirSync(world.folder)).not.toContain('escaped.json')
  })

  it('links in archives are no links', async () => {
    // Made on Unix, as a symbolic link to elsewhere.
    const link: Zippable[string] = [
      new TextEncoder().encode('../../secret.txt'),
      { os: 3, attrs: 0o120777 << 16 },
    ]
    // It becomes a plain file with the link's text, and is not followed.
    await expectRefused(
      await put('linked', zip({ ...files, 'env.json': link })),
      422,
      /description of a machine/,
    )
  })

  it('is refused with what is wrong with it', async () => {
    const {
      'config.json': config,
      'weights.safetensors': weights,
      ...rest
    } = files as Record<string, Uint8Array<ArrayBuffer>>
    const newer = new TextEncoder().encode('{"pantin":{"format":99,"version":"9.0.0"}}')
    const cases: [Uint8Array<ArrayBuffer> | string, RegExp][] = [
      ['no zip', /zip archive is damaged/],
      [new Uint8Array(), /zip archive is damaged/],
      [zip(files).subarray(0, 2000), /zip archive is damaged/],
      [zip({}), /not a run/],
      [zip({ ...rest, 'weights.safetensors': weights! }), /not a run/],
      [zip({ ...rest, 'config.json': config! }), /no weights/],
      [zip({ ...files, 'config.json': newer }), /newer pantin/],
      [zip({ ...files, 'config.json': new TextEncoder().encode('{"a":1}') }), /did not write/],
      [zip({ ...files, 'weights.safetensors': weights!.slice(0, 5000) }), /./],
      [zip({ ...files, 'metrics.jsonl': new TextEncoder().encode('no\nrecords\n') }), /metrics record/],
      [zip({ ...files, 'env.json': new TextEncoder().encode('[]') }), /description of a machine/],
      [zip({ ...files, 'last/checkpoint.safetensors': new TextEncoder().encode('garbage') }), /./],
      [zip({ ...files, 'last/checkpoint.safetensors': weights! }), /not a checkpoint of pantin/],
      [zip({ ...files, 'previews/step-00000001.png': new TextEncoder().encode('garbage') }), /./],
      [zip({ ...files, 'config.json': ofSize(4096) }), /frames of this run are too large/],
    ]
    for (const [body, what] of cases) await expectRefused(await put('bad', body), 422, what)
  })

  it('is refused if its check fails in any way, and the check holds up nobody', async () => {
    let fail = (_: Error): void => {}
    const checked = new Promise<void>((_, reject) => {
      fail = reject
    })
    checked.catch(() => {})
    const other = await world.start({ save: world.saved, maxUploadBytes, examine: () => checked })
    const answer = fetch(`http://127.0.0.1:${other.port}/api/runs/checked`, {
      method: 'PUT',
      body: zip(files),
      headers: {
        'X-Pantin-Token': other.token,
        Origin: `http://127.0.0.1:${other.port}`,
        'Content-Type': 'application/zip',
      },
    })
    for (let i = 0; i < 5; i++) {
      expect((await fetch(`http://127.0.0.1:${other.port}/`)).status).toBe(200)
    }
    fail(new FormatError({ what: 'the model of this run cannot be opened here' }))
    await expectRefused(await answer, 422, /cannot be opened here/)
  })

  it('bombs are refused before they are unpacked', async () => {
    const zeros = new Uint8Array(maxUploadBytes * 2)
    const response = await put('bomb', zip({ ...files, 'env.json': zeros }))
    expect([413, 422]).toContain(response.status)
    const many = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [
        `previews/step-${String(i + 10).padStart(8, '0')}.png`,
        new Uint8Array(500_000),
      ]),
    )
    expect([413, 422]).toContain((await put('bomb', zip({ ...files, ...many }))).status)
  })

  it('is refused as soon as it is too large, with a length or without', async () => {
    const large = new Uint8Array(maxUploadBytes + 1)
    await expectRefused(await put('large', large), 413, /too large/)
    let sent = 0
    const endless = new ReadableStream({
      pull(controller) {
        sent += 1 << 16
        controller.enqueue(new Uint8Array(1 << 16))
      },
    })
    // The server may close the connection before the client has read its answer.
    const answer = await put('endless', endless).catch(() => undefined)
    if (answer !== undefined) await expectRefused(answer, 413, /too large/)
    expect(sent).toBeLessThan(200 << 20)
  })

  it('is refused for its name or type', async () => {
    for (const name of ['a'.repeat(81), 'dot.', 'con', 'NUL', 'aux.json', 'com1', 'LPT9.a.b', 'prn'])
      await expectRefused(await put(name, zip(files)), 400, /name/)
    for (const name of ['.hidden', '-a', '%2e%2e', 'a%2fb', 'a b', 'a:b']) {
      expect([400, 404, 405], name).toContain((await put(name, zip(files))).status)
    }
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x']) {
      await expectRefused(await put('typed', zip(files), { 'Content-Type': type }), 415, /zip/)
    }
  })
})

describe('an upload that does not end', () => {
  let impatient: Studio
  beforeAll(async () => {
    impatient = await world.start({
      ...{ save: world.saved, maxUploadBytes },
      timeouts: { head: 1000, request: 2000, idle: 1500 },
    })
  })

  const head = (length: number) =>
    [
      'PUT /api/runs/slow HTTP/1.1',
      `Host: 127.0.0.1:${impatient.port}`,
      `Origin: http://127.0.0.1:${impatient.port}`,
      `X-Pantin-Token: ${impatient.token}`,
      'Content-Type: application/zip',
      `Content-Length: ${length}`,
      '',
      '',
    ].join('\r\n')

  it('is cut off, and leaves nothing', async () => {
    const began = performance.now()
    const answer = await sendRaw(impatient.port, [head(5000), 'PK'])
    expect(performance.now() - began).toBeLessThan(15_000)
    expect([0, 400, 408]).toContain(answer.status)
    await settled()
  })

  it('whose sender goes away leaves nothing', async () => {
    const controller = new AbortController()
    const body = new ReadableStream({
      pull: () => new Promise((resolve) => setTimeout(resolve, 50)).then(() => controller.abort()),
    })
    const response = fetch(`http://127.0.0.1:${studio.port}/api/runs/gone`, {
      method: 'PUT',
      body,
      signal: controller.signal,
      headers: {
        'X-Pantin-Token': studio.token,
        Origin: `http://127.0.0.1:${studio.port}`,
        'Content-Type': 'application/zip',
      },
      ...{ duplex: 'half' },
    })
    await expect(response).rejects.toThrow()
    await settled()
  })

  async function settled(): Promise<void> {
    await expect.poll(() => inSaved().filter((name) => name.startsWith('.'))).toEqual([])
    expect(inSaved()).not.toContain('slow')
    expect(inSaved()).not.toContain('gone')
  }
})

it('removes what a killed server left, and nothing of one that runs', async () => {
  const dead = join(world.saved, '.upload-999999999-abc')
  const alive = join(world.saved, `.upload-${process.pid}-abc`)
  for (const folder of [dead, alive]) {
    mkdirSync(folder)
    writeFileSync(join(folder, 'run.zip'), 'half')
  }
  await world.start({ save: world.saved })
  expect(inSaved().filter((name) => name.startsWith('.'))).toEqual([`.upload-${process.pid}-abc`])
})
