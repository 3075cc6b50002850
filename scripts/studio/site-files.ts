// A plugin of Vite: puts the worker of pantin/web, onnxruntime-web's files and pantin's assets beside the studio's page.
import { existsSync } from 'node:fs'
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsdown'
import type { Plugin, ResolvedConfig } from 'vite'
import { contentPolicy } from '../../src/server/guard.ts'
import { assetFiles, runtimeFiles, runtimeVersion, runtimeVersionFile } from '../../src/server/send-file.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface SiteFilesOptions {
  /** Take pantin/web from the present sources instead of the built package. */
  readonly fromSource: boolean
}

/**
 * Puts the files beside the page that its scripts load by address: the worker of pantin/web, onnxruntime-web's files, and
 * pantin's assets. The server of `pantin studio` has the last two from their own places; other hosts need them here.
 * The page carries its content policy itself, for hosts that send none.
 */
export function siteFiles({ fromSource }: SiteFilesOptions): Plugin {
  let config: ResolvedConfig
  return {
    name: 'pantin-site-files',
    apply: 'build',
    configResolved(resolved) {
      config = resolved
    },
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: contentPolicy.join('; ') },
        injectTo: 'head-prepend',
      },
    ],
    async writeBundle() {
      const folder = resolve(config.root, config.build.outDir)
      await (fromSource ? packWorker(folder) : copyWorker(folder))
      await copyRuntime(join(folder, 'ort'))
      await copyAssets(join(folder, 'pantin'))
    },
  }
}

async function copyRuntime(into: string): Promise<void> {
  const from = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'))
  await mkdir(into, { recursive: true })
  await Promise.all(runtimeFiles.map((name) => copyFile(join(from, name), join(into, name))))
  // The package brings one compressed form, which serves this version alone.
  await writeFile(join(into, runtimeVersionFile), await runtimeVersion(from))
}

async function copyAssets(into: string): Promise<void> {
  for (const name of assetFiles) {
    await mkdir(dirname(join(into, name)), { recursive: true })
    await copyFile(join(root, 'assets', name), join(into, name))
  }
}

async function copyWorker(into: string): Promise<void> {
  const worker = join(root, 'dist/web/worker.js')
  if (!existsSync(worker))
    throw new Error(`${worker} is not there: run "npm run build", which makes it first`)
  await copyFile(worker, join(into, 'worker.js'))
}

/** The worker in one file, as tsdown.config.ts makes it. */
async function packWorker(into: string): Promise<void> {
  const folder = join(into, 'packing')
  await build({
    config: false,
    entry: { worker: join(root, 'src/web/worker.ts') },
    outDir: folder,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    dts: false,
    noExternal: /./,
    outExtensions: () => ({ js: '.js' }),
    logLevel: 'error',
  })
  await copyFile(join(folder, 'worker.js'), join(into, 'worker.js'))
  await rm(folder, { recursive: true })
}
