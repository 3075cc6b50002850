// A page of a user's own project: built by Vite, esbuild and webpack with the README's lines, and with the files that
// `web-assets` copies.
import { createReadStream, existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium as driver } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { type Consumer, openConsumer, type Ran } from './consumer.ts'

/** Keypoints of the starter that the pages open. */
const { keypoints } = JSON.parse(
  await readFile(new URL('../../assets/starters/face/config.json', import.meta.url), 'utf8'),
).model as { readonly keypoints: number }

const command = 'node_modules/pantin/dist/cli/main.js'

/** The README's lines for a page, on a picture instead of a video. */
async function readmeScript(): Promise<string> {
  const lines = /```js\n(import { Tracker } from 'pantin\/web'\n.*?)```/s.exec(
    await readFile('README.md', 'utf8'),
  )![1]!
  return `${lines.replace("querySelector('video')", "querySelector('canvas')")}
document.title = value.length + ' points, ' + jacobian.length + ' maps'
`
}

/** Names files that are not there, and writes the places that the errors name. */
const missingScript = `
import { Tracker } from 'pantin/web'

const place = { runtimeFolder: 'ort', workerUrl: 'worker.js', assetsFolder: 'assets' }
const wrong = [{ workerUrl: 'gone/worker.js' }, { runtimeFolder: 'gone/ort' }, { assetsFolder: 'gone/assets' }]
const told = []
for (const part of wrong) {
  await Tracker.open('face', { ...place, ...part, device: 'cpu' }).catch((error) =>
    told.push(error.name + ' ' + JSON.stringify(error.problem)))
}
document.title = told.join(' | ')
`

const page = (script: string) =>
  `<!doctype html><canvas width="200" height="200"></canvas><script type="module" src="./${script}"></script>`

/** How each bundler makes one script of another: the page's folder, from the project's, after it. */
const bundlers: Readonly<Record<string, (project: Consumer) => Promise<Ran>>> = {
  Vite: (project) => project.tool('vite/bin/vite.js', 'build', 'app', '--logLevel', 'warn'),
  esbuild: (project) =>
    project.tool(
      'esbuild/bin/esbuild',
      ...[
        'app/main.js',
        '--bundle',
        '--format=esm',
        '--outfile=app/public/esbuild.js',
        '--log-level=warning',
      ],
    ),
  async webpack(project) {
    const webpack = pathToFileURL(resolve('node_modules/webpack/lib/index.js')).href
    await project.write(
      'webpack.mjs',
      `import webpack from ${JSON.stringify(webpack)}
import { resolve } from 'node:path'
const options = {
  ...{ mode: 'production', entry: './app/main.js', output: { path: resolve('app/public'), filename: 'webpack.js' } },
  // It copies the worker too, and would make it smaller for a minute, and say that it is large.
  ...{ optimization: { minimize: false }, performance: false },
}
webpack(options, (error, stats) => {
  if (error) throw error
  process.exitCode = stats.hasErrors() || stats.hasWarnings() ? 1 : 0
  if (process.exitCode === 1) console.log(stats.toString())
})
`,
    )
    return project.node('webpack.mjs')
  },
}

describe('the files of a page', () => {
  let project: Consumer
  let browser: Browser | undefined
  /** The folder that is served, in the project. */
  let served = 'app/public'
  const server = serve((path) => join(project.folder, served, path))
  beforeAll(async () => {
    project = await openConsumer()
    await project.write('app/index.html', page('main.js'))
    await project.write('app/main.js', await readmeScript())
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    if (chromium === undefined) return
    browser = await driver.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu'] })
  })
  afterAll(async () => {
    await browser?.close()
    server.close()
    await project?.remove()
  })

  test('are copied by one command, and never over others', async () => {
    const { code, output } = await project.node(command, 'web-assets', 'app/public', '--json')
    expect(code, output).toBe(0)
    const { files, bytes } = JSON.parse(output) as { files: string[]; bytes: number }
    const found = await readdir(join(project.folder, 'app/public'), { recursive: true })
    expect(found.map((name) => name.replaceAll('\\\\', '/'))).toEqual(expect.arrayContaining(files))
    expect(files).toContain('ort/ort-wasm-simd-threaded.wasm')
    expect(files).toContain('assets/starters/face/weights.safetensors')
    expect(files.join()).not.toContain('webgpu')
    expect(bytes).toBeLessThan(25e6)
    const again = await project.node(command, 'web-assets', 'app/public')
    expect(again.code).toBe(2)
    expect(again.output).toMatch(/has such a file already.*--force/s)
    expect((await project.node(command, 'web-assets', 'app/public', '--force')).code).toBe(0)
  }, 120_000)

  const title =
    chromium === undefined ? `a page of one's own: skipped, ${withoutChromium}` : "a page of one's own"
  describe.skipIf(chromium === undefined)(title, () => {
    /** The title that a page gives itself, and what it threw. */
    async function look(path: string, wanted: RegExp): Promise<string> {
      const { port } = server.address() as AddressInfo
      const shown = await browser!.newPage()
      const complaints: string[] = []
      shown.on('pageerror', (error) => complaints.push(error.message))
      await shown.goto(`http://127.0.0.1:${port}/${path}`)
      const told = () => shown.title().then((name) => name + complaints.join())
      await expect.poll(told, { timeout: 100_000 }).toMatch(wanted)
      const said = await told()
      await shown.close()
      return said
    }

    test.each(Object.keys(bundlers))(
      'that %s makes finds keypoints',
      async (name) => {
        const { code, output } = await bundlers[name]!(project)
        expect(code, output).toBe(0)
        if (name !== 'Vite') await project.write(`app/public/${name}.html`, page(`${name}.js`))
        served = name === 'Vite' ? 'app/dist' : 'app/public'
        const points = new RegExp(`^${keypoints} points, ${keypoints} maps$`)
        await look(name === 'Vite' ? 'index.html' : `${name}.html`, points)
      },
      240_000,
    )

    test('says which file is missing', async () => {
      await project.write('app/missing.js', missingScript)
      await project.write('app/public/missing.html', page('missing.js'))
      const { code, output } = await project.tool(
        'esbuild/bin/esbuild',
        ...['app/missing.js', '--bundle', '--format=esm', '--outfile=app/public/missing.js'],
      )
      expect(code, output).toBe(0)
      served = 'app/public'
      const [worker, runtime, assets] = (await look('missing.html', /\|.*\|/)).split(' | ')
      expect(worker).toMatch(/^EnvironmentError .*gone\/worker\.js/)
      expect(runtime).toMatch(/^EnvironmentError .*gone\/ort/)
      expect(assets).toMatch(/^\w+Error .*gone\/assets/)
    }, 120_000)
  })
})

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** A server of files. @param place the path of the file at a path of the address */
function serve(place: (path: string) => string): Server {
  return createServer((request, response) => {
    const path = place(request.url!.split('?')[0]!)
    if (!existsSync(path)) return response.writeHead(404).end()
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' })
    return createReadStream(path).pipe(response)
  })
}
