import { EnvironmentError, messageOf, PantinError, type Problem } from '../util/errors.ts'
import type { ErrorAnswer } from './api.ts'

/** A request that is not answered as it asks. */
export class Refusal extends PantinError {
  constructor(
    /** Status of the answer, 400 and up. */
    readonly status: number,
    problem: Problem,
    /** More headers of the answer. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(problem)
  }
}

/** An answer that says what went wrong. */
export interface Failure {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ErrorAnswer
}

/** The answer to a request that ended with an error. What is no PantinError is a bug, and is not told in detail. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Refusal) {
    return { status: error.status, headers: error.headers, body: { error: error.problem } }
  }
  if (error instanceof PantinError) {
    return { status: statusOf(error), headers: {}, body: { error: error.problem } }
  }
  const what = 'the server failed'
  return { status: 500, headers: {}, body: { error: { what, remedy: 'look at where pantin studio runs' } } }
}

/** What a person at the server's terminal should see of an error, if anything. */
export function forTheTerminal(error: unknown): string | undefined {
  if (error instanceof PantinError) return undefined
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error)
}

function statusOf(error: PantinError): number {
  // 507: what is asked for cannot be stored.
  if (error instanceof EnvironmentError) return 507
  return error.exitCode === 2 ? 422 : 500
}
