// The frame of every command: its reporter, its signal, and the flags that all commands have.
import { Command, Option } from 'commander'
import { findStarter } from '../run/starters.ts'
import { type ProgressEvent, type ProgressView, progressView } from './progress.ts'

/** The objects that every command gets, besides its own arguments. */
export interface Context {
  readonly reporter: Reporter
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal
}

/** The flags that every command has. */
interface CommonFlags {
  readonly json?: true
  readonly quiet?: true
  readonly plugin?: readonly string[]
}

/** Adds a command to the program. */
export type AddCommand = (program: Command, call: Call) => void

/** Turns a command's work into a commander action. */
export type Call = <A extends readonly unknown[]>(
  work: (context: Context, ...args: A) => Promise<void>,
) => (this: Command, ...args: A) => Promise<void>

/** Adds the flags that every command has. */
export function withCommonFlags(command: Command): Command {
  return command
    .option('--json', 'print one JSON value on stdout, and nothing else there')
    .option('--quiet', 'print no progress and no notes')
}

/** Adds `--plugin`, for commands that may meet a network of the user's own. */
export function withPlugins(command: Command): Command {
  return command.addOption(
    new Option(
      '--plugin <file.mjs>',
      'load networks of your own from this file (may be given more than once)',
    ).argParser((file: string, others: readonly string[] = []) => [...others, file]),
  )
}

/** Calls a command's work with a context that follows the flags of this call. */
export function callWith(signal: AbortSignal): Call {
  return (work) =>
    async function (...args) {
      const { json = false, quiet = false, plugin } = this.opts<CommonFlags>()
      const reporter = new Reporter({ json, quiet }, progressView)
      try {
        if (plugin !== undefined) {
          const { loadPlugins } = await import('../model/plugin.ts')
          await loadPlugins(plugin)
        }
        await noteHiddenStarters(reporter, args)
        await work({ reporter, signal }, ...args)
      } finally {
        reporter.settle()
      }
    }
}

/**
 * A run in the current folder may have the name of a starter, and is the one that is meant. A note says so, for one may
 * have forgotten it.
 *
 * @param args of a command: names, lists of names, and flags
 */
async function noteHiddenStarters(reporter: Reporter, args: readonly unknown[]): Promise<void> {
  const words = args.flatMap((arg) =>
    typeof arg === 'object' && arg !== null && !(arg instanceof Command) ? Object.values(arg).flat() : [arg],
  )
  const named = words
    .filter((word) => typeof word === 'string')
    .find((word) => findStarter(word) !== undefined)
  if (named === undefined) return
  const { hidesStarter } = await import('../run/config-file.ts')
  if (await hidesStarter(named)) {
    reporter.note(`${named} is the run in this folder, and not the starter of that name`)
  }
}

/**
 * Text for a terminal: control characters, which names of files and messages from a store may have, are shown as `\\x1b` and do
 * nothing. Ends of lines and tabs stay.
 */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  text.replaceAll(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, shownAsCode)

/** The same for a name or a reason in a table: it stays on its line. */
export const printableCell = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  text.replaceAll(/[\0-\x1f\x7f-\x9f]/g, shownAsCode)

const shownAsCode = (character: string): string =>
  `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`

/** How a command prints. */
export interface Voice {
  /** Print one JSON value on stdout, and nothing else there. */
  readonly json: boolean
  /** Print no progress and no notes. */
  readonly quiet: boolean
}

/** Everything that a command prints: its result on stdout, progress and notes on stderr. */
export class Reporter {
  private view: ProgressView | undefined

  constructor(
    readonly voice: Voice,
    private readonly makeView: () => Promise<ProgressView>,
  ) {}

  /** Loads the view of progress. A command that shows no progress does not call this. */
  async prepare(): Promise<void> {
    if (!this.voice.quiet) this.view ??= await this.makeView()
  }

  /** Shows progress. Before `prepare`, nothing is shown. */
  progress(event: ProgressEvent): void {
    this.view?.show(event)
  }

  /** Prints a note for a person, unless the command is quiet. */
  note(text: string): void {
    this.settle()
    if (!this.voice.quiet) process.stderr.write(`${printable(text)}\n`)
  }

  /** Prints what a user should know about inputs, a line each. Results in JSON contain the same sentences. */
  warn(notices: readonly string[]): void {
    for (const notice of notices) this.note(`pantin: warning: ${notice}`)
  }

  /** Prints the command's result, as one line of JSON or as text. Called once, at the end. */
  result(value: object, text: () => string): void {
    this.settle()
    process.stdout.write(`${this.voice.json ? toJson(value) : printable(text())}\n`)
  }

  /** Ends the bar, so that other text can be printed. */
  settle(): void {
    this.view?.end()
  }
}

/** One line of JSON. Numbers that are not finite become null. */
export const toJson = (value: object): string => JSON.stringify(value)
