import { defineConfig } from 'tsdown'

export default defineConfig([
  {
    entry: ['src/index.ts', 'src/cli/main.ts'],
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    dts: true,
    clean: true,
    unbundle: true,
    outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  },
  {
    // A worker cannot resolve package names, so this one is a single file. ONNX Runtime stays out: it is served.
    entry: { 'bench/browser-worker': 'src/bench/browser-worker.ts' },
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    dts: false,
    clean: false,
    noExternal: /./,
    outExtensions: () => ({ js: '.js' }),
  },
  {
    // The web library: one small file, so that a page can import it without a bundler.
    entry: { 'web/index': 'src/web/index.ts' },
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    tsconfig: 'tsconfig.web.json',
    dts: true,
    clean: false,
    noExternal: ['fflate'],
    outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  },
  {
    // Its worker, a single file for the same reason.
    entry: { 'web/worker': 'src/web/worker.ts' },
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    tsconfig: 'tsconfig.web.json',
    dts: false,
    clean: false,
    minify: true,
    noExternal: /./,
    outExtensions: () => ({ js: '.js' }),
  },
])
