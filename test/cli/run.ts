// The command line in tests: as a process of its own, or in this one.
import { spawn } from 'node:child_process'
import { vi } from 'vitest'
import { explain, printFailure } from '../../src/cli/process.ts'
import { createProgram } from '../../src/cli/program.ts'
import { type Compiled, compile } from '../support/compile.ts'

/** What a process of the command line said and returned. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

type OnStderr = (soFar: string, kill: (signal: NodeJS.Signals) => void) => void

export interface Cli {
  /** Runs `pantin` with these arguments. `onStderr` sees stderr as it grows, and may signal the process. */
  run(
    args: readonly string[],
    options?: OnStderr | { readonly cwd?: string; readonly onStderr?: OnStderr },
  ): Promise<Outcome>
  remove(): void
  /** The file that `node` runs. */
  readonly main: string
}

/** The command line as plain Node runs it, made from the sources as they are now. */
export function compileCli(): Cli {
  // Commands import their work when they are called: the compiler follows those imports too.
  const compiled: Compiled = compile('src/cli/main.ts')
  const main = new URL(compiled.url('src/cli/main.ts'))
  return {
    run: (args, options = {}) =>
      new Promise((resolve, reject) => {
        const { cwd = process.cwd(), onStderr } =
          typeof options === 'function' ? { onStderr: options } : options
        const child = spawn(process.execPath, [main.pathname, ...args], {
          ...{ cwd, stdio: ['ignore', 'pipe', 'pipe'] },
        })
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
    main: main.pathname,
  }
}

/**
 * Runs `pantin` in this process: much faster, for everything but signals and the process itself.
 *
 * @param args as after `pantin` on the command line
 */
export async function runHere(...args: string[]): Promise<Outcome> {
  let [stdout, stderr] = ['', '']
  const before = process.exitCode
  process.exitCode = 0
  const streams = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      stdout += text
      return true
    }),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stderr += text
      return true
    }),
  ]
  try {
    const { signal } = new AbortController()
    await createProgram(signal)
      .parseAsync(args, { from: 'user' })
      .catch((error: unknown) => {
        const failure = explain(error, signal.aborted)
        printFailure(failure, args.includes('--json'))
        process.exitCode = failure.exitCode
      })
    return { code: Number(process.exitCode), stdout, stderr }
  } finally {
    for (const stream of streams) stream.mockRestore()
    process.exitCode = before
  }
}

/** The arguments of a training that a test ends: small steps, and more of them than it waits for. */
export const longTraining = (clip: string, out: string): string[] => [
  ...['train', clip, '--out', out, '--size', '32', '--batch', '1', '--holdout', '0.25', '--steps', '5000'],
]
