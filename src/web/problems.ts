import {
  EnvironmentError,
  FormatError,
  GraphError,
  InputError,
  messageOf,
  PantinError,
  type Problem,
  TrainingError,
} from '../util/errors.ts'

/** Errors on their way from the worker: classes do not survive the passage, so their names go along. */

/** Whether pantin threw it on purpose; its `problem` then has the parts of the message. */
export function isPantinError(error: unknown): error is PantinError {
  return error instanceof PantinError
}

/** Subclasses before their bases. Names are written out: a packed worker has others. */
const classes = {
  FormatError,
  InputError,
  GraphError,
  TrainingError,
  EnvironmentError,
  PantinError,
} as const

export interface SentError {
  /** A key of `classes`; undefined for what was not thrown on purpose. */
  readonly kind: keyof typeof classes | undefined
  readonly problem: Problem
}

export function sentError(error: unknown): SentError {
  if (!isPantinError(error)) return { kind: undefined, problem: { what: messageOf(error) } }
  const names = Object.keys(classes) as (keyof typeof classes)[]
  return { kind: names.find((name) => error instanceof classes[name]), problem: error.problem }
}

export function receivedError({ kind, problem }: SentError): Error {
  return kind === undefined ? new Error(problem.what) : new classes[kind](problem)
}

/** The error of something that a browser lacks. */
export function missing(what: string, remedy: string): EnvironmentError {
  return new EnvironmentError({ what, remedy })
}
