// Builds the studio's pages into dist/studio.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { precompress } from '../scripts/studio/precompress.ts'
import { siteFiles } from '../scripts/studio/site-files.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * The studio's pages as a folder that any web server can host: all addresses are relative. With `--mode source`
 * pantin/web comes from the sources as they are now, for tests.
 */
export default defineConfig(({ mode }) => {
  const fromSource = mode === 'source'
  return {
    root: join(root, 'studio'),
    base: './',
    // What every browser with WebGPU or threads for WebAssembly understands.
    build: {
      outDir: join(root, 'dist/studio'),
      emptyOutDir: true,
      target: 'es2023',
      // The content policy allows no scripts or fonts in the page itself.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
    resolve: {
      alias: { 'pantin/web': fromSource ? join(root, 'src/web/index.ts') : publishedExport('./web') },
    },
    plugins: [siteFiles({ fromSource }), precompress()],
  }
})

/** The file that an import of this package gets. Bundlers do not look a package up in itself. */
function publishedExport(name: string): string {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>
  }
  const found = exports[name]
  if (found === undefined) throw new Error(`package.json exports no "${name}"`)
  return resolve(root, typeof found === 'string' ? found : found.default)
}
