// Hostile requests to `pantin studio`, and the status with which each is refused.
import { zipSync } from 'fflate'
import { tokenOf } from './process.ts'

/** A request: its first line, its headers and its body; or its bytes. */
export type Sent =
  | string
  | { readonly line: string; readonly headers?: readonly string[]; readonly body?: Uint8Array }

/** What is hostile, the request, and the status of the answer; 0 if the connection is closed without one. */
export type Row = readonly [what: string, sent: Sent, status: number]

/**
 * The whole table.
 *
 * @param address of the page, with the token; the server shows the run `id` and saves runs, one of which is named `taken`
 * @param config config.json of a run
 */
export function hostileRequests(address: URL, id: string, config: Uint8Array): readonly Row[] {
  const { host, port, origin } = address
  const token = tokenOf(address)
  const [named, from, withToken] = [`Host: ${host}`, `Origin: ${origin}`, `X-Pantin-Token: ${token}`]
  const own = [named, withToken]
  const writing = [named, from, withToken, 'Content-Type: application/zip']
  const run = `/api/runs/${id}`

  const under = (name: string, path = '/'): Row => [
    `Host ${JSON.stringify(name)} for ${path}`,
    { line: `GET ${path}`, headers: [`Host: ${name}`, withToken] },
    403,
  ]
  const hosts: Row[] = [
    ...['evil.example', `evil.example:${port}`, '127.0.0.1', `localhost:${Number(port) + 1}`].map((name) =>
      under(name),
    ),
    ...[`localhost.:${port}`, `127.1:${port}`, `2130706433:${port}`, `0.0.0.0:${port}`, ''].map((name) =>
      under(name),
    ),
    ...[`${host}.evil.example`, `${host}@evil.example`, `${host},evil.example`].map((name) => under(name)),
    ...['/api/runs', `${run}/metrics`, '/worker.js', '/open/x'].map((path) =>
      under(`evil.example:${port}`, path),
    ),
    ['a second Host', { line: 'GET /', headers: [named, 'Host: evil.example'] }, 403],
    ['no Host in HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 403],
    ['no Host in HTTP/1.1', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['an address instead of a path', { line: 'GET http://evil.example/', headers: [named] }, 400],
    ['its own address instead of a path', { line: `GET ${origin}/`, headers: [named] }, 400],
  ]

  const foreign = [
    'null',
    'http://evil.example',
    `https://${host}`,
    `http://localhost:${port}`,
    'http://127.0.0.1',
    `${origin}/`,
  ]
  const more = [
    `${origin}, ${origin}`,
    'file://',
    'chrome-extension://abcdefgh',
    `${origin}.evil.example`,
    '',
  ]
  const origins: Row[] = [
    ...[...foreign, ...more].map(
      (value): Row => [
        `Origin ${JSON.stringify(value)}`,
        { line: 'GET /api/runs', headers: [...own, `Origin: ${value}`] },
        403,
      ],
    ),
    ['null for the page', { line: 'GET /', headers: [named, 'Origin: null'] }, 403],
    ['null for a write', { line: 'PUT /api/runs/me', headers: [...own, 'Origin: null'] }, 403],
    ['a foreign write', { line: 'PUT /api/runs/me', headers: [...own, 'Origin: http://evil.example'] }, 403],
    [
      "a browser's question before a foreign write",
      {
        line: 'OPTIONS /api/runs',
        headers: [named, 'Origin: http://evil.example', 'Access-Control-Request-Method: PUT'],
      },
      403,
    ],
    [
      'a form of a foreign page',
      { line: 'POST /api/runs', headers: [named, 'Origin: http://evil.example', 'Content-Type: text/plain'] },
      403,
    ],
    ['a write without Origin', { line: 'PUT /api/runs/me', headers: own }, 403],
    [
      'a write without Origin that says it is of this page',
      { line: 'PUT /api/runs/me', headers: [...own, 'Sec-Fetch-Site: same-origin'] },
      403,
    ],
    [
      'a picture of a foreign page',
      { line: 'GET /', headers: [named, 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors'] },
      403,
    ],
    [
      'a request of a neighbour',
      { line: 'GET /api/runs', headers: [...own, 'Sec-Fetch-Site: same-site', 'Sec-Fetch-Mode: cors'] },
      403,
    ],
    [
      'a foreign form with the own Origin',
      {
        line: 'PUT /api/runs/me',
        headers: [...writing, 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate'],
      },
      403,
    ],
    [
      'a ticket as the picture of a foreign page',
      { line: 'GET /open/x', headers: [named, 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors'] },
      403,
    ],
  ]

  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  ]
  const socket = (what: string, headers: readonly string[], status: number, path = '/'): Row => [
    `a WebSocket ${what}`,
    { line: `GET ${path}`, headers: [named, ...headers, ...upgrade] },
    status,
  ]
  const sockets: Row[] = [
    socket('of a foreign page', ['Origin: http://evil.example'], 403),
    socket('of null', ['Origin: null'], 403),
    socket('without Origin', [], 400),
    socket('of the own page', [from], 400),
    socket('for the runs, without Origin', [withToken], 400, '/api/runs'),
    socket('of a neighbour', ['Sec-Fetch-Site: same-site', 'Sec-Fetch-Mode: websocket'], 403),
    socket('for a ticket', [], 400, '/open/x'),
  ]

  const asking = (what: string, ...headers: string[]): Row => [
    `${what} as the token`,
    { line: 'GET /api/runs', headers: [named, ...headers] },
    401,
  ]
  const tokens: Row[] = [
    asking('nothing'),
    asking('an empty text', 'X-Pantin-Token:'),
    asking('another text', 'X-Pantin-Token: wrong'),
    asking('one letter more', `${withToken}x`),
    asking('one letter less', withToken.slice(0, -1)),
    asking('the token, twice', withToken, withToken),
    asking('capital letters', `X-Pantin-Token: ${token.toUpperCase()}`),
    asking('a cookie', `Cookie: token=${token}`),
    asking('Authorization', `Authorization: Bearer ${token}`),
    asking('Referer', `Referer: ${origin}/#token=${token}`),
    ['the token in the query', { line: `GET /api/runs?token=${token}`, headers: [named] }, 401],
    ...['', '/metrics', '/files/weights.safetensors', '/previews/step-00000003.png'].map(
      (part): Row => [
        `no token for ${part || 'a run'}`,
        { line: `GET ${run}${part}`, headers: [named] },
        401,
      ],
    ),
    ['no token for HEAD', { line: 'HEAD /api/runs', headers: [named] }, 401],
    ['no token for a write', { line: 'PUT /api/runs/me', headers: [named, from] }, 401],
    ['a guessed ticket', { line: 'GET /open/guessed', headers: [named] }, 410],
    ['the token as a ticket', { line: `GET /open/x${token.replaceAll('-', '_')}`, headers: [named] }, 410],
    ['HEAD for a ticket', { line: 'HEAD /open/x', headers: [named] }, 405],
  ]

  const path = (line: string): Row => [
    `the path ${line.slice(0, 60)}`,
    { line: `GET ${line}`, headers: own },
    400,
  ]
  const paths: Row[] = [
    ...[
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/..%5csecret.txt',
      '/..\\secret.txt',
    ].map(path),
    ...[
      '/%252e%252e%252fsecret.txt',
      '/%c0%ae%c0%ae/secret.txt',
      '/%uff0e%uff0e/secret.txt',
      '/..;/secret.txt',
    ].map(path),
    ...[
      '//127.0.0.1/c$/secret.txt',
      '/C:/secret.txt',
      '/C%3a/secret.txt',
      '/file:///etc/passwd',
      '/~root/secret.txt',
    ].map(path),
    ...[
      '/index.html%00.png',
      '/index.html::$DATA',
      '/index.html/',
      '/.hidden',
      '/./index.html',
      `/${'a'.repeat(4000)}`,
    ].map(path),
    ...[`${run}/files/../secret.txt`, `${run}/files/..%2f..%2fsecret.txt`, '/api/runs/../../secret.txt'].map(
      path,
    ),
  ]

  const absent = (line: string): Row => [
    `the file ${line.replace(id, 'ID')}`,
    { line: `GET ${line}`, headers: own },
    404,
  ]
  const files: Row[] = [
    ...[
      '/secret.txt',
      '/ort/package.json',
      '/pantin/README.md',
      '/api',
      '/api/x',
      '/api/runs/tiny/metrics',
    ].map(absent),
    ...['secret.txt', 'lock', 'last', 'config.JSON', 'checkpoint'].map((name) =>
      absent(`${run}/files/${name}`),
    ),
    ...['secret.txt', 'step-00000003.png.', 'config.json'].map((name) => absent(`${run}/previews/${name}`)),
    absent(`/api/runs/${id.slice(0, -1)}/metrics`),
  ]

  const methods: Row[] = [
    ...['OPTIONS', 'TRACE', 'POST', 'DELETE', 'PATCH', 'PROPFIND'].map(
      (method): Row => [
        `${method} for the runs`,
        { line: `${method} /api/runs`, headers: [...own, from] },
        405,
      ],
    ),
    ['get in small letters', { line: 'get /', headers: own }, 400],
    ['CONNECT', { line: 'CONNECT evil.example:80', headers: [named] }, 0],
  ]

  const write = (
    what: string,
    status: number,
    name: string,
    body: Uint8Array,
    type = 'application/zip',
  ): Row => [
    `a write of ${what}`,
    {
      line: `PUT ${name}`,
      headers: [named, from, withToken, `Content-Type: ${type}`, `Content-Length: ${body.length}`],
      body,
    },
    status,
  ]
  const text = (words: string) => new TextEncoder().encode(words)
  const writes: Row[] = [
    write('a page', 404, '/index.html', text('x')),
    write('a file of a run', 404, `${run}/files/config.json`, text('{}')),
    write('the list', 404, '/api/runs', text('x')),
    write('a picture', 415, '/api/runs/me', text('x'), 'image/png'),
    write('a form', 415, '/api/runs/me', text('x'), 'multipart/form-data; boundary=x'),
    write("a device's name", 400, '/api/runs/con', text('x')),
    write('a long name', 400, `/api/runs/${'a'.repeat(100)}`, text('x')),
    write('a hidden name', 400, '/api/runs/.ssh', text('x')),
    write('a climbing name', 400, '/api/runs/..%2fme', text('x')),
    write('a name that is taken', 409, '/api/runs/taken', text('x')),
    write('no zip', 422, '/api/runs/me', text('no zip')),
    write('an empty zip', 422, '/api/runs/me', zipSync({})),
    write(
      'a path that leads out',
      422,
      '/api/runs/me',
      zipSync({ 'config.json': config, '../escaped.json': text('{}') }),
    ),
    write(
      'an absolute path',
      422,
      '/api/runs/me',
      zipSync({ 'config.json': config, '/tmp/escaped.json': text('{}') }),
    ),
    write('a file that no run has', 422, '/api/runs/me', zipSync({ 'config.json': config, lock: text('1') })),
    write('a bomb', 422, '/api/runs/me', zipSync({ 'config.json': new Uint8Array(20 << 20) })),
    [
      'a write of more than is taken',
      { line: 'PUT /api/runs/me', headers: [...writing, `Content-Length: ${2 ** 40}`], body: text('PK') },
      413,
    ],
  ]

  const raw = (what: string, head: string, status = 400): Row => [what, head.replaceAll('\n', '\r\n'), status]
  const start = `GET / HTTP/1.1\n${named}\n`
  const put = `PUT /api/runs/me HTTP/1.1\n${writing.join('\n')}\n`
  const nonsense: Row[] = [
    raw('a greeting of TLS', '\x16\x03\x01\x02\x00\x01\n\n'),
    raw('HTTP/0.9', 'GET /\n\n', 403),
    raw('HTTP/2', 'PRI * HTTP/2.0\n\nSM\n\n'),
    raw('headers of 40,000 bytes', `${start}X-Long: ${'a'.repeat(40_000)}\n\n`, 431),
    raw('a space before the colon', `${start}X-Pantin-Token : ${token}\n\n`),
    raw('a header without a colon', `${start}nonsense\n\n`),
    raw('a NUL in a header', `${start}X: a\0b\n\n`),
    raw('two lengths', `${put}Content-Length: 5\nContent-Length: 6\n\nhello`),
    raw('a negative length', `${put}Content-Length: -1\n\n`),
    raw('a length and pieces', `${put}Content-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n`),
    raw('an encoding that is none', `${put}Transfer-Encoding: chunked, gzip\n\n`),
  ]
  return [...hosts, ...origins, ...sockets, ...tokens, ...paths, ...files, ...methods, ...writes, ...nonsense]
}

/** The bytes of a request. The server closes the connection after it. */
export function bytesOf(sent: Sent): (string | Uint8Array)[] {
  if (typeof sent === 'string') return [sent]
  const { line, headers = [], body } = sent
  const isUpgrade = headers.includes('Connection: Upgrade')
  const head = [`${line} HTTP/1.1`, ...headers, ...(isUpgrade ? [] : ['Connection: close']), '', ''].join(
    '\r\n',
  )
  return body === undefined ? [head] : [head, body]
}
