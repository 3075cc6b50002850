// The package as it is published: its fields, its types, its command and its examples, in an empty project.
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { starters } from '../../src/run/starters.ts'
import { version } from '../../src/util/version.ts'
import { type Consumer, openConsumer } from './consumer.ts'

describe('the package', () => {
  let project: Consumer
  beforeAll(async () => {
    project = await openConsumer()
  })
  afterAll(() => project?.remove())

  const installed = (path: string) => join(project.folder, 'node_modules', 'pantin', path)

  test('has fields that publint accepts', async () => {
    const { code, output } = await project.tool(
      'publint/src/cli.js',
      installed('.'),
      '--strict',
      '--pack=false',
    )
    expect(code, output).toBe(0)
  })

  test('has types that every resolution of modules finds', async () => {
    // The worker and the assets are files for pages to serve, and not modules to import.
    const { code, output } = await project.tool(
      '@arethetypeswrong/cli/dist/index.js',
      ...[project.tarball, '--profile', 'esm-only', '--no-color'],
      ...['--exclude-entrypoints', 'web/worker.js', 'assets/*'],
    )
    expect(code, output).toBe(0)
  })

  test('compiles under strict, with the declarations checked, in Node', async () => {
    await project.write('node/example.ts', nodeExample)
    await project.write(
      'node/tsconfig.json',
      JSON.stringify({
        compilerOptions: { ...strict, module: 'NodeNext', types: ['node'], outDir: '../built' },
      }),
    )
    const { code, output } = await project.tool('typescript/bin/tsc', '-p', 'node')
    expect(code, output).toBe(0)
    expect(await project.node('built/example.js')).toEqual({ code: 0, output: '3 function\n' })
  })

  test('compiles under strict, with the declarations checked, for pages', async () => {
    await project.write('web/example.ts', webExample)
    await project.write(
      'web/tsconfig.json',
      JSON.stringify({
        compilerOptions: {
          ...{ ...strict, module: 'ESNext', moduleResolution: 'Bundler' },
          ...{ lib: ['ES2022', 'DOM', 'DOM.Iterable'], types: [], noEmit: true },
        },
      }),
    )
    const { code, output } = await project.tool('typescript/bin/tsc', '-p', 'web')
    expect(code, output).toBe(0)
  })

  test('has a command that runs', async () => {
    const manifest = JSON.parse(await readFile(installed('package.json'), 'utf8')) as {
      bin: Record<string, string>
    }
    const command = join('node_modules', 'pantin', manifest.bin.pantin!)
    expect(await project.node(command, '--version')).toEqual({ code: 0, output: `${version}\n` })
    const { code, output } = await project.node(command, 'info', 'ficelle', '--json')
    expect(code, output).toBe(0)
  })

  test('runs the examples that import it: a graph, and a network for the command', async () => {
    for (const name of ['own-graph.mjs', 'own-network.mjs']) {
      await project.write(name, await readFile(`examples/${name}`, 'utf8'))
    }
    const graph = await project.node('own-graph.mjs')
    expect(graph.code, graph.output).toBe(0)
    expect(graph.output).toContain('"maps":[1,10,32,32]')
    const counted = await project.node(
      'node_modules/pantin/dist/cli/main.js',
      ...['info', 'my-net', '--plugin', 'own-network.mjs', '--json'],
    )
    expect(counted.code, counted.output).toBe(0)
  })

  test('is under 12 MB, with the starters, and holds no file twice', async () => {
    expect((await stat(project.tarball)).size).toBeLessThan(12_000_000)
    for (const name of ['heads.bin', ...starters.map(({ name }) => `starters/${name}/weights.safetensors`)]) {
      expect((await stat(installed(`assets/${name}`))).size, name).toBeGreaterThan(100_000)
    }
    const site = await readdir(installed('dist/studio'))
    expect(site).toContain('index.html')
    expect(site).not.toContain('pantin')
    // The runtime's files come with its own package. Here is what that package does not have: a compressed form.
    expect(await readdir(installed('dist/studio/ort'))).toEqual([
      'ort-wasm-simd-threaded.wasm.br',
      'version.txt',
    ])
    await project.write('starter.mjs', starterScript)
    const { code, output } = await project.node('starter.mjs')
    expect(code, output).toBe(0)
  })

  test('holds the files that a page needs, and the documentation', async () => {
    // Each is resolved from the project, as the server of a page does.
    await project.write('resolve.mjs', resolveScript)
    const { code, output } = await project.node('resolve.mjs')
    expect(code, output).toBe(0)
    for (const path of ['README.md', 'LICENSE', 'CHANGELOG.md']) await readFile(installed(path))
  })
})

const strict = { strict: true, target: 'ES2022', skipLibCheck: false }

const nodeExample = `
import { type Clip, type TrainOptions, animate, evaluate, openModel, puppetClip, track, train } from 'pantin'

export async function main(options: TrainOptions, signal: AbortSignal): Promise<void> {
  const run = await train(['clip.mp4'], options)
  await using model = await openModel(run, { device: 'cpu', signal })
  await animate(model, { source: 'face.png', driving: 'clip.mp4', out: 'moved.mp4', signal })
  for await (const { value } of track(model, 'clip.mp4')) value.flat().map((v: number) => v.toFixed(3))
  await evaluate(model, ['clip.mp4'], { from: 0.8, signal })
}

const clip: Clip = puppetClip({ seed: 1, frames: 3, size: 64 })
let frames = 0
for await (const { data } of clip.frames()) frames += data.length / (64 * 64 * 3)
console.log(frames, typeof openModel)
`

const webExample = `
import { type TrackedPicture, Tracker, Trainer, openRun } from 'pantin/web'

export async function follow(video: HTMLVideoElement, found: (seen: TrackedPicture) => void): Promise<void> {
  const run = await openRun('/runs/mine/')
  await using tracker = await Tracker.open(run, { workerUrl: '/pantin/worker.js', runtimeFolder: '/ort/' })
  found(await tracker.track(video))
  console.log(Trainer.name)
}
`

const starterScript = `
import { openModel, starters } from 'pantin'
const model = await openModel(starters.at(-1).name, { device: 'cpu' })
if (!model.path.includes('node_modules')) throw new Error(model.path)
await model.close()
`

const resolveScript = `
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
const { resolve } = createRequire(import.meta.url)
for (const name of ['pantin/web', 'pantin/web/worker.js', 'pantin/assets/heads.bin', 'pantin/package.json', 'pantin']) {
  if (readFileSync(resolve(name)).length === 0) throw new Error(name)
}
`
