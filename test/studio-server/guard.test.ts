import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allowedHosts, examine } from '../../src/server/guard.ts'

/** The checks by themselves, on requests that no client of HTTP would send. */

const hosts = allowedHosts('127.0.0.1', 7268)
const host = '127.0.0.1:7268'

function look(method: string, url: string, headers: Record<string, string> = { host }) {
  const rawHeaders = Object.entries(headers).flat()
  return examine({ method, url, headers, rawHeaders }, hosts)?.status
}

it('lets through what the page and a link to it ask for', () => {
  for (const url of ['/', '/index.html', '/assets/app-1a2b.js', '/api/runs', '/api/runs/me-0a?cursor=1-2']) {
    expect(look('GET', url), url).toBeUndefined()
  }
  const origin = 'http://localhost:7268'
  expect(look('PUT', '/api/runs/me', { host: 'localhost:7268', origin })).toBeUndefined()
  expect(
    look('GET', '/', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }),
  ).toBeUndefined()
  expect(look('GET', '/', { host: 'LocalHost:7268' })).toBeUndefined()
  expect(look('GET', '/', { host: '[::1]:7268' })).toBeUndefined()
})

describe('Host', () => {
  it('is one of this server’s own names with its port, and nothing else', () => {
    const near = [
      'localhost',
      '127.0.0.1',
      'localhost:80',
      '127.0.0.1:72680',
      'localhost.:7268',
      '127.1:7268',
    ]
    const tricks = [
      'evil.example:7268',
      'localhost:7268.evil.example',
      'localhost:7268@evil.example',
      ' ',
      '',
    ]
    for (const name of [
      ...near,
      ...tricks,
      '0.0.0.0:7268',
      '2130706433:7268',
      'localhost:7268,evil.example',
    ]) {
      expect(look('GET', '/', { host: name }), name).toBe(403)
    }
    fc.assert(fc.property(fc.string(), (name) => hosts.has(name) || look('GET', '/', { host: name }) === 403))
  })

  it('is there once', () => {
    expect(look('GET', '/', {})).toBe(403)
    const rawHeaders = ['Host', host, 'host', 'evil.example']
    expect(examine({ method: 'GET', url: '/', headers: { host }, rawHeaders }, hosts)?.status).toBe(403)
  })

  it('may be what --host names, or any address of this machine where all are served', () => {
    expect(allowedHosts('studio.example', 80)).toContain('studio.example')
    expect(allowedHosts('0.0.0.0', 7268)).toContain('127.0.0.1:7268')
    expect(allowedHosts('fe80::1', 7268)).toContain('[fe80::1]:7268')
    expect(allowedHosts('0.0.0.0', 7268)).not.toContain('0.0.0.0:7268')
  })
})

describe('Origin', () => {
  it('is the page’s own wherever it is sent', () => {
    const foreign = [
      'null',
      'http://evil.example',
      'https://127.0.0.1:7268',
      'http://127.0.0.1',
      'http://localhost:7268',
    ]
    const tricks = [
      'http://127.0.0.1:7268.evil.example',
      'http://127.0.0.1:72680',
      'http://127.0.0.1:7268/',
      '',
    ]
    for (const origin of [...foreign, ...tricks, `http://${host}, http://${host}`, 'file://']) {
      for (const method of ['GET', 'HEAD', 'PUT', 'OPTIONS', 'POST']) {
        expect(look(method, '/api/runs', { host, origin }), `${method} ${origin}`).toBe(403)
      }
    }
    const own = `http://${host}`
    fc.assert(
      fc.property(
        fc.string(),
        (origin) => look('PUT', '/', { host, origin }) === (origin === own ? undefined : 403),
      ),
    )
  })

  it('must be sent with what writes', () => {
    expect(look('PUT', '/api/runs/me', { host })).toBe(403)
    expect(look('PUT', '/api/runs/me', { host, 'sec-fetch-site': 'same-origin' })).toBe(403)
  })

  it('is not all: a browser’s word that a request comes from elsewhere is enough', () => {
    for (const site of ['cross-site', 'same-site']) {
      for (const mode of ['cors', 'no-cors', 'websocket']) {
        const headers = { host, 'sec-fetch-site': site, 'sec-fetch-mode': mode }
        expect(look('GET', '/api/runs', headers), `${site} ${mode}`).toBe(403)
      }
      const form = { host, origin: `http://${host}`, 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate' }
      expect(look('PUT', '/api/runs/me', form)).toBe(403)
    }
  })
})

describe('the path', () => {
  const hostile = [
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/%252e%252e%252fsecret.txt',
    '/..%5csecret.txt',
    '/..\\secret.txt',
    '/assets\\..\\..\\secret.txt',
    '/%c0%ae%c0%ae/secret.txt',
    '/%uff0e%uff0e/secret.txt',
    '/．．/secret.txt',
    '/secret.txt%00.js',
    '/secret.txt\0.js',
    '//127.0.0.1/c$/secret.txt',
    '//evil.example/share/secret.txt',
    '/\\\\evil.example\\share',
    '/C:/secret.txt',
    '/C%3a/secret.txt',
    '/c|/secret.txt',
    '/file:///etc/passwd',
    '/worker.js::$DATA',
    '/worker.js:stream',
    '/.hidden',
    '/./worker.js',
    '/assets//app.js',
    '/assets/.',
    '/assets/..',
    '/~root/secret.txt',
    '/worker.js/',
    '/worker.js ',
    '/worker.js;/..',
    '/-/secret.txt',
    'worker.js',
    '*',
    '',
    'http://127.0.0.1:7268/',
    `http://evil.example/`,
    `/${'a'.repeat(4000)}`,
    '/worker.js#/../secret.txt',
    '/\u0000',
    '/\r\nX: y',
  ]
  it.each(hostile)('%j is refused', (url) => {
    expect(look('GET', url)).toBe(400)
  })

  it('that is let through never leaves its folder, in any decoding', () => {
    const part = fc.constantFrom(
      '..',
      '.',
      '/',
      '\\',
      '%2e',
      '%2f',
      '%5c',
      '%25',
      '%00',
      '\0',
      ':',
      'C',
      'a',
      '~',
    )
    const paths = fc.array(part, { maxLength: 12 }).map((parts) => `/${parts.join('')}`)
    fc.assert(
      fc.property(
        paths,
        (url) => look('GET', url) !== undefined || /^\/(?:\w[\w.-]*(?:\/(?=\w))?)*$/.test(url),
      ),
      { numRuns: 5000 },
    )
  })
})

it('serves three methods', () => {
  for (const method of ['OPTIONS', 'TRACE', 'POST', 'DELETE', 'PATCH', 'CONNECT', 'PROPFIND', 'get', '']) {
    expect(look(method, '/'), method).toBe(405)
  }
})
