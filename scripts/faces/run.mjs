// Makes assets/faces.safetensors: `node scripts/faces/run.mjs FOLDER`. Everything on the way is kept in FOLDER, so the
// command can be stopped at any time and goes on when it is called again. It takes about two hours on one core.
//
// With --pool, --finder [STEPS], --landmarks [STEPS] or --pack after FOLDER, it does one part alone.
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'tsdown'

const root = fileURLToPath(new URL('../..', import.meta.url))

// TypeScript as one file beside the build. From there, pantin's assets are where they are for the sources.
await build({
  cwd: root,
  config: false,
  entry: { faces: 'scripts/faces/train.ts' },
  outDir: 'dist/scripts',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  clean: false,
  dts: false,
  logLevel: 'warn',
  outExtensions: () => ({ js: '.js' }),
})
const { makeAsset } = await import(pathToFileURL(`${root}dist/scripts/faces.js`).href)
await makeAsset(...process.argv.slice(2))
