// What passes between a page and a worker: calls, their answers, events, and errors that keep their class.
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

/** A table of methods that a worker has, each with one argument. */
export type Methods<M> = { readonly [Name in keyof M]: (request: never) => unknown }

/** A call of the page. The worker answers each call once, by its number. */
export interface Call {
  readonly id: number
  readonly method: PropertyKey
  readonly request: unknown
}

/** A message of the worker: the answer to a call, or an event. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: SentError }
  | { readonly event: unknown }

/** Subclasses before their bases. The names are written out, because a packed worker has other names. */
const classes = {
  FormatError,
  InputError,
  GraphError,
  TrainingError,
  EnvironmentError,
  PantinError,
} as const

/** An error in a form that passes between a worker and a page. Classes do not, so the name of the class goes along. */
export interface SentError {
  /** A key of `classes`; undefined for an error that is not pantin's. */
  readonly kind: keyof typeof classes | undefined
  readonly problem: Problem
}

/** Whether pantin threw an error on purpose. If so, the parts of its message are in its `problem`. */
export function isPantinError(error: unknown): error is PantinError {
  return error instanceof PantinError
}

/** Prepares an error for the page. */
export function sentError(error: unknown): SentError {
  if (!isPantinError(error)) return { kind: undefined, problem: { what: messageOf(error) } }
  const names = Object.keys(classes) as (keyof typeof classes)[]
  return { kind: names.find((name) => error instanceof classes[name]), problem: error.problem }
}

/** Makes the worker's error again, as one of the page's own classes. */
export function receivedError({ kind, problem }: SentError): Error {
  return kind === undefined ? new Error(problem.what) : new classes[kind](problem)
}
