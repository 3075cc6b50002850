// Runs the command line in a process, for tests.
import { spawn } from 'node:child_process'
import { type Compiled, compile } from '../support/compile.ts'

/** What a process of the command line said and returned. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Cli {
  /** Runs `pantin` with these arguments. `onStderr` sees stderr as it grows, and may signal the process. */
  run(
    args: readonly string[],
    onStderr?: (soFar: string, kill: (signal: NodeJS.Signals) => void) => void,
  ): Promise<Outcome>
  remove(): void
}

/** The command line as plain Node runs it, made from the sources as they are now. */
export function compileCli(): Cli {
  // Commands import their work when they are called: the compiler follows those imports too.
  const compiled: Compiled = compile('src/cli/main.ts')
  const main = new URL(compiled.url('src/cli/main.ts'))
  return {
    run: (args, onStderr) =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [main.pathname, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
        let [stdout, stderr] = ['', '']
        child.stdout.on('data', (data: Buffer) => {
          stdout += data
        })
        child.stderr.on('data', (data: Buffer) => {
          stderr += data
          onStderr?.(stderr, (signal) => child.kill(signal))
        })
        child.on('error', reject)
        child.on('close', (code) => resolve({ code, stdout, stderr }))
      }),
    remove: () => compiled.remove(),
  }
}
