// Serves index.html on this machine alone, with the files that a page of pantin/web needs: the library, ONNX Runtime's
// files, and a run. Start it with `npm run build && node examples/live-keypoints/serve.mjs RUN`.
// Any web server can do this. The two Cross-Origin headers allow threads; without them the page computes on one thread.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [run] = process.argv.slice(2)
if (run === undefined) throw new Error('name a run folder, as pantin train writes it')

const here = fileURLToPath(new URL('.', import.meta.url))
const folderOf = (name) => fileURLToPath(new URL('.', import.meta.resolve(name)))
const folders = { pantin: folderOf('pantin/web'), ort: folderOf('onnxruntime-web'), run, '': here }
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

// Another site's name can be made to lead to this machine (DNS rebinding). Its pages get nothing.
const port = 8321
const hosts = [`localhost:${port}`, `127.0.0.1:${port}`]

const server = createServer(async (request, response) => {
  if (!hosts.includes(request.headers.host)) return response.writeHead(403).end()
  // One known folder and one plain name, so that no path leads out of the folders.
  const asked = /^\/(?:(pantin|ort|run)\/)?([\w-][\w.-]*)?$/.exec(request.url)
  try {
    const [, folder = '', name = 'index.html'] = asked
    const path = join(folders[folder], name)
    const content = await readFile(path)
    response.writeHead(200, {
      'Content-Type': types[extname(path)] ?? 'application/octet-stream',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    })
    response.end(content)
  } catch {
    response.writeHead(404).end()
  }
})
server.listen(port, '127.0.0.1', () => process.stdout.write(`http://localhost:${port}/\n`))
