import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsdown'

/** One file for a browser, in a temporary folder. */
export interface Bundle {
  readonly file: string
  remove(): void
}

/** Packs a module and all that it imports, as the build does for the browser: a build may be old. */
export async function bundle(entry: string): Promise<Bundle> {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-bundle-'))
  await build({
    config: false,
    entry: { bundle: fileURLToPath(new URL(`../../${entry}`, import.meta.url)) },
    outDir: folder,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    dts: false,
    noExternal: /./,
    outExtensions: () => ({ js: '.js' }),
    logLevel: 'error',
  })
  return { file: join(folder, 'bundle.js'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
