/**
 * The errors that pantin throws on purpose. Each message says what happened, where, what was found,
 * what was expected, and what to do about it. Anything else that is thrown is a bug in pantin.
 */

/** What a message is made of; `formatProblem` joins the parts that are given. */
export interface Problem {
  /** What went wrong, as a sentence without its full stop. */
  what: string
  /** File, node, option or tensor that it is about. */
  where?: string
  /** What was found instead. */
  got?: string
  /** What would be accepted. */
  expected?: string
  /** What the reader can do about it. */
  remedy?: string
}

/** The message of an error: its parts, one after another. */
export function formatProblem({ what, where, got, expected, remedy }: Problem): string {
  const lines = [where === undefined ? what : `${where}: ${what}`]
  if (got !== undefined) lines.push(`  got:      ${got}`)
  if (expected !== undefined) lines.push(`  expected: ${expected}`)
  if (remedy !== undefined) lines.push(`  remedy:   ${remedy}`)
  return lines.join('\n')
}

/** Base of every error that pantin throws on purpose. */
export class PantinError extends Error {
  /** The exit code of the command line for this error. */
  readonly exitCode: 1 | 2 = 1
  /** The five parts of the message. */
  readonly problem: Problem

  constructor(problem: Problem, options?: { cause?: unknown }) {
    super(formatProblem(problem), options)
    this.name = new.target.name
    this.problem = problem
  }
}

/** The caller's input cannot be used: a file, an option, a value. The command line exits with 2. */
export class InputError extends PantinError {
  override readonly exitCode = 2
}

/** A file's bytes break its format's rules, or ask for more than pantin's limits allow. */
export class FormatError extends InputError {}

/** A graph breaks a rule of the graph language: shapes, types, or an op that has no gradient. */
export class GraphError extends PantinError {}

/** Training cannot go on: a loss that is not finite, for instance. The last good weights are kept. */
export class TrainingError extends PantinError {}

/** A part of the machine that is needed is missing or failed: a codec, a device, the disk. */
export class EnvironmentError extends PantinError {}

/** Subclasses before their bases. The names are written out, because a packed worker has other names. */
const classes = {
  FormatError,
  InputError,
  GraphError,
  TrainingError,
  EnvironmentError,
  PantinError,
} as const

/** An error in a form that passes between threads, processes, or a worker and its page: classes do not. */
export interface SentError {
  /** Name of the class; undefined for an error that pantin did not throw on purpose. */
  readonly kind: keyof typeof classes | undefined
  /** The five parts of its message; of an error without a kind, its message alone. */
  readonly problem: Problem
  /** Where an error without a kind was thrown. */
  readonly stack?: string | undefined
}

/** Whether pantin threw an error on purpose. If so, the parts of its message are in its `problem`. */
export function isPantinError(error: unknown): error is PantinError {
  return error instanceof PantinError
}

/** Prepares an error for the other side. */
export function sentError(error: unknown): SentError {
  if (!isPantinError(error)) {
    const stack = error instanceof Error ? error.stack : undefined
    return { kind: undefined, problem: { what: messageOf(error) }, stack }
  }
  const names = Object.keys(classes) as (keyof typeof classes)[]
  return { kind: names.find((name) => error instanceof classes[name]), problem: error.problem }
}

/** Makes an error of the other side again, of the same class. */
export function receivedError({ kind, problem, stack }: SentError): Error {
  if (kind !== undefined) return new classes[kind](problem)
  const error = new Error(problem.what)
  if (stack !== undefined) error.stack = stack
  return error
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The candidate nearest to a mistyped `word` (edit distance at most half its length), if there is one. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.floor(Math.max(word.length, 3) / 2) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** `1 network`, `2 networks`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** A word of a command to be pasted. If the shell would change it, it is in quotes. */
export function shellWord(word: string, platform = platformHere()): string {
  // cmd.exe knows no single quotes. Programs read backslashes as such, except those before a double quote.
  if (platform === 'win32') {
    if (/^[\w.\\/:=+-]+$/.test(word)) return word
    return `"${word.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, '$&$&')}"`
  }
  return /^[\w./:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Pages have no `process`. */
const platformHere = () =>
  (globalThis as { readonly process?: { readonly platform?: string } }).process?.platform

/** A path as an argument of a program, which may begin with `-`. */
export const fileWord = (path: string) => shellWord(path.startsWith('-') ? `./${path}` : path)
