// TypeScript in the documents is right as it stands: in a strict project, against the library's types.
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

const documents = ['README.md', ...readdirSync('docs/guide').map((name) => join('docs/guide', name))]

/** Each block of TypeScript as a file beside the examples, which some of them import. */
const blocks = new Map(
  documents.flatMap((document) =>
    Array.from(readFileSync(document, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm), ({ 1: code, index }) => {
      const line = readFileSync(document, 'utf8').slice(0, index).split('\n').length
      const name = `${document.replaceAll(/[^a-z]+/gi, '-')}-${line}.mts`
      return [resolve('examples', name), `${code}\nexport {}\n`] as const
    }),
  ),
)

const options: ts.CompilerOptions = {
  ...{ strict: true, noEmit: true, skipLibCheck: true, allowJs: true, allowImportingTsExtensions: true },
  ...{
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts'],
  },
  ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: ['node'] },
  paths: { pantin: [resolve('src/index.ts')] },
}

/** What the compiler says of the blocks. */
function complaints(files: ReadonlyMap<string, string>): string[] {
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = (path) => files.has(path) || fileExists(path)
  host.readFile = (path) => files.get(path) ?? readFile(path)
  host.getSourceFile = (path, ...more) => {
    const text = files.get(path)
    return text === undefined
      ? getSourceFile(path, ...more)
      : ts.createSourceFile(path, text, ts.ScriptTarget.ES2023)
  }
  const program = ts.createProgram([...files.keys()], options, host)
  return [...files.keys()].flatMap((path) => {
    const file = program.getSourceFile(path)!
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ messageText }) => `${path}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
  })
}

test('every block compiles, and a wrong one would not', () => {
  expect(blocks.size).toBeGreaterThan(5)
  const wrong = resolve('examples', 'wrong.mts')
  const found = complaints(
    new Map([...blocks, [wrong, "import { openModel } from 'pantin'\nopenModel(7)\n"]]),
  )
  expect(found).toEqual([expect.stringContaining('wrong.mts')])
})
