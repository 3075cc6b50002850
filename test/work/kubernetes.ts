// Checks a job against Kubernetes' own types, which are made from its API's description.
import { join } from 'node:path'
import ts from 'typescript'

const root = join(import.meta.dirname, '../..')
const file = join(root, 'test/work/job-under-test.ts')

/** What is wrong with a job, as messages of the compiler. A field that Kubernetes does not know counts, too. */
export function kubernetesProblems(job: object): string[] {
  const source = `import type { Job } from 'kubernetes-types/batch/v1'\nexport const job: Job = ${JSON.stringify(job)}\n`
  const options: ts.CompilerOptions = {
    ...{ noEmit: true, strict: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2023 },
    ...{ module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
  }
  const host = ts.createCompilerHost(options)
  const { fileExists, getSourceFile } = host
  host.fileExists = (name) => name === file || fileExists(name)
  host.getSourceFile = (name, how, ...rest) =>
    name === file ? ts.createSourceFile(name, source, how) : getSourceFile(name, how, ...rest)
  const program = ts.createProgram([file], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
