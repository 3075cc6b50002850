// A plugin of Vite: writes the page's files in compressed forms too, which the server sends as they are.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Plugin, ResolvedConfig } from 'vite'

const [packBrotli, packGzip] = [promisify(brotliCompress), promisify(gzip)]

/** Text gets both forms; WebAssembly, which every browser takes as brotli, one. */
const text = /\.(?:html|js|mjs|css|svg|webmanifest)$/
const packed = /\.(?:html|js|mjs|css|svg|webmanifest|wasm)$/
const leastBytes = 1024

/** Writes compressed forms of the page's files beside them, as NAME.br and NAME.gz, after all other files are written. */
export function precompress(): Plugin {
  let config: ResolvedConfig
  return {
    name: 'pantin-precompress',
    apply: 'build',
    configResolved(resolved) {
      config = resolved
    },
    writeBundle: {
      order: 'post',
      sequential: true,
      async handler() {
        const folder = resolve(config.root, config.build.outDir)
        const entries = await readdir(folder, { recursive: true, withFileTypes: true })
        const files = entries
          .filter((entry) => entry.isFile() && packed.test(entry.name))
          .map((entry) => join(entry.parentPath, entry.name))
        await Promise.all(files.map(pack))
      },
    },
  }
}

async function pack(file: string): Promise<void> {
  const bytes = await readFile(file)
  if (bytes.length < leastBytes) return
  const quality = {
    params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  }
  await writeFile(`${file}.br`, await packBrotli(bytes, quality))
  if (text.test(file)) await writeFile(`${file}.gz`, await packGzip(bytes, { level: 9 }))
}
