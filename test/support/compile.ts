import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Modules that a plain `node` process can import. */
export interface Compiled {
  /** The temporary folder that holds them, laid out as the project. */
  readonly folder: string
  /** The address to import, of a path as in the project ('src/run/run.ts'). */
  url(path: string): string
  remove(): void
}

/**
 * Turns TypeScript modules and all that they import from the project into JavaScript in a temporary
 * folder, for tests that need a child process: Node 20 does not run TypeScript, and a build may be old.
 *
 * @param entries paths from the project's root, such as 'src/run/run.ts'.
 */
export function compile(...entries: string[]): Compiled {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-compiled-'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
  // What modules read from the package by their own address.
  symlinkSync(join(root, 'assets'), join(folder, 'assets'), 'junction')
  const waiting = entries.map((entry) => resolve(root, entry))
  const done = new Set<string>()
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (done.has(file)) continue
    done.add(file)
    const source = readFileSync(file, 'utf8')
    const output = join(folder, relative(root, file).replace(/\.ts$/, '.js'))
    mkdirSync(dirname(output), { recursive: true })
    writeFileSync(output, translated(source))
    for (const name of importsOf(source)) {
      if (name.startsWith('.')) waiting.push(resolve(dirname(file), name))
    }
  }
  return {
    folder,
    url: (path) => pathToFileURL(join(folder, path.replace(/\.ts$/, '.js'))).href,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** TypeScript's own list lacks `export * as name from`. */
function importsOf(source: string): string[] {
  const listed = ts.preProcessFile(source).importedFiles.map(({ fileName }) => fileName)
  const spaces = source.matchAll(/^export \* as \w+ from '([^']+)'/gm)
  return [...listed, ...Array.from(spaces, ([, name]) => name!)]
}

/** Beside the packages: made by tests alone, and gone with the next installation. */
const cache = join(root, 'node_modules/.cache/pantin-compiled')

/** The JavaScript of a module. Some twenty test files ask for most of `src`: each version is translated once. */
function translated(source: string): string {
  const key = createHash('sha256').update(ts.version).update(source).digest('hex')
  const path = join(cache, `${key}.js`)
  if (existsSync(path)) return readFileSync(path, 'utf8')
  const output = toJavaScript(source)
  mkdirSync(cache, { recursive: true })
  // Test files run at the same time: a file appears whole or not at all.
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, output)
  renameSync(temporary, path)
  return output
}

function toJavaScript(source: string): string {
  return ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText
}
