// What `npm run build` makes of the TypeScript sources: the package in dist/, and the bench, for a clone, in bench/dist/.
import { readdirSync, readFileSync } from 'node:fs'
import { defineConfig } from 'tsdown'

/**
 * src/ and bench/src/ are built apart, so that the package does not contain the bench. An import from one to the other
 * stays an import, of the other's built file, which is as many folders away.
 */
const betweenBuilds = {
  name: 'between-builds',
  resolveId(id: string) {
    const built = id
      .replace(/^\.\.\/\.\.\/src\/(.*)\.ts$/, '../../dist/$1.js')
      .replace(/^\.\.\/\.\.\/\.\.\/bench\/src\/(.*)\.ts$/, '../../../bench/dist/$1.js')
    return built === id ? null : { id: built, external: true }
  },
}

/** Modules of src/ that the bench imports. As entries they keep all that they export. */
const usedByBench = () => {
  const imports = /^(?:im|ex)port (?!type\b)[^']*from '..\/..\/(src\/[^']+)'/gm
  const sources = readdirSync('bench/src').map((name) => readFileSync(`bench/src/${name}`, 'utf8'))
  return [...new Set(sources.flatMap((text) => Array.from(text.matchAll(imports), ([, path]) => path!)))]
}

const node = { format: 'esm', platform: 'node', target: 'node20.19', unbundle: true, clean: true } as const
const browser = { format: 'esm', platform: 'browser', target: 'es2023', dts: false } as const
/** Declarations name `AsyncDisposable`, which is in no library that a project has by default. */
const declarations = { dts: '/// <reference lib="esnext.disposable" />' }
const endings = { js: '.js', dts: '.d.ts' }

export default defineConfig([
  {
    ...node,
    entry: ['src/index.ts', 'src/cli/main.ts', ...usedByBench()],
    dts: { entry: 'src/index.ts' },
    banner: declarations,
    plugins: [betweenBuilds],
    outExtensions: () => endings,
  },
  {
    ...node,
    entry: ['bench/src/run.ts', 'bench/src/peers.ts', 'bench/src/pruning.ts'],
    outDir: 'bench/dist',
    dts: false,
    plugins: [betweenBuilds],
    outExtensions: () => endings,
  },
  {
    // A worker cannot resolve package names, so this one is a single file. ONNX Runtime stays out: it is served.
    ...browser,
    entry: { 'browser-worker': 'bench/src/browser-worker.ts' },
    outDir: 'bench/dist',
    clean: false,
    noExternal: /./,
    outExtensions: () => endings,
  },
  {
    // The web library: one small file, so that a page can import it without a bundler.
    ...browser,
    entry: { 'web/index': 'src/web/index.ts' },
    tsconfig: 'tsconfig.web.json',
    dts: true,
    banner: declarations,
    clean: false,
    noExternal: ['fflate'],
    outExtensions: () => endings,
  },
  {
    // Its worker, a single file for the same reason.
    ...browser,
    entry: { 'web/worker': 'src/web/worker.ts' },
    tsconfig: 'tsconfig.web.json',
    clean: false,
    minify: true,
    noExternal: /./,
    outExtensions: () => endings,
  },
])
