// What the caller is told of an error: an exit code, a message for people, and JSON for scripts.
import { CommanderError } from 'commander'
import { messageOf, PantinError } from '../util/errors.ts'
import { toJson } from './context.ts'

/** An error as the command line reports it. */
export interface Failure {
  readonly exitCode: number
  /** For stderr; empty if it has been printed already. */
  readonly text: string
  /** For stdout under --json. */
  readonly json: { readonly error: object } | undefined
}

/** Exit code of a command that Ctrl-C ended before it wrote anything: 128 + SIGINT. */
export const interrupted = 130

/** Turns anything thrown into an exit code and a message. @param stopped whether the user asked to stop */
export function explain(error: unknown, stopped: boolean): Failure {
  if (error instanceof CommanderError) return usage(error)
  if (error instanceof PantinError) {
    const { name, message, exitCode, problem } = error
    return { exitCode, text: `pantin: ${message}`, json: { error: { name, message, ...problem, exitCode } } }
  }
  if (isStop(error, stopped)) {
    const message = 'stopped before the work was done: nothing was written'
    return {
      exitCode: interrupted,
      text: `pantin: ${message}`,
      json: { error: { name: 'Interrupted', message, exitCode: interrupted } },
    }
  }
  return bug(error)
}

/** Whether an error was thrown because the user asked to stop. @param stopped whether the user did */
export const isStop = (error: unknown, stopped: boolean): boolean =>
  stopped && error instanceof Error && error.name === 'AbortError'

/** Commander has printed its message already. Help and version arrive here too, with exit code 0. */
function usage(error: CommanderError): Failure {
  if (error.exitCode === 0) return { exitCode: 0, text: '', json: undefined }
  const message = error.message.replace(/^error: /, '')
  return { exitCode: 2, text: '', json: { error: { name: 'UsageError', message, exitCode: 2 } } }
}

function bug(error: unknown): Failure {
  const message = messageOf(error)
  const stack = error instanceof Error ? (error.stack ?? message) : message
  return {
    exitCode: 1,
    text: `pantin: this is a bug in pantin, please report it with the lines below\n${stack}`,
    json: { error: { name: 'Bug', message, exitCode: 1 } },
  }
}

/** Prints a failure: for people on stderr, and under --json for scripts on stdout. */
export function printFailure({ text, json }: Failure, asJson: boolean): void {
  if (text !== '') process.stderr.write(`${text}\n`)
  if (asJson && json !== undefined) process.stdout.write(`${toJson(json)}\n`)
}
