import type { Command } from 'commander'
import { progressView } from './progress-view.ts'
import { Reporter } from './reporter.ts'

/** What every command is given, besides its own arguments. */
export interface Context {
  readonly reporter: Reporter
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal
}

/** The flags that every command has. */
interface CommonFlags {
  readonly json?: true
  readonly quiet?: true
}

/** Adds a command to the program. */
export type AddCommand = (program: Command, call: Call) => void

/** Makes a commander action of a command's work. */
export type Call = <A extends readonly unknown[]>(
  work: (context: Context, ...args: A) => Promise<void>,
) => (this: Command, ...args: A) => Promise<void>

/** Adds the flags that every command has. */
export function withCommonFlags(command: Command): Command {
  return command
    .option('--json', 'print one JSON value on stdout, and nothing else there')
    .option('--quiet', 'no progress and no remarks')
}

/** Calls work with a context made from the call's own flags. */
export function callWith(signal: AbortSignal): Call {
  return (work) =>
    async function (...args) {
      const { json = false, quiet = false } = this.opts<CommonFlags>()
      const reporter = new Reporter({ json, quiet }, progressView)
      try {
        await work({ reporter, signal }, ...args)
      } finally {
        reporter.settle()
      }
    }
}
