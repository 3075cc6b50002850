// Requests that are refused, and the answer to any error.
import { EnvironmentError, messageOf, PantinError, type Problem } from '../util/errors.ts'
import type { ErrorAnswer } from '../web/studio-api.ts'

/** The reason why a request is refused. */
export class Refusal extends PantinError {
  constructor(
    /** Status of the answer: 400 or above. */
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

/** The answer to a request that ended with an error. Any error but a PantinError is a bug: the answer gives no detail. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Refusal) {
    return { status: error.status, headers: error.headers, body: { error: error.problem } }
  }
  if (error instanceof PantinError) {
    return { status: statusOf(error), headers: {}, body: { error: error.problem } }
  }
  const what = 'the server failed'
  return {
    status: 500,
    headers: {},
    body: { error: { what, remedy: 'look at the terminal in which pantin studio runs' } },
  }
}

/** Stands for the token in texts that repeat what a request sent. */
export const hidden = '(the token)'

/** The text of an answer. The token is not in it, even if the request had it in its path. */
export const textOf = (body: ErrorAnswer, token: string): string =>
  JSON.stringify(body).replaceAll(token, hidden)

/** The text of an error for the server's terminal; undefined if the answer to the page says it all. */
export function forTheTerminal(error: unknown): string | undefined {
  if (error instanceof PantinError) return undefined
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error)
}

function statusOf(error: PantinError): number {
  // 507 Insufficient Storage: the disk is full.
  if (error instanceof EnvironmentError) return 507
  return error.exitCode === 2 ? 422 : 500
}
