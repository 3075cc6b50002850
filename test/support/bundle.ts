// One file for a browser, packed from the present sources, because a build may be old.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsdown'
import { shared } from './shared.ts'

/** Packs a module and all that it imports, as the build does for the browser. @returns the file's path */
export async function bundle(entry: string): Promise<string> {
  const folder = await shared(`bundle-${entry.replaceAll(/\W/g, '-')}`, (made) => pack(entry, made))
  return join(folder, 'bundle.js')
}

async function pack(entry: string, folder: string): Promise<void> {
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
}
