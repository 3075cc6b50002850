// An empty project that has the packed package installed, for tests that see pantin as its users do.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const modules = join(root, 'node_modules')

/** The result of a program that ran to its end. */
export interface Ran {
  readonly code: number
  readonly output: string
}

/** A project folder with `node_modules/pantin` from a tarball. Its dependencies are links to this checkout's. */
export interface Consumer {
  readonly folder: string
  /** Path of the tarball that `npm pack` made of the current build. */
  readonly tarball: string
  /** Writes a file of the project, with its folders. */
  write(path: string, text: string): Promise<void>
  /** Runs a JavaScript program in the project folder. */
  node(script: string, ...args: string[]): Promise<Ran>
  /** Runs a program of this checkout's node_modules in the project folder. */
  tool(path: string, ...args: string[]): Promise<Ran>
  remove(): Promise<void>
}

/** Packs the current build, without building it again, and unpacks it into an empty project. */
export async function openConsumer(): Promise<Consumer> {
  const folder = await mkdtemp(join(tmpdir(), 'pantin-package-'))
  const run = (program: string, ...args: string[]) => finished(program, args, folder)
  const done = promisify(execFile)
  const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]
  const { stdout } = await done('npm', packing, { cwd: root, shell: process.platform === 'win32' })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  const tarball = join(folder, filename)
  await done('tar', ['-xzf', filename], { cwd: folder })
  await linkDependencies(join(folder, 'node_modules'))
  await rename(join(folder, 'package'), join(folder, 'node_modules', 'pantin'))
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  await write('package.json', '{ "type": "module" }')
  return {
    ...{ folder, tarball, write },
    node: (script, ...args) => run(process.execPath, join(folder, script), ...args),
    tool: (path, ...args) => run(process.execPath, join(modules, path), ...args),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Links what the package depends on and no more, so that a dependency that it does not name is missed. */
async function linkDependencies(to: string): Promise<void> {
  const packed = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
    optionalDependencies: Record<string, string>
  }
  const installed = new Set(await readdir(modules))
  for (const name of [
    ...Object.keys(packed.dependencies),
    ...Object.keys(packed.optionalDependencies),
    '@types/node',
  ]) {
    if (!installed.has(name.split('/')[0]!)) continue
    await mkdir(dirname(join(to, name)), { recursive: true })
    await symlink(join(modules, name), join(to, name), 'junction')
  }
}

function finished(program: string, args: readonly string[], cwd: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr })
    })
  })
}
