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
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

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
    const { code, imports } = translated(source)
    writeFileSync(output, code)
    for (const name of imports) {
      if (name.startsWith('.')) waiting.push(resolve(dirname(file), name))
    }
  }
  return {
    folder,
    url: (path) => pathToFileURL(join(folder, path.replace(/\.ts$/, '.js'))).href,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Beside the packages: made by tests alone, and gone with the next installation. */
const cache = join(root, 'node_modules/.cache/pantin-compiled')
const { version } = createRequire(import.meta.url)('typescript/package.json') as { version: string }

/** A module as plain Node runs it. */
interface Translated {
  readonly code: string
  /** What it imports, as it is written there. */
  readonly imports: readonly string[]
}

/** The JavaScript of a module. Over thirty test files ask for most of `src`: each version is translated once. */
function translated(source: string): Translated {
  const key = createHash('sha256').update(version).update(source).digest('hex')
  const path = join(cache, `${key}.json`)
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Translated
  const output = translate(source)
  mkdirSync(cache, { recursive: true })
  // Test files run at the same time: a file appears whole or not at all.
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, JSON.stringify(output))
  renameSync(temporary, path)
  return output
}

function translate(source: string): Translated {
  // TypeScript takes a second to load: only a module that is new needs it.
  const ts = createRequire(import.meta.url)('typescript') as typeof import('typescript')
  const { outputText: code } = ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  })
  const listed = ts.preProcessFile(source).importedFiles.map(({ fileName }) => fileName)
  // TypeScript's own list lacks `export * as name from`.
  const spaces = source.matchAll(/^export \* as \w+ from '([^']+)'/gm)
  return { code, imports: [...listed, ...Array.from(spaces, ([, name]) => name!)] }
}
