import { writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Studio } from '../../src/server/server.ts'
import { type RawAnswer, request, sendRaw } from './raw.ts'
import { makeRun, makeWorld } from './world.ts'

/** Hostile requests on a real server, written to its socket as they are. */

const world = makeWorld()
let studio: Studio
let port: number
let host: string

beforeAll(async () => {
  await makeRun(world.run)
  studio = await world.start({ runs: [world.run] })
  port = studio.port
  host = `Host: 127.0.0.1:${port}`
})
afterAll(() => world.remove())

function expectRefused(answer: RawAnswer, status: number, what: string): void {
  expect(answer.status, `${what}: ${answer.body}`).toBe(status)
  expect(answer.body, what).not.toContain(world.secret)
  const { error } = JSON.parse(answer.body) as { error: { what: string } }
  expect(error.what, what).toMatch(/\w{3}/)
}

it('answers its own page, so that what follows is refused for what it is', async () => {
  const answer = await request(port, 'GET /')
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } })
})

it('refuses other names in Host: DNS rebinding', async () => {
  for (const name of ['evil.example', `evil.example:${port}`, '127.0.0.1', `localhost:${port + 1}`, '']) {
    for (const path of ['/', '/worker.js', '/api/runs']) {
      const answer = await request(port, `GET ${path}`, [`Host: ${name}`, `X-Pantin-Token: ${studio.token}`])
      expectRefused(answer, 403, `${name} ${path}`)
    }
  }
  expectRefused(await request(port, 'GET /', [host, 'Host: evil.example']), 403, 'two hosts')
  expect((await sendRaw(port, ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n'])).status).toBe(400)
  // HTTP/1.0 needs no Host, and gets no page.
  expectRefused(await sendRaw(port, ['GET / HTTP/1.0\r\n\r\n']), 403, 'no host')
  const absolute = await request(port, `GET http://evil.example/`, [host])
  expectRefused(absolute, 400, 'absolute form')
})

it('refuses null and foreign origins, even with the token', async () => {
  for (const origin of [
    'null',
    'http://evil.example',
    `http://localhost:${port}`,
    `https://127.0.0.1:${port}`,
  ]) {
    for (const line of ['GET /', 'GET /api/runs', 'PUT /api/runs/me', 'OPTIONS /api/runs']) {
      const headers = [host, `Origin: ${origin}`, `X-Pantin-Token: ${studio.token}`]
      const answer = await request(port, line, headers)
      expectRefused(answer, 403, `${origin} ${line}`)
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    }
  }
})

it('refuses writes without an origin, and WebSockets from anywhere', async () => {
  const token = `X-Pantin-Token: ${studio.token}`
  expectRefused(await request(port, 'PUT /api/runs/me', [host, token]), 403, 'no origin')
  const upgrade = [
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  ]
  for (const origin of ['http://evil.example', 'null']) {
    const answer = await request(port, 'GET /', [host, `Origin: ${origin}`, ...upgrade])
    expectRefused(answer, 403, `WebSocket from ${origin}`)
  }
  expect((await request(port, 'GET /', [host, ...upgrade])).status).not.toBe(101)
})

describe('the token', () => {
  const addresses = [
    '/api/runs',
    '/api/runs/x',
    '/api/runs/x/metrics',
    '/api/runs/x/files/config.json',
    '/api/x',
  ]

  it('is needed for everything under api, and not given away', async () => {
    const wrong = [
      [],
      ['X-Pantin-Token:'],
      ['X-Pantin-Token: wrong'],
      [`X-Pantin-Token: ${studio.token}x`],
      [`X-Pantin-Token: ${studio.token.slice(0, -1)}`],
      [`X-Pantin-Token: ${studio.token}`, `X-Pantin-Token: ${studio.token}`],
      [`Cookie: token=${studio.token}`],
      [`Authorization: Bearer ${studio.token}`],
    ]
    for (const headers of wrong) {
      for (const path of addresses) {
        const answer = await request(port, `GET ${path}`, [host, ...headers])
        expectRefused(answer, 401, `${headers} ${path}`)
        expect(JSON.stringify(answer)).not.toContain(studio.token)
      }
      const write = await request(port, 'PUT /api/runs/me', [
        host,
        `Origin: http://127.0.0.1:${port}`,
        ...headers,
      ])
      expectRefused(write, 401, `PUT ${headers}`)
    }
    expectRefused(await request(port, `GET /api/runs?token=${studio.token}`, [host]), 401, 'in the query')
  })

  it('opens what it is for', async () => {
    const answer = await request(port, 'GET /api/runs', [host, `X-Pantin-Token: ${studio.token}`])
    expect(answer.status).toBe(200)
    expect(answer.headers['set-cookie']).toBeUndefined()
  })

  it('is another one each time, of 256 bits', async () => {
    const other = await world.start()
    expect(other.token).not.toBe(studio.token)
    expect(Buffer.from(other.token, 'base64url')).toHaveLength(32)
    await other.close()
  })

  it('is reached once through a ticket', async () => {
    const path = new URL(studio.ticketAddress()).pathname
    const first = await request(port, `GET ${path}`)
    expect(first.status).toBe(303)
    expect(first.headers.location).toContain(studio.token)
    expectRefused(await request(port, `GET ${path}`), 410, 'a second time')
    expectRefused(await request(port, 'GET /open/guessed'), 410, 'guessed')
    for (let i = 0; i < 200; i++) {
      const each = new URL(studio.ticketAddress()).pathname
      expect((await request(port, `GET ${each}`)).status, each).toBe(303)
    }
    const foreign = [host, 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors']
    expectRefused(
      await request(port, `GET ${new URL(studio.ticketAddress()).pathname}`, foreign),
      403,
      'as a picture',
    )
  })
})

describe('the address that opens the page once', () => {
  const paths = () => ['/open/x', '/open/guessed', new URL(studio.ticketAddress()).pathname]

  it('gives the token to no HEAD, with or without a ticket', async () => {
    for (const path of paths()) {
      const answer = await request(port, `HEAD ${path}`)
      expect(answer.status, path).toBe(405)
      expect(answer.headers.allow).toBe('GET')
      expect(answer.headers.location).toBeUndefined()
      expect(JSON.stringify(answer.headers) + answer.body).not.toContain(studio.token)
    }
  })

  it('gives the token to no other method', async () => {
    for (const method of ['PUT', 'POST', 'OPTIONS', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND']) {
      for (const path of paths()) {
        const answer = await request(port, `${method} ${path}`)
        expect(answer.status, `${method} ${path}`).toBeGreaterThanOrEqual(400)
        expect(JSON.stringify(answer.headers) + answer.body).not.toContain(studio.token)
      }
    }
  })

  it('is not used up by a HEAD', async () => {
    const path = new URL(studio.ticketAddress()).pathname
    await request(port, `HEAD ${path}`)
    const answer = await request(port, `GET ${path}`)
    expect(answer.status).toBe(303)
    expect(answer.headers.location).toContain(studio.token)
  })
})

it('tells no request without the token or a ticket anything of either, by any method', async () => {
  const paths = [
    '/',
    '/index.html',
    '/open',
    '/open/x',
    '/api',
    '/api/runs',
    '/api/runs/x',
    '/nothing',
    '/ort/x',
  ]
  for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'OPTIONS', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND']) {
    for (const path of paths) {
      const origin = method === 'PUT' ? [`Origin: http://127.0.0.1:${port}`] : []
      const answer = await request(port, `${method} ${path}`, [host, ...origin])
      expect(JSON.stringify(answer), `${method} ${path}`).not.toContain(studio.token)
      expect(answer.headers.location, `${method} ${path}`).toBeUndefined()
      if (path.startsWith('/api/')) expect(answer.status, `${method} ${path}`).toBeGreaterThanOrEqual(400)
    }
  }
})

it('tells a page under another name nothing of this machine', async () => {
  const { hostname, networkInterfaces } = await import('node:os')
  const open = await world.start({ host: '0.0.0.0' })
  const { body } = await request(open.port, 'GET /', ['Host: evil.example'])
  const names = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const outside = names.filter(({ internal }) => !internal).map(({ address }) => address)
  for (const name of [hostname(), ...outside]) expect(body).not.toContain(name)
  await open.close()
})

describe('paths that lead out of the folders', () => {
  const encodings = ['..', '%2e%2e', '%2E.', '%252e%252e', '%c0%ae%c0%ae', '%uff0e%uff0e', '..;', '....']
  const separators = ['/', '%2f', '%5c', '\\', '%252f', '//']
  const bases = ['', 'assets/', 'ort/', 'api/runs/', 'runs/']
  const climbs = encodings.flatMap((dots) => separators.map((separator) => `${dots}${separator}`))

  it('are refused in every encoding', async () => {
    const targets = bases.flatMap((base) =>
      climbs.flatMap((climb) => [1, 3].map((times) => `/${base}${climb.repeat(times)}secret.txt`)),
    )
    for (const target of targets) {
      const answer = await request(port, `GET ${target}`, [host, `X-Pantin-Token: ${studio.token}`])
      expect([400, 404], `${target}: ${answer.status}`).toContain(answer.status)
      expect(answer.body, target).not.toContain(world.secret)
    }
  })

  it('are refused as names of other systems and kinds', async () => {
    const secret = join(world.folder, 'secret.txt')
    const names = [
      secret,
      `/${secret}`,
      `//127.0.0.1${secret}`,
      `/file://${secret}`,
      `/C:${secret}`,
      '/worker.js%00',
      `/leak.txt%00.js`,
      '/.hidden',
      '/%2ehidden',
      '/worker.js::$DATA',
      '/leak.txt',
      '/leak/secret.txt',
      '/beside/secret.txt',
      '/assets',
      '/assets/',
      '/worker.js/',
    ]
    for (const name of names) {
      const answer = await request(port, `GET ${name}`)
      expect([400, 404], `${name}: ${answer.status}`).toContain(answer.status)
      expect(answer.body).not.toContain(world.secret)
    }
  })

  it('are refused in runs', async () => {
    const headers = [host, `X-Pantin-Token: ${studio.token}`]
    const { runs } = JSON.parse((await request(port, 'GET /api/runs', headers)).body) as {
      runs: { id: string }[]
    }
    const run = `/api/runs/${runs[0]!.id}`
    expect((await request(port, `GET ${run}/files/config.json`, headers)).status).toBe(200)
    const names = [
      'lock',
      'secret.txt',
      'last',
      'checkpoint',
      '..',
      '%2e%2e',
      'previews',
      'metrics.jsonl.',
      'config.JSON',
    ]
    for (const name of names) {
      for (const part of ['files', 'previews']) {
        const answer = await request(port, `GET ${run}/${part}/${name}`, headers)
        expect([400, 404], `${part}/${name}: ${answer.status}`).toContain(answer.status)
      }
    }
    for (const id of ['..', 'tiny', '%2e%2e', runs[0]!.id.slice(0, -1), `${runs[0]!.id}.`]) {
      const answer = await request(port, `GET /api/runs/${id}/files/config.json`, headers)
      expect([400, 404], id).toContain(answer.status)
    }
  })
})

describe('methods', () => {
  it('are three', async () => {
    for (const method of ['OPTIONS', 'TRACE', 'POST', 'DELETE', 'PATCH', 'PROPFIND']) {
      const answer = await request(port, `${method} /`)
      expectRefused(answer, 405, method)
      expect(answer.headers.allow).toBe('GET, HEAD, PUT')
    }
    const trace = await request(port, 'TRACE /', [host, 'X-Secret: echo'])
    expect(trace.body).not.toContain('echo')
    expect((await request(port, 'CONNECT evil.example:80', [host])).status).not.toBe(200)
  })

  it('HEAD tells what GET would, without a body', async () => {
    const [head, get] = [await request(port, 'HEAD /worker.js'), await request(port, 'GET /worker.js')]
    expect(head.body).toBe('')
    expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' })
  })

  it('PUT makes no files beside the API', async () => {
    const headers = [host, `Origin: http://127.0.0.1:${port}`, `X-Pantin-Token: ${studio.token}`]
    for (const path of ['/worker.js', '/new.js', '/api/runs', '/api/runs/a/files/config.json']) {
      expectRefused(await request(port, `PUT ${path}`, headers), 404, path)
    }
    // Nobody named a folder to save in.
    expectRefused(await request(port, 'PUT /api/runs/me', headers), 403, 'no --save')
  })
})

describe('what is no request', () => {
  it('is answered, and closed', async () => {
    expect((await sendRaw(port, ['\x16\x03\x01 not HTTP\r\n\r\n'])).status).toBe(400)
    const long = await request(port, 'GET /', [host, `X-Long: ${'a'.repeat(40_000)}`])
    expectRefused(long, 431, 'long headers')
    const smuggled = [host, 'Content-Length: 5', 'Transfer-Encoding: chunked']
    expect((await request(port, 'PUT /api/runs/me', smuggled)).status).toBe(400)
  })

  it('that never ends is cut off, in its head and in its body', async () => {
    const impatient = await world.start({
      runs: [world.run],
      timeouts: { head: 1000, request: 3000, idle: 3000 },
    })
    const began = performance.now()
    expectRefused(await sendRaw(impatient.port, ['GET / HTTP/1.1\r\nHost: ']), 408, 'half a head')
    expect(performance.now() - began).toBeLessThan(10_000)
    const head = [
      'PUT /api/runs/me HTTP/1.1',
      `Host: 127.0.0.1:${impatient.port}`,
      `Origin: http://127.0.0.1:${impatient.port}`,
      `X-Pantin-Token: ${impatient.token}`,
      'Content-Length: 9',
      '',
    ]
    const answer = await sendRaw(impatient.port, [`${head.join('\r\n')}\r\nhalf`])
    expect(answer.status).toBeGreaterThanOrEqual(400)
    // Others are served meanwhile.
    expect((await request(impatient.port, 'GET /', [`Host: 127.0.0.1:${impatient.port}`])).status).toBe(200)
  })
})

it('is there for others while clients hold 400 connections with half a request', async () => {
  const crowded = await world.start({ runs: [world.run] })
  const sockets = Array.from({ length: 400 }, (_, i) => {
    const socket = connect(crowded.port, '127.0.0.1')
    socket.on('error', () => {})
    // They never read, and never close their side.
    socket.pause()
    socket.write(i % 2 === 0 ? 'GET / HTTP/1.1\r\nHost: ' : '')
    return socket
  })
  try {
    for (let i = 0; i < 3; i++) {
      const began = performance.now()
      const answer = await request(crowded.port, 'GET /', [`Host: 127.0.0.1:${crowded.port}`])
      expect(answer.status).toBe(200)
      expect(performance.now() - began).toBeLessThan(3000)
    }
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})

it('repeats the token in no answer, wherever a request has it', async () => {
  const { token } = studio
  const origin = `Origin: http://127.0.0.1:${port}`
  const paths = [
    '/',
    `/${token}`,
    `/open/${token}`,
    '/open/guessed',
    `/api/runs/${token}`,
    `/api/runs/${token}/metrics`,
  ]
  const more = [
    `/api/runs?token=${token}`,
    `/api/runs/a/files/${token}`,
    `/${token}/..`,
    `/open/${token}?${token}`,
  ]
  const methods = ['GET', 'HEAD', 'PUT', 'POST', 'OPTIONS', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', token]
  for (const method of methods) {
    for (const path of [...paths, ...more]) {
      for (const headers of [
        [host],
        [host, origin, `X-Pantin-Token: ${token}`],
        [host, `Origin: http://${token}`, `Referer: http://127.0.0.1:${port}/#token=${token}`],
        [`Host: ${token}`],
        [host, `Sec-Fetch-Site: ${token}`, 'Range: bytes=0-', `If-None-Match: ${token}`],
      ]) {
        const answer = await request(port, `${method} ${path}`, headers)
        expect(JSON.stringify(answer), `${method} ${path} ${headers}`).not.toContain(token)
      }
    }
  }
})

it('sends the headers that isolate and confine its pages with every answer', async () => {
  const answers = [
    await request(port, 'GET /'),
    await request(port, 'GET /worker.js'),
    await request(port, 'GET /nothing'),
    await request(port, 'GET /%2e%2e/x'),
    await request(port, 'GET /api/runs'),
    await request(port, 'GET /', ['Host: evil.example']),
  ]
  for (const { headers } of answers) {
    expect(headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    const policy = headers['content-security-policy']!
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe-inline|'unsafe-eval'|\*|https?:/)
  }
})

it('binds to this machine alone', async () => {
  const { networkInterfaces } = await import('node:os')
  const outside = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
  for (const { address } of outside) {
    const reached = await new Promise((resolve) => {
      httpRequest({ host: address, port, timeout: 1000 }, () => resolve(true))
        .on('error', () => resolve(false))
        .end()
    })
    expect(reached, address).toBe(false)
  }
})

it('serves no link that took a file’s place since', async () => {
  const { rmSync, symlinkSync } = await import('node:fs')
  const file = join(world.site, 'changing.txt')
  writeFileSync(file, 'a plain file')
  expect((await request(port, 'GET /changing.txt')).body).toBe('a plain file')
  rmSync(file)
  symlinkSync(join(world.folder, 'secret.txt'), file)
  expectRefused(await request(port, 'GET /changing.txt'), 404, 'a link')
})
